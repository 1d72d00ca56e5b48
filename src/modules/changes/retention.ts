import { type Db, type Tx, withTenant } from '../../db/database.js';
import { deleteChangesBefore, findExpiryPoint } from '../../plans/index.js';
import { iterateTenantIds, lockTenantRowIfFree, recordFeedStart } from '../tenants/index.js';

const CHANGES_PER_TRANSACTION = 5_000;
/** Per call, so that other maintenance is not delayed. */
const MAX_TRANSACTIONS = 100;

export interface ChangeRetention {
  readonly days: number;
  readonly shutdown: AbortSignal;
  /** Called for each tenant in which it fails; it stays to be done. */
  readonly onError: (error: unknown) => void;
}

/**
 * Deletes changes that are older than `days`, in short transactions that wait for nothing: a tenant that is being written is left
 * for the next time. Safe in several processes at once.
 * @returns whether there may be more
 */
export async function deleteExpiredChanges(db: Db, { days, shutdown, onError }: ChangeRetention): Promise<boolean> {
  let transactions = 0;
  for await (const tenantId of iterateTenantIds(db)) {
    for (let hasMore = true; hasMore; ) {
      if (shutdown.aborted || transactions === MAX_TRANSACTIONS) return true;
      hasMore = await withTenant(db, tenantId, (tx) => deletePart(tx, days)).catch((error: unknown) => {
        onError(error);
        return false;
      });
      if (hasMore) transactions += 1;
    }
  }
  return false;
}

/** @returns whether it deleted something */
async function deletePart(tx: Tx, days: number): Promise<boolean> {
  if ((await findExpiryPoint(tx, days, 1)) === undefined || (await lockTenantRowIfFree(tx)) === undefined) return false;
  const point = await findExpiryPoint(tx, days, CHANGES_PER_TRANSACTION);
  if (point === undefined) return false;
  await recordFeedStart(tx, point.seq, point.at);
  await deleteChangesBefore(tx, point.seq);
  return true;
}
