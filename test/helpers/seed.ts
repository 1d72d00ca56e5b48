import process from 'node:process';

/**
 * The seed of a random test: that of `TEST_SEED`, else `fixed`, else a new one; also a new one for `TEST_SEED=random`.
 * Print it as `TEST_SEED=<seed>`, so that a failure can be replayed.
 */
export function readSeed(fixed?: number): number {
  const { TEST_SEED = '' } = process.env;
  if (TEST_SEED === 'random' || (TEST_SEED === '' && fixed === undefined)) return Math.floor(Math.random() * 1e9);
  if (TEST_SEED === '') return fixed as number;
  const seed = Number(TEST_SEED);
  if (!Number.isSafeInteger(seed)) throw new Error(`TEST_SEED is not an integer: ${TEST_SEED}`);
  return seed;
}
