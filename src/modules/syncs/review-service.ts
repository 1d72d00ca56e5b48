import { type Db, type Tx, withOperator } from '../../db/database.js';
import { type Principal, toActor } from '../../domain/principal.js';
import { notFound, ServiceError } from '../../domain/service-error.js';
import { runYielding } from '../../domain/yielding.js';
import { acceptRefused, type DirectoryService } from '../directory/index.js';
import { scheduleNextRun } from '../schedules/index.js';
import { inLockedTenant, inTenant, type Tenant } from '../tenants/index.js';
import { applyPlan, findPlanInputs, type PlanInputs, toPlanDigest, toPlanRequest, toSucceededResult } from './apply.js';
import { removePlanItems } from './plan-item-repository.js';
import { saveDismissal } from './plan-result-repository.js';
import { type Lists, planWhole, type ScopedPlan } from './plan-tenant.js';
import { endReview, findRun, type SyncRun, saveDismissedReview } from './repository.js';
import { queueRun } from './service.js';

export interface ReviewPorts {
  readonly newId: () => string;
  readonly directories: DirectoryService;
  readonly syncIntervalSeconds: number;
}

/**
 * Lets the plan of a run that waits for a person be carried out: that very plan, or none. Of a run whose list was too
 * short to be believed it accepts the list, which a new run then reads again.
 */
export async function confirmRun(
  db: Db,
  { newId, directories, syncIntervalSeconds }: ReviewPorts,
  tenantId: string,
  runId: string,
  principal: Principal,
): Promise<SyncRun> {
  const { run, tenant } = await inTenant(db, tenantId, async (tx, tenant) => ({
    run: await requireReview(tx, runId),
    tenant,
  }));
  if (run.reason === 'list_shrunk') return acceptList(db, newId, tenant, run, principal);
  return inLockedTenant(db, tenantId, async (tx, now) => {
    const review = await requireReview(tx, runId);
    const ground = await findPlanInputs(tx, now);
    const planned =
      ground === undefined
        ? undefined
        : await reproducePlan(tx, directories, ground, review, ground.preference.strategy);
    if (ground === undefined || planned === undefined) {
      throw new ServiceError('plan_stale', 'The directory, the set-up or the companies moved. Start another sync.');
    }
    const actor = toActor(principal);
    const { changes, notes, ...outcome } = await applyPlan(tx, tenantId, { ground, planned, actor, runId, ids: newId });
    const plannedAt = review.plannedAt ?? undefined;
    await endReview(tx, runId, { ...toSucceededResult(ground.directory, outcome), changes, notes, plannedAt });
    // From now on the feed tells what was done.
    await removePlanItems(tx, runId);
    await scheduleNextRun(tx, tenantId, syncIntervalSeconds);
    return (await findRun(tx, runId)) as SyncRun;
  });
}

/** Drops what waits. The plan is not proposed again before what it was made from moves; edits alone do not move it. */
export const dismissRun = (db: Db, tenantId: string, runId: string, principal: Principal): Promise<SyncRun> =>
  inLockedTenant(db, tenantId, async (tx) => {
    const { basis, rows } = await requireReview(tx, runId);
    if (basis !== null && rows !== null) await saveDismissal(tx, basis, rows);
    await saveDismissedReview(tx, runId, `Dismissed by ${toActor(principal)}.`);
    return (await findRun(tx, runId)) as SyncRun;
  });

async function requireReview(tx: Tx, runId: string): Promise<SyncRun> {
  const run = await findRun(tx, runId);
  if (run === undefined) throw notFound('sync run');
  if (run.status === 'needs_review') return run;
  throw new ServiceError('not_in_review', `The run is ${run.status}.`, { conflicting_id: run.id });
}

/**
 * Makes the plan of a stored run again; undefined if it would be another one, or is made from something else.
 * @param strategy that the stored run was planned with
 */
export async function reproducePlan(
  tx: Tx,
  lists: Lists,
  ground: PlanInputs,
  run: SyncRun,
  strategy: SyncRun['strategy'],
): Promise<ScopedPlan | undefined> {
  const { basis } = ground;
  const isSame =
    run.plannedAt !== null &&
    run.basis !== null &&
    run.strategy === strategy &&
    run.basis.directoryVersion === basis.directoryVersion &&
    run.basis.preferenceVersion === basis.preferenceVersion &&
    run.basis.ubiKey === basis.ubiKey &&
    run.basis.mappingVersion === basis.mappingVersion &&
    run.basis.revision === basis.revision;
  if (!isSame || run.plannedAt === null) return undefined;
  const includeLabs = run.includeLabs ?? ground.preference.includeLabs;
  const planned = await planWhole(tx, lists, toPlanRequest(ground, { strategy, includeLabs }, run.id, run.plannedAt));
  return (await runYielding(toPlanDigest(planned.plan))) === run.planDigest ? planned : undefined;
}

async function acceptList(
  db: Db,
  newId: () => string,
  { id, state, environment }: Tenant,
  run: SyncRun,
  principal: Principal,
): Promise<SyncRun> {
  if (principal.role !== 'operator') {
    throw new ServiceError('forbidden', "The state's list is shared by all tenants: only an operator may accept it.");
  }
  const digest = run.listDigest ?? '';
  if (!(await withOperator(db, (tx) => acceptRefused(tx, { state, environment, digest })))) {
    throw new ServiceError('plan_stale', 'A list was published since, or another one refused. Start another sync.');
  }
  const { strategy } = run;
  const requestedBy = toActor(principal);
  return inLockedTenant(db, id, (tx) =>
    queueRun(tx, newId, id, { trigger: 'request', mode: 'full', refresh: 'force', strategy, requestedBy }),
  );
}
