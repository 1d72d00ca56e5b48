import { type Db, withOperator, withTenant } from '../../db/database.js';
import { findCreationPreference } from '../creation-preference/index.js';
import { type StateKey, startDueSchedules } from '../schedules/index.js';
import { enqueueRun, selectAbandonedRuns } from './repository.js';
import { queueRun } from './service.js';

/**
 * Adds new jobs for abandoned runs, because the queue keeps the job of a killed worker locked for hours. Any number of
 * processes can sweep at the same time, since only one worker can claim a run.
 * @returns the number of runs whose lease had expired
 */
export async function sweepAbandonedRuns(db: Db): Promise<number> {
  const abandoned = await withOperator(db, selectAbandonedRuns);
  for (const { tenantId, id } of abandoned) await withTenant(db, tenantId, (tx) => enqueueRun(tx, tenantId, id));
  return abandoned.filter(({ isOrphan }) => isOrphan).length;
}

export interface SchedulePorts {
  readonly newId: () => string;
  readonly syncIntervalSeconds: number;
  /** Called for each tenant whose run could not be started. The other tenants' runs are still started. */
  readonly onError: (error: unknown) => void;
}

/** Starts the scheduled runs of a state that are due. */
export const startDueRuns = (
  db: Db,
  target: StateKey,
  { newId, syncIntervalSeconds, onError }: SchedulePorts,
): Promise<number> =>
  startDueSchedules(db, target, { intervalSeconds: syncIntervalSeconds, onError }, async (tx, tenantId) => {
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
