import { isProblem } from './errors.js';
import type { ApiResponse, BodyAt, CommonOptions, OptionsAt, PathWith, ResultAt } from './operations.js';

/** The paths of settings: they can be read and replaced. */
export type SettingPath = PathWith<'get'> & PathWith<'put'>;

export type SaveOptions<P extends SettingPath> = Pick<OptionsAt<P, 'put'>, 'params' & keyof OptionsAt<P, 'put'>> &
  CommonOptions & {
    /**
     * Returns the body to save, from what is there now; undefined changes nothing. Called again after each 412, so it must
     * not have side effects.
     */
    readonly toBody: (present: ResultAt<P, 'get'> | undefined) => BodyAt<P, 'put'> | undefined;
    /** How often other callers may change the setting between the read and the write. Defaults to 5. */
    readonly maxRaces?: number;
  };

export interface SaveResult<T> {
  readonly outcome: 'created' | 'updated' | 'unchanged';
  /** The setting after the call; undefined if there is none and none was saved. */
  readonly data: T | undefined;
  readonly etag: string | undefined;
}

type ToIntersection<U> = (U extends unknown ? (each: U) => void : never) extends (all: infer I) => void ? I : never;

/** One overload for each path: TypeScript would widen the literals that `toBody` of a generic function returns. */
export type SaveCall = ToIntersection<
  {
    [P in SettingPath]: (
      path: P,
      options: SaveOptions<P>,
    ) => Promise<SaveResult<ResultAt<P, 'get'> | ResultAt<P, 'put'>>>;
  }[SettingPath]
>;

export const DEFAULT_MAX_RACES = 5;

/** Reads a setting and replaces it, or creates it. Reads it again if it has changed in between. */
export async function saveSetting<Present, Saved, Body>(steps: {
  readonly read: () => Promise<ApiResponse<Present>>;
  readonly toBody: (present: Present | undefined) => Body | undefined;
  /** @param etag null if the setting does not exist */
  readonly write: (body: Body, etag: string | null | undefined) => Promise<ApiResponse<Saved>>;
  readonly maxRaces: number;
}): Promise<SaveResult<Present | Saved>> {
  for (let races = 0; ; races += 1) {
    const present = await findSetting(steps.read);
    const body = steps.toBody(present?.data);
    if (body === undefined) return { outcome: 'unchanged', data: present?.data, etag: present?.etag };
    try {
      const { data, etag } = await steps.write(body, present === undefined ? null : present.etag);
      return { outcome: present === undefined ? 'created' : 'updated', data, etag };
    } catch (error) {
      // Another caller changed it, or the response to an earlier attempt was lost.
      if (!isProblem(error, 'precondition_failed') || races >= steps.maxRaces) throw error;
    }
  }
}

async function findSetting<T>(read: () => Promise<ApiResponse<T>>): Promise<ApiResponse<T> | undefined> {
  try {
    return await read();
  } catch (error) {
    if (isProblem(error, 'not_found')) return undefined;
    throw error;
  }
}
