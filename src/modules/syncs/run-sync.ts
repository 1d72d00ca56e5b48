import { type Biotrack, BiotrackError } from '../../biotrack/index.js';
import { type Db, type Tx, withTenant } from '../../db/database.js';
import { isStorageUnavailable } from '../../db/sqlstate.js';
import type { FailureReason } from '../../domain/failure-reason.js';
import { toUserIdOf } from '../../domain/principal.js';
import { ServiceError } from '../../domain/service-error.js';
import type { SingleFlight } from '../../domain/single-flight.js';
import type { Strategy } from '../../domain/strategy.js';
import type { SyncCounts, SyncRows } from '../../domain/sync-run.js';
import type { Vault } from '../../vault/index.js';
import { type CreationPreference, findCreationPreference } from '../creation-preference/index.js';
import {
  findUsableCredential,
  getUsableCredential,
  LoginRefusedError,
  type LoginResult,
  toLoginPorts,
  type UsableCredential,
} from '../credentials/index.js';
import { DirectoryBusyError, type DirectoryService, ListShrunkError } from '../directory/index.js';
import { recordRunFailure, scheduleNextRun } from '../schedules/index.js';
import { inLockedTenant, isTenantGone, type Tenant } from '../tenants/index.js';
import { applyPlan, findPlanInputs, type PlanInputs, storePlan, toPlanRequest, toSucceededResult } from './apply.js';
import { findExcess } from './guard.js';
import { keepLease } from './lease.js';
import {
  findDismissal,
  findLastPlanResult,
  findPlannedVersion,
  findPlanResult,
  type PlanResult,
} from './plan-result-repository.js';
import { planSince, planWhole } from './plan-tenant.js';
import { toReasonDetail } from './reason-details.js';
import {
  claimRun,
  findRun,
  finishRun,
  type RunResult,
  releaseRun,
  requeueWaitingRun,
  type SyncRun,
  saveRunCredential,
  saveStep,
  scheduleRetry,
} from './repository.js';
import { type RetryPolicy, toRetryDelaySeconds } from './retry-policy.js';
import { queueRun } from './service.js';
import { retryWhileStorageUnavailable } from './storage-retry.js';

export interface RunSyncDeps {
  readonly db: Db;
  readonly biotrack: Biotrack;
  readonly vault: Vault;
  readonly directories: DirectoryService;
  readonly loginAttempts: SingleFlight<LoginResult>;
  readonly newId: () => string;
  /** A plan that changes more than this share of the tenant's licenses waits for a person; 100: none does. */
  readonly guardRemovalPercent: number;
  readonly syncIntervalSeconds: number;
  readonly runPatience: RetryPolicy;
  readonly clock: () => Date;
  /** Aborted when this process is about to end: the run is handed over. */
  readonly shutdown: AbortSignal;
  readonly onFinished: (outcome: RunReport) => void;
  /** `taken_over`: from a worker that fell silent; `fenced`: it came back, and was not let write. */
  readonly onEvent: (event: 'taken_over' | 'fenced') => void;
}

/** For the log, once a run: the cause is for nobody else. */
export interface RunReport {
  readonly tenantId: string;
  readonly runId: string;
  readonly status: RunResult['status'] | 'handed_over' | 'put_off';
  readonly reason: FailureReason | undefined;
  readonly cause: unknown;
  readonly counts?: SyncCounts | undefined;
  readonly rows?: SyncRows | undefined;
}

/** A run that makes way for those of other states comes again after so long. */
const STEP_BACK_SECONDS = 3;

/** The run was taken over or has ended: nothing that this worker still wants to write counts. */
class RunLostError extends Error {}

/**
 * Works on a run until it has ended, if nobody else does. Fetches first, with no transaction open; then plans and
 * applies in one short transaction that is committed only by whoever still holds the run.
 * @throws what the database throws when even the failure cannot be written down: the run is taken over when its lease
 *   is over
 */
export async function runSync(deps: RunSyncDeps, tenantId: string, runId: string): Promise<void> {
  const { db, shutdown, runPatience, onFinished, onEvent } = deps;
  const run = await withTenant(db, tenantId, (tx) => claimRun(tx, runId));
  if (run === undefined) return;
  const tell = (status: RunReport['status'], reason?: FailureReason, cause?: unknown): void =>
    onFinished({ tenantId, runId, status, reason, cause });
  if (run.wasTakenOver) onEvent('taken_over');
  const lease = keepLease(db, tenantId, run, shutdown);
  const note = (write: (tx: Tx) => Promise<boolean>): Promise<boolean> =>
    retryWhileStorageUnavailable(lease.signal, () => withTenant(db, tenantId, write));
  try {
    // Taken up this often without an end, it is broken, not unlucky.
    if (run.attempt > runPatience.attempts) throw new RunFailure('interrupted');
    const { status, counts, rows } = await work(deps, tenantId, run, lease.signal);
    onFinished({ tenantId, runId, status, reason: undefined, cause: undefined, counts, rows });
  } catch (error) {
    if (isTenantGone(error)) return;
    if (shutdown.aborted) {
      const isReleased = await withTenant(db, tenantId, (tx) => releaseRun(tx, tenantId, run));
      return isReleased ? tell('handed_over') : undefined;
    }
    if (error instanceof RunLostError || lease.signal.aborted) {
      const now = await withTenant(db, tenantId, (tx) => findRun(tx, runId));
      if (now?.status === 'canceled') return tell('canceled');
      // Taken over by another worker: what this one found out counts for nothing.
      return now === undefined ? undefined : onEvent('fenced');
    }
    if (error instanceof DirectoryBusyError)
      return withTenant(db, tenantId, (tx) => requeueWaitingRun(tx, run, STEP_BACK_SECONDS));
    const { reason, cause } = toFailure(error);
    const reasonDetail = error instanceof BiotrackError ? error.advice : toReasonDetail(reason);
    const retryAfterMs = error instanceof BiotrackError ? error.retryAfterMs : undefined;
    // Whoever only looks would rather know at once.
    const seconds =
      run.mode === 'full' ? toRetryDelaySeconds(reason, run.attempt, runPatience, retryAfterMs) : undefined;
    if (seconds !== undefined) {
      const isPutOff = await note((tx) => scheduleRetry(tx, run, { reason, reasonDetail, seconds }));
      return isPutOff ? tell('put_off', reason, cause) : undefined;
    }
    // A list that is much too short waits for an operator; whoever only wanted to look waits for nobody.
    const status: RunResult['status'] = reason === 'list_shrunk' && run.mode === 'full' ? 'needs_review' : 'failed';
    const result = {
      status,
      reason,
      reasonDetail,
      ...(error instanceof ListShrunkError && { listDigest: error.digest }),
    };
    const isFinished = await retryWhileStorageUnavailable(lease.signal, () => fail(deps, tenantId, run, result));
    // Not so if the answer to a commit was lost: then the row says what happened.
    if (isFinished) tell(status, reason, cause);
  } finally {
    lease.stop();
  }
}

/** Writes down that a run failed for good. False: it was lost meanwhile, or its tenant was deleted. */
async function fail(
  deps: RunSyncDeps,
  tenantId: string,
  run: SyncRun,
  result: RunResult & { readonly reason: FailureReason },
): Promise<boolean> {
  const { db } = deps;
  try {
    return await inLockedTenant(db, tenantId, async (tx, tenant) => {
      if (!(await finishRun(tx, run, result))) return false;
      if (run.mode === 'preview') return true;
      // Of the logins that a run by schedule may use.
      const canGoOn = async (): Promise<boolean> =>
        (await findUsableCredential(tx, deps, tenant, undefined)) !== undefined;
      await recordRunFailure(tx, result.reason, canGoOn);
      return true;
    });
  } catch (error) {
    if (isTenantGone(error)) return false;
    throw error;
  }
}

/** An end without a result, with its reason. */
class RunFailure extends Error {
  readonly reason: FailureReason;

  constructor(reason: FailureReason, cause?: unknown) {
    super(reason, { cause });
    this.reason = reason;
  }
}

function toFailure(error: unknown): { reason: FailureReason; cause: unknown } {
  if (error instanceof RunFailure) return { reason: error.reason, cause: error.cause };
  if (error instanceof BiotrackError || error instanceof LoginRefusedError)
    return { reason: error.reason, cause: error };
  if (error instanceof ServiceError && (error.code === 'credential_unreadable' || error.code === 'unknown_state'))
    return { reason: error.code, cause: error };
  if (error instanceof ServiceError && error.code === 'setup_incomplete')
    return { reason: 'credentials_missing', cause: undefined };
  if (error instanceof ListShrunkError) return { reason: 'list_shrunk', cause: error };
  if (isStorageUnavailable(error)) return { reason: 'storage_unavailable', cause: error };
  return { reason: 'internal', cause: error };
}

async function work(deps: RunSyncDeps, tenantId: string, run: SyncRun, signal: AbortSignal): Promise<RunResult> {
  const { db, directories, syncIntervalSeconds } = deps;
  let asked: CreationPreference | undefined;
  const usable = await getUsableCredential(db, deps, tenantId, {
    userId: toUserIdOf(run.requestedBy),
    async noteChoice(tx, { credential: { id, owner }, reason }) {
      if (!(await saveRunCredential(tx, run, { id, owner, reason }))) throw new RunLostError();
      asked = await findCreationPreference(tx);
    },
  });
  const target = { state: usable.tenant.state, environment: usable.tenant.environment };
  await directories.ensureFresh(db, {
    target,
    login: usable.login,
    ...toLoginPorts(db, deps, usable),
    includeLabs: asked?.includeLabs ?? false,
    force: run.refresh === 'force',
    makesWay: true,
    signal,
  });
  await step(db, tenantId, run, 'planning');
  return inLockedTenant(db, tenantId, async (tx, tenant) => {
    const result = await planAndApply(deps, tx, tenant, run, { ...usable, preferenceVersion: asked?.version });
    const isGood = result.status === 'succeeded' || result.status === 'succeeded_with_warnings';
    if (isGood && run.mode === 'full') await scheduleNextRun(tx, tenantId, syncIntervalSeconds);
    return result;
  });
}

/** All or nothing: what the plan says, the run's result, and the change rows. */
async function planAndApply(
  deps: RunSyncDeps,
  tx: Tx,
  tenant: Tenant,
  run: SyncRun,
  { tenant: asked, login, preferenceVersion }: UsableCredential & { readonly preferenceVersion: number | undefined },
): Promise<RunResult> {
  // Before the ground: where the tenant is now, perhaps no list has been read yet.
  if (tenant.state !== asked.state || tenant.environment !== asked.environment) {
    const { strategy } = (await findCreationPreference(tx)) ?? run;
    return supersede(deps, tx, tenant.id, run, strategy);
  }
  const ground = await findPlanInputs(tx, tenant);
  if (ground === undefined) throw new RunFailure('superseded');
  const { preference, ubi } = ground;
  const isChosenAnew = preference.strategy !== run.strategy || preference.version !== preferenceVersion;
  if (isChosenAnew || ubi.ubiKey !== login.ubi) return supersede(deps, tx, tenant.id, run, preference.strategy);
  const at = deps.clock();
  const request = toPlanRequest(ground, preference, run.id, at);
  if (run.mode === 'preview') {
    const planned = await planWhole(tx, deps.directories, request);
    const result = await storePlan(tx, tenant.id, run.id, { ground, planned, at });
    return finish(tx, run, { ...result, status: 'succeeded' });
  }
  const outcome = await findPlanResult(tx, ground.basis);
  if (outcome !== undefined) return finishWith(tx, run, ground, toNothingNew(outcome));
  const dismissal = await findDismissal(tx, ground.basis);
  if (dismissal !== undefined) return finishDismissed(tx, run, ground, dismissal.rows);
  const since = await findPlannedVersion(tx, ground.basis);
  const planned =
    since === undefined ? await planWhole(tx, deps.directories, request) : await planSince(tx, request, since);
  const excess = tenant.firstSyncedAt === null ? undefined : findExcess(planned.plan.impact, deps.guardRemovalPercent);
  if (excess !== undefined) {
    const reasonDetail = `${excess}. Nothing is changed before somebody has looked at the plan: confirm or dismiss it.`;
    const result = await storePlan(tx, tenant.id, run.id, { ground, planned, at });
    return finish(tx, run, { ...result, status: 'needs_review', reasonDetail });
  }
  noteStep(deps.db, tenant.id, run, 'applying');
  const applied = await applyPlan(tx, tenant.id, {
    ground,
    planned,
    actor: run.requestedBy,
    runId: run.id,
    ids: deps.newId,
  });
  return finishWith(tx, run, ground, applied, { changes: applied.changes, notes: applied.notes, plannedAt: at });
}

/** What a sync that wrote, or found that there was nothing to write, comes to. */
const finishWith = (
  tx: Tx,
  run: SyncRun,
  { directory }: PlanInputs,
  outcome: PlanResult,
  more: Pick<RunResult, 'changes' | 'notes' | 'plannedAt'> = {},
): Promise<RunResult> => finish(tx, run, { ...toSucceededResult(directory, outcome), ...more });

/**
 * Everything is left as the last sync left it, because a person wanted it so.
 * @param rows of the list as it is now
 */
async function finishDismissed(
  tx: Tx,
  run: SyncRun,
  ground: PlanInputs,
  rows: PlanResult['rows'] | undefined,
): Promise<RunResult> {
  const last = toNothingNew((await findLastPlanResult(tx)) as PlanResult);
  const { counts } = last;
  return finishWith(tx, run, ground, {
    counts,
    rows: rows ?? last.rows,
    warnings: [{ code: 'plan_dismissed', licenseNumber: null }],
  });
}

/** Everything is as the last sync left it. */
function toNothingNew({ counts, ...rest }: PlanResult): PlanResult {
  const { created, updated, unchanged, archived, reactivated, conflicts } = counts;
  const companies = created + updated + unchanged + archived + reactivated;
  const none = { created: 0, updated: 0, archived: 0, reactivated: 0, adopted: 0, moved: 0 };
  return { ...rest, counts: { ...none, unchanged: companies, conflicts } };
}

/** What was asked for was changed meanwhile: another run does what is asked for now. */
async function supersede(
  { newId }: RunSyncDeps,
  tx: Tx,
  tenantId: string,
  { refresh, requestedBy, ...run }: SyncRun,
  strategy: Strategy,
): Promise<RunResult> {
  const reasonDetail = toReasonDetail('superseded');
  const result = await finish(tx, run, { status: 'superseded', reason: 'superseded', reasonDetail });
  await queueRun(tx, newId, tenantId, { trigger: 'superseded', mode: run.mode, refresh, strategy, requestedBy });
  return result;
}

async function finish(tx: Tx, run: Pick<SyncRun, 'id' | 'fence'>, result: RunResult): Promise<RunResult> {
  if (!(await finishRun(tx, run, result))) throw new RunLostError();
  return result;
}

/** For those who look on while the transaction is open: whether it is noted decides nothing. */
function noteStep(db: Db, tenantId: string, run: SyncRun, name: 'applying'): void {
  saveStep(db, tenantId, run, name).catch(() => undefined);
}

async function step(db: Db, tenantId: string, run: SyncRun, name: 'planning'): Promise<void> {
  if (!(await saveStep(db, tenantId, run, name))) throw new RunLostError();
}
