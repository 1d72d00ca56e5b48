import { type Db, type Tx, withOperator } from '../../db/database.js';
import { type Principal, toActor } from '../../domain/principal.js';
import { notFound, ServiceError } from '../../domain/service-error.js';
import {
  applyPlan,
  deletePlanItems,
  findPlanSettings,
  loadStoredInputs,
  reproducePlan,
  saveDismissal,
} from '../../plans/index.js';
import { acceptRefusedList, type DirectoryService } from '../directory/index.js';
import { scheduleNextRun } from '../schedules/index.js';
import { inLockedTenant, inTenant, planAndRecord, type Tenant } from '../tenants/index.js';
import { toDismissedMessage } from './messages.js';
import { findRun, finishReview, replaceInRuns, type SyncRun, saveDismissedReview } from './repository.js';
import { queueRun } from './service.js';

export interface ReviewPorts {
  readonly newId: () => string;
  readonly directories: DirectoryService;
  readonly syncIntervalSeconds: number;
}

/**
 * Applies the plan of a run in review, if planning again gives the same plan. If the run is about licenses that the state
 * no longer lists (`list_shrunk`, `missing_kept`, `list_dismissed`), accepts that list and queues a new run.
 */
export async function confirmRun(
  db: Db,
  { newId, directories, syncIntervalSeconds }: ReviewPorts,
  tenantId: string,
  runId: string,
  principal: Principal,
): Promise<SyncRun> {
  const { run, tenant } = await inTenant(db, tenantId, async (tx, tenant) => ({
    run: await requireConfirmable(tx, runId),
    tenant,
  }));
  if (run.listDigest !== null) return acceptList(db, newId, tenant, run.strategy, run.listDigest, principal);
  const actor = toActor(principal);
  return planAndRecord(db, tenantId, {
    async load(tx) {
      const review = await requireReview(tx, runId);
      const settings = await findPlanSettings(tx);
      const inputs = settings && (await loadStoredInputs(tx, directories, settings, review));
      if (inputs === undefined) throw planStale();
      return { review, inputs };
    },
    async plan({ review, inputs }) {
      const plan = await reproducePlan(inputs, review);
      if (plan === undefined) throw planStale();
      return { plan, inputs, plannedAt: review.plannedAt ?? undefined };
    },
    async record(tx, { plan, inputs, plannedAt }) {
      await requireReview(tx, runId);
      const result = await applyPlan(tx, tenantId, { inputs, plan, actor, runId, newId });
      const finished = await finishReview(tx, runId, { ...result, plannedAt });
      // Its items are in the change feed now.
      await deletePlanItems(tx, [runId]);
      await scheduleNextRun(tx, tenantId, syncIntervalSeconds);
      return finished;
    },
  });
}

const planStale = (): ServiceError =>
  new ServiceError(
    'plan_stale',
    "The state's list, the setup or the companies changed since the plan was made. Start another sync.",
  );

/**
 * Dismisses the plan of a run in review. It is not proposed again until its inputs change; edits do not count. If the run is
 * about a much shorter list, the tenant's syncs use the last accepted list until the state lists something else.
 */
export const dismissRun = (db: Db, tenantId: string, runId: string, principal: Principal): Promise<SyncRun> =>
  inLockedTenant(db, tenantId, async (tx) => {
    const { inputVersions, rows, listDigest } = await requireReview(tx, runId);
    // The canceled run itself records that its list was dismissed.
    if (listDigest === null && inputVersions !== null && rows !== null) {
      const { revision: _, ...versions } = inputVersions;
      const { used, filtered } = rows;
      await saveDismissal(tx, { ...versions, rows: { used, filtered } });
    }
    return saveDismissedReview(tx, runId, toDismissedMessage(toActor(principal)));
  });

/** Replaces a user who requested or dismissed runs. */
export const replaceRequester = (tx: Tx, from: string, to: string): Promise<void> =>
  replaceInRuns(tx, from, to, toDismissedMessage);

async function requireConfirmable(tx: Tx, runId: string): Promise<SyncRun> {
  const run = await findRun(tx, runId);
  const isAboutMissing = run?.status === 'succeeded_with_warnings' && run.listDigest !== null;
  return isAboutMissing ? run : requireReview(tx, runId);
}

async function requireReview(tx: Tx, runId: string): Promise<SyncRun> {
  const run = await findRun(tx, runId);
  if (run === undefined) throw notFound('sync run');
  if (run.status === 'needs_review') return run;
  throw new ServiceError('not_in_review', `The status of the run is ${run.status}, not needs_review.`, {
    conflicting_id: run.id,
  });
}

async function acceptList(
  db: Db,
  newId: () => string,
  { id, state, environment }: Tenant,
  strategy: SyncRun['strategy'],
  digest: string,
  principal: Principal,
): Promise<SyncRun> {
  if (principal.role !== 'operator') {
    throw new ServiceError(
      'forbidden',
      "The state's list is shared by all tenants, so only an operator can accept it.",
    );
  }
  if (!(await withOperator(db, (tx) => acceptRefusedList(tx, { state, environment, digest })))) {
    throw new ServiceError('plan_stale', 'The state has returned a different list since this run. Start another sync.');
  }
  const requestedBy = toActor(principal);
  return inLockedTenant(db, id, (tx) =>
    queueRun(tx, newId, id, { trigger: 'request', mode: 'full', refresh: 'force', strategy, requestedBy }),
  );
}
