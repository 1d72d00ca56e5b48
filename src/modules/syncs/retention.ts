import { type Db, withOperator, withTenant } from '../../db/database.js';
import { deleteSomePlanItems } from '../../plans/index.js';
import { deleteRun, lockExpiredRun, type Retention, selectExpiredRuns } from './retention-repository.js';

/** Of each kind, per batch. */
const RUNS_PER_BATCH = 50;
const ITEMS_PER_TRANSACTION = 5_000;

/**
 * Deletes a batch of runs and previews that have expired, in short transactions that wait for nothing. Safe in several
 * processes at once.
 * @returns whether there may be more
 */
export async function deleteExpiredRuns(db: Db, retention: Retention): Promise<boolean> {
  const expired = await withOperator(db, (tx) => selectExpiredRuns(tx, retention, RUNS_PER_BATCH));
  for (const { tenantId, id } of expired) {
    const deletePart = () =>
      withTenant(db, tenantId, async (tx) => {
        if (!(await lockExpiredRun(tx, id, retention))) return true;
        const isEmpty = await deleteSomePlanItems(tx, id, ITEMS_PER_TRANSACTION);
        if (isEmpty) await deleteRun(tx, id);
        return isEmpty;
      });
    while (!(await deletePart()));
  }
  return expired.length >= RUNS_PER_BATCH;
}
