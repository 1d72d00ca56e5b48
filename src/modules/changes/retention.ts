import { type Db, type Tx, withTenant } from '../../db/database.js';
import { deleteChangesBefore, findExpiryPoint } from '../../plans/index.js';
import { iterateTenantIds, lockTenantRowIfFree, recordFeedStart } from '../tenants/index.js';

const CHANGES_PER_TRANSACTION = 5_000;

/**
 * Deletes the changes of all tenants that are older than `days`, in short transactions that wait for nothing: a tenant that is
 * being written is left for the next time. Safe in several processes at once.
 * @returns whether there may be more: false
 */
export async function deleteExpiredChanges(db: Db, days: number): Promise<boolean> {
  for await (const tenantId of iterateTenantIds(db)) {
    while (await withTenant(db, tenantId, (tx) => deletePart(tx, days)));
  }
  return false;
}

/** @returns whether there may be more */
async function deletePart(tx: Tx, days: number): Promise<boolean> {
  if ((await findExpiryPoint(tx, days, 1)) === undefined || (await lockTenantRowIfFree(tx)) === undefined) return false;
  const point = await findExpiryPoint(tx, days, CHANGES_PER_TRANSACTION);
  if (point === undefined) return false;
  await recordFeedStart(tx, point.seq, point.at);
  await deleteChangesBefore(tx, point.seq);
  return true;
}
