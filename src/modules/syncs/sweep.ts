import { type Db, withOperator, withTenant } from '../../db/database.js';
import { findCreationPreference } from '../creation-preference/index.js';
import { tickSchedules } from '../schedules/index.js';
import { enqueueRun, selectAbandonedRuns } from './repository.js';
import { queueRun } from './service.js';

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

/** Starts the runs that are due by their tenants' schedules. */
export const startDueRuns = (db: Db, newId: () => string, intervalSeconds: number): Promise<number> =>
  tickSchedules(db, intervalSeconds, async (tx, tenantId) => {
    const preference = await findCreationPreference(tx);
    if (preference === undefined) return;
    const { strategy } = preference;
    await queueRun(tx, newId, tenantId, {
      trigger: 'schedule',
      mode: 'full',
      refresh: 'auto',
      strategy,
      requestedBy: 'schedule',
    });
  });
