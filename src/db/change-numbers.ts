import type { Tx } from './database.js';

/**
 * The next numbers of the tenant's change feed; the lists that are read by its revision are of another one now. The
 * tenant must be locked, and whoever writes the lines commits them together: that keeps the numbers without a gap.
 * @param count of the lines, at least one
 */
export async function takeChangeNumbers(
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
