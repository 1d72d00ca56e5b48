import type { ApiResponse } from './api.js';
import { CliError } from './cli-error.js';

/** How often another caller may change a resource between our read and our write. */
export const MAX_RACES = 5;

/** The header of a PUT: the version that was read, or `*` if there was none. */
export type SettingPrecondition = { readonly 'if-match': string } | { readonly 'if-none-match': string };

export interface Setting<T> {
  readonly read: () => Promise<ApiResponse<T> | undefined>;
  readonly isUpToDate: (present: T) => boolean;
  readonly write: (precondition: SettingPrecondition) => Promise<unknown>;
}

/** Writes a setting unless it is up to date. Returns whether it was changed. */
export async function putSetting<T>({ read, isUpToDate, write }: Setting<T>): Promise<boolean> {
  for (let races = 0; ; races += 1) {
    const present = await read();
    if (present !== undefined && isUpToDate(present.data)) return false;
    try {
      await write(present === undefined ? { 'if-none-match': '*' } : { 'if-match': present.etag });
      return true;
    } catch (error) {
      // Another caller changed it, or the response to an earlier attempt was lost.
      const isRace = error instanceof CliError && error.code === 'precondition_failed';
      if (!isRace || races >= MAX_RACES) throw error;
    }
  }
}
