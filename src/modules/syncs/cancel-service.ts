import type { Db } from '../../db/database.js';
import { Fault, notFound } from '../../domain/fault.js';
import { inLockedTenant } from '../tenants/index.js';
import { cancelRun, findRun, type SyncRun } from './repository.js';

/**
 * Stops a run that has not ended. Whoever works on it finds out when he next says that he does, and can write nothing
 * from now on; one that is applying its plan at this moment is waited for.
 */
export const cancelSync = (db: Db, tenantId: string, id: string): Promise<SyncRun> =>
  inLockedTenant(db, tenantId, async (tx) => {
    const isCanceled = await cancelRun(tx, id);
    const run = await findRun(tx, id);
    if (run === undefined) throw notFound('sync run');
    if (!isCanceled) throw new Fault('run_ended', `The run is ${run.status}; there is nothing to stop.`);
    return run;
  });
