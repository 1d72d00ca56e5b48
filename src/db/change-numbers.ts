import type { Tx } from './database.js';

/**
 * Allocates the next sequence numbers of the tenant's change feed, and increments the tenant's revision. The tenant must be
 * locked, and all numbers must be used in this transaction: the feed has no gaps.
 * @param count at least 1
 */
export async function allocateChangeNumbers(
  tx: Tx,
  count: number,
): Promise<{ readonly first: number; readonly last: number }> {
  const { last } = await tx
    .updateTable('tenants')
    .set((eb) => ({
      last_change_seq: eb('last_change_seq', '+', count),
      revision: eb('revision', '+', 1),
    }))
    .returning('last_change_seq as last')
    .executeTakeFirstOrThrow();
  return { first: last - count + 1, last };
}
