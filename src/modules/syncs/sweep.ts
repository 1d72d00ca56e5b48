import { type Db, withOperator, withTenant } from '../../db/database.js';
import { findCreationPreference } from '../creation-preference/index.js';
import { startDueSchedules } from '../schedules/index.js';
import { enqueueRun, selectAbandonedRuns } from './repository.js';
import { queueRun } from './service.js';

/**
 * Puts runs back into the queue that nobody works on: the queue itself keeps a killed worker's job locked for hours.
 * Any number of processes may sweep; taking a run up is what only one can do.
 * @returns how many of them somebody had worked on who fell silent
 */
export async function sweepAbandonedRuns(db: Db): Promise<number> {
  const abandoned = await withOperator(db, selectAbandonedRuns);
  for (const { tenantId, id } of abandoned) await withTenant(db, tenantId, (tx) => enqueueRun(tx, tenantId, id));
  return abandoned.filter(({ isOrphan }) => isOrphan).length;
}

export interface SchedulePorts {
  readonly newId: () => string;
  readonly syncIntervalSeconds: number;
  /** Told of each tenant whose run could not be started: the others' are. */
  readonly onError: (error: unknown) => void;
}

/** Starts the runs that are due by their tenants' schedules. */
export const startDueRuns = (db: Db, { newId, syncIntervalSeconds, onError }: SchedulePorts): Promise<number> =>
  startDueSchedules(db, { intervalSeconds: syncIntervalSeconds, onError }, async (tx, tenantId) => {
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
