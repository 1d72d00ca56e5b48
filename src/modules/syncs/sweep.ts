import { type Db, withOperator, withTenant } from '../../db/database.js';
import { enqueueRun, selectAbandonedRuns } from './repository.js';

/**
 * Puts runs back into the queue that nobody works on: the queue itself keeps a killed worker's job locked for hours.
 * Any number of processes may sweep; taking a run up is what only one can do.
 * @returns how many were put back
 */
export async function sweepAbandonedRuns(db: Db): Promise<number> {
  const abandoned = await withOperator(db, selectAbandonedRuns);
  for (const { tenantId, id } of abandoned) await withTenant(db, tenantId, (tx) => enqueueRun(tx, tenantId, id));
  return abandoned.length;
}
