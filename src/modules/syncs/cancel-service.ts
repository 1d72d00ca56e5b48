import type { Db } from '../../db/database.js';
import { notFound, ServiceError } from '../../domain/service-error.js';
import { inTenant } from '../tenants/index.js';
import { cancelRun, findRun, type SyncRun } from './repository.js';

/**
 * Stops a run that has not ended. Whoever works on it finds out when he next says that he does, and can write nothing
 * from now on. The tenant is not locked, since a run that applies its plan has locked it: its result is the last thing
 * that it writes, and if that was not written yet, none of it ever is.
 */
export const cancelSync = (db: Db, tenantId: string, id: string): Promise<SyncRun> =>
  inTenant(db, tenantId, async (tx) => {
    const isCanceled = await cancelRun(tx, id);
    const run = await findRun(tx, id);
    if (run === undefined) throw notFound('sync run');
    if (!isCanceled) throw new ServiceError('run_ended', `The run is ${run.status}; there is nothing to stop.`);
    return run;
  });
