import { sql } from 'kysely';
import type { Tx } from '../../db/database.js';

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

/** Records that changes before `seq` are deleted. The tenant must be locked. */
export async function recordFeedStart(tx: Tx, seq: number, at: Date): Promise<void> {
  await tx
    .updateTable('tenants')
    .set((eb) => ({
      feed_start_seq: eb.fn<number>('greatest', ['feed_start_seq', eb.val(seq)]),
      feed_complete_from: at,
      // Pages of a filtered feed begin elsewhere.
      revision: eb('revision', '+', 1),
    }))
    .execute();
}

/** Makes all cursors of the tenant's feed invalid. */
export async function renewFeedEpoch(tx: Tx): Promise<void> {
  await tx
    .updateTable('tenants')
    .set((eb) => ({ feed_epoch: eb.fn<string>('gen_random_uuid'), revision: eb('revision', '+', 1) }))
    .execute();
}

/**
 * From the first sync on, state and environment are fixed, and the strategy changes only through a switch. The feed starts again
 * with the run's first change, which stands for everything that the run creates. Returns the revision of the tenant's inputs.
 */
export async function recordFirstSync(tx: Tx, runId: string, firstChangeSeq: number): Promise<number> {
  const { revision } = await tx
    .updateTable('tenants')
    .set({ first_synced_datetime: sql<Date>`now()`, first_synced_run_id: runId, feed_start_seq: firstChangeSeq })
    .returning('inputs_revision as revision')
    .executeTakeFirstOrThrow();
  return revision;
}
