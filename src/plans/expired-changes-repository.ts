import { sql } from 'kysely';
import type { Tx } from '../db/database.js';

/** A change up to which older ones have expired. */
export interface ExpiryPoint {
  /** The first change that is kept. */
  readonly seq: number;
  readonly at: Date;
}

/**
 * Finds how many of the first `limit` changes are older than `days`. The last change of the feed is kept, because cursors name it.
 * Undefined if none has expired.
 */
export async function findExpiryPoint(tx: Tx, days: number, limit: number): Promise<ExpiryPoint | undefined> {
  const rows = await tx
    .selectFrom('changes')
    .select(['seq', 'inserted_datetime as at'])
    .select(sql<boolean>`inserted_datetime < now() - make_interval(days => ${days})`.as('isExpired'))
    .orderBy('seq')
    .limit(limit + 1)
    .execute();
  const firstKept = rows.findIndex(({ isExpired }) => !isExpired);
  const index = firstKept === -1 ? rows.length - 1 : firstKept;
  const { seq, at } = rows[index] ?? {};
  return index < 1 || seq === undefined || at === undefined ? undefined : { seq, at };
}

export async function deleteChangesBefore(tx: Tx, seq: number): Promise<void> {
  await tx.deleteFrom('changes').where('seq', '<', seq).execute();
}
