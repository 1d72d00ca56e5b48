import { type Db, withOperator, withTenant } from '../../db/database.js';
import { deleteRunIfExpired, deleteSomePlanItems, type Retention, selectExpiredRuns } from './retention-repository.js';

/** Of each kind, per batch. */
const RUNS_PER_BATCH = 50;
const ITEMS_PER_TRANSACTION = 5_000;

/**
 * Deletes a batch of runs and previews that have expired, in short transactions that lock nothing else. Safe in several
 * processes at once.
 * @returns whether there may be more
 */
export async function deleteExpiredRuns(db: Db, retention: Retention): Promise<boolean> {
  const expired = await withOperator(db, (tx) => selectExpiredRuns(tx, retention, RUNS_PER_BATCH));
  for (const { tenantId, id } of expired) {
    const deleteItems = () => withTenant(db, tenantId, (tx) => deleteSomePlanItems(tx, id, ITEMS_PER_TRANSACTION));
    while ((await deleteItems()) === ITEMS_PER_TRANSACTION);
    await withTenant(db, tenantId, (tx) => deleteRunIfExpired(tx, id, retention));
  }
  return expired.length >= RUNS_PER_BATCH;
}
