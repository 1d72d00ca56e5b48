/** So few may always change: in a small state ten percent is one license. */
const ALWAYS_ALLOWED = 10;

/**
 * Whether so many of the active licenses would change at once that a person has to look first.
 * @param percent of the active licenses that may; 100 guards nothing
 */
export const isTooMuch = (changed: number, active: number, percent: number): boolean =>
  percent < 100 && changed > Math.max(ALWAYS_ALLOWED, (active * percent) / 100);
