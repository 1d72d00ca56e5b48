import process from 'node:process';

/** How many random cases a test draws; set by the runner. */
const TIER = process.env.TEST_COUNTS;

/** With `npm run test:long`. */
export const IS_LONG = TIER === 'long';

/** With `npm test`: too few cases to see everything that can happen. */
export const IS_THINNED = TIER !== 'full' && TIER !== 'long';

export interface Counts {
  /** With `npm test`: a second or two. */
  readonly few: number;
  /** With `npm run test:full`. */
  readonly full: number;
  /** With `npm run test:long`: the figures that the project promises. */
  readonly long: number;
}

export function pickCount({ few, full, long }: Counts): number {
  if (IS_LONG) return long;
  return TIER === 'full' ? full : few;
}
