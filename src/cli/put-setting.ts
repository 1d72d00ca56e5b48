import type { ApiResponse } from './api.js';
import { CliError } from './failure.js';

/** How often somebody else may be faster than we are. */
export const MOST_RACES = 5;

/** What a PUT says of what was read: this version, or nothing yet. */
export type SettingPrecondition = { readonly 'if-match': string } | { readonly 'if-none-match': string };

export interface Setting<T> {
  readonly read: () => Promise<ApiResponse<T> | undefined>;
  readonly isAsWanted: (present: T) => boolean;
  readonly write: (precondition: SettingPrecondition) => Promise<unknown>;
}

/** Makes a setting what it shall be, and leaves it alone if it is; returns whether it had to be changed. */
export async function putSetting<T>({ read, isAsWanted, write }: Setting<T>): Promise<boolean> {
  for (let races = 0; ; races += 1) {
    const present = await read();
    if (present !== undefined && isAsWanted(present.data)) return false;
    try {
      await write(present === undefined ? { 'if-none-match': '*' } : { 'if-match': present.etag });
      return true;
    } catch (error) {
      // Somebody changed it since it was read, or an answer to us was lost on its way.
      const isRace = error instanceof CliError && error.code === 'precondition_failed';
      if (!isRace || races >= MOST_RACES) throw error;
    }
  }
}
