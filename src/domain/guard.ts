/** Minimum limit: in a small state, a percentage alone would block a single license or company. */
const ALWAYS_ALLOWED = 10;

/**
 * Whether a change affects so many licenses or companies that a user or operator must review it first.
 * @param percent the allowed share of the active ones; 100 disables the guard
 */
export const exceedsGuard = (changed: number, active: number, percent: number): boolean =>
  percent < 100 && changed > Math.max(ALWAYS_ALLOWED, (active * percent) / 100);

/**
 * Whether a list lost so many of its licenses that an operator must review it. Unlike a change, a small list cannot lose
 * more than half.
 * @param percent as of `exceedsGuard`
 */
export const isShrunk = (removed: number, active: number, percent: number): boolean =>
  exceedsGuard(removed, active, percent) || (percent < 100 && removed > Math.max(1, active / 2));
