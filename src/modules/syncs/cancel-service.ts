import type { Db } from '../../db/database.js';
import { notFound, ServiceError } from '../../domain/service-error.js';
import { inTenant } from '../tenants/index.js';
import { cancelRun, findRun, type SyncRun } from './repository.js';

/**
 * Cancels a queued or running run. Its worker notices at the next lease renewal and can no longer commit. Does not lock
 * the tenant, because a run that is applying its plan holds that lock; such a run writes its result last, which now
 * fails, so that its whole transaction rolls back.
 */
export const cancelSync = (db: Db, tenantId: string, id: string): Promise<SyncRun> =>
  inTenant(db, tenantId, async (tx) => {
    const isCanceled = await cancelRun(tx, id);
    const run = await findRun(tx, id);
    if (run === undefined) throw notFound('sync run');
    if (!isCanceled)
      throw new ServiceError(
        'run_ended',
        `The status of the run is ${run.status}. Only queued or running runs can be canceled.`,
      );
    return run;
  });
