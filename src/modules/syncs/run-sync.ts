import { type Biotrack, BiotrackError } from '../../biotrack/index.js';
import { type Db, type Tx, withTenant } from '../../db/database.js';
import { isStorageUnavailable } from '../../db/sqlstate.js';
import type { FailureReason } from '../../domain/failure-reason.js';
import { toUserIdFromActor } from '../../domain/principal.js';
import { ServiceError } from '../../domain/service-error.js';
import type { SingleFlight } from '../../domain/single-flight.js';
import type { Strategy } from '../../domain/strategy.js';
import type { SyncCounts, SyncRows } from '../../domain/sync-run.js';
import {
  applyPlan,
  areInputsEqual,
  findGuardViolation,
  findPlanSettings,
  loadInputsSince,
  loadPlanInputs,
  makePlan,
  type PlanSettings,
  type RunResult,
  storePlan,
  toSucceededResult,
  toUnchangedTotals,
} from '../../plans/index.js';
import type { Vault } from '../../vault/index.js';
import { type CreationPreference, findCreationPreference } from '../creation-preference/index.js';
import {
  getUsableCredential,
  hasOtherLogin,
  LoginRefusedError,
  type LoginResult,
  toLoginPorts,
  type UsableCredential,
} from '../credentials/index.js';
import { DirectoryBusyError, type DirectoryService, ListShrunkError } from '../directory/index.js';
import { recordRunFailure, scheduleNextRun } from '../schedules/index.js';
import { inLockedTenant, isTenantGone, type Tenant } from '../tenants/index.js';
import { keepLease } from './lease.js';
import { mustOperatorAct, toReasonDetail, toUpstreamDetail } from './reason-details.js';
import {
  claimRun,
  findRun,
  findUsedLogin,
  finishRun,
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
  /**
   * A plan that affects more than this percentage of the tenant's licenses must be reviewed; 100 disables the guard.
   */
  readonly guardRemovalPercent: number;
  readonly syncIntervalSeconds: number;
  readonly retryPolicy: RetryPolicy;
  readonly clock: () => Date;
  /** Aborted when the process shuts down. The run is then requeued for another worker. */
  readonly shutdown: AbortSignal;
  readonly onFinished: (report: RunReport) => void;
  /**
   * `taken_over`: this worker claimed a run whose lease had expired. `fenced`: this worker lost the run, and its result
   * was discarded.
   */
  readonly onEvent: (event: 'taken_over' | 'fenced') => void;
}

/** For logs and metrics, once per attempt. `cause` is for the log only. */
export interface RunReport {
  readonly tenantId: string;
  readonly runId: string;
  readonly status: RunResult['status'] | 'handed_over' | 'retry_scheduled';
  readonly reason: FailureReason | undefined;
  readonly cause: unknown;
  readonly counts?: SyncCounts | undefined;
  readonly rows?: SyncRows | undefined;
}

/** The delay before a run is tried again if another process is already reading its state's list. */
const DIRECTORY_BUSY_DELAY_SECONDS = 3;

/** The run was taken over or has ended, so this worker must not write anything more. */
class RunLostError extends Error {}

/**
 * Claims a run and executes it; returns at once if the run cannot be claimed. Fetches the directory without an open
 * transaction, then plans and applies in one short transaction that commits only if this worker still holds the run.
 * @throws the database's error if not even the failure could be saved. Another worker takes over when the lease
 *   expires.
 */
export async function runSync(deps: RunSyncDeps, tenantId: string, runId: string): Promise<void> {
  const { db, shutdown, retryPolicy, onFinished, onEvent } = deps;
  const run = await withTenant(db, tenantId, (tx) => claimRun(tx, runId));
  if (run === undefined) return;
  const report = (status: RunReport['status'], reason?: FailureReason, cause?: unknown): void =>
    onFinished({ tenantId, runId, status, reason, cause });
  if (run.wasTakenOver) onEvent('taken_over');
  const lease = keepLease(db, tenantId, run, shutdown);
  try {
    if (run.attempt > retryPolicy.attempts) throw new RunFailure('interrupted');
    const { status, counts, rows } = await executeRun(deps, tenantId, run, lease.signal);
    onFinished({ tenantId, runId, status, reason: undefined, cause: undefined, counts, rows });
  } catch (error) {
    if (isTenantGone(error)) return;
    if (shutdown.aborted) {
      const isReleased = await withTenant(db, tenantId, (tx) => releaseRun(tx, tenantId, run));
      return isReleased ? report('handed_over') : undefined;
    }
    if (error instanceof RunLostError || lease.signal.aborted) {
      const current = await withTenant(db, tenantId, (tx) => findRun(tx, runId));
      if (current?.status === 'canceled') return report('canceled');
      return current === undefined ? undefined : onEvent('fenced');
    }
    if (error instanceof DirectoryBusyError)
      return withTenant(db, tenantId, (tx) => requeueWaitingRun(tx, run, DIRECTORY_BUSY_DELAY_SECONDS));
    const { reason, cause } = toFailure(error);
    const upstreamError = error instanceof BiotrackError ? error : undefined;
    const operatorDetail = toOperatorDetail(error);
    const needsOperator = upstreamError !== undefined && mustOperatorAct(upstreamError, run.attempt);
    const reasonDetail =
      upstreamError === undefined
        ? toReasonDetail(reason, error)
        : toUpstreamDetail(upstreamError, run.attempt, needsOperator);
    // Previews are not retried: their caller gets the failure at once.
    const seconds =
      run.mode === 'full' ? toRetryDelaySeconds(reason, run.attempt, retryPolicy, upstreamError) : undefined;
    if (seconds !== undefined) {
      const isScheduled = await retryWhileStorageUnavailable(lease.signal, () =>
        withTenant(db, tenantId, (tx) =>
          scheduleRetry(tx, run, {
            reason,
            reasonDetail,
            operatorDetail,
            needsOperator,
            seconds,
            isAttempt: upstreamError?.isHeldBack !== true,
          }),
        ),
      );
      return isScheduled ? report('retry_scheduled', reason, cause) : undefined;
    }
    // A much shorter list must be reviewed by an operator, except in a preview.
    const status: RunResult['status'] = reason === 'list_shrunk' && run.mode === 'full' ? 'needs_review' : 'failed';
    const result = {
      status,
      reason,
      reasonDetail,
      operatorDetail,
      needsOperator,
      ...(error instanceof ListShrunkError && { listDigest: error.digest }),
    };
    const isSaved = await retryWhileStorageUnavailable(lease.signal, () => saveFailure(deps, tenantId, run, result));
    // False if the run has ended after all, because only the response to a commit was lost.
    if (isSaved) report(status, reason, cause);
  } finally {
    lease.stop();
  }
}

/** Saves the final failure of a run. Returns false if the run was lost or its tenant was deleted. */
async function saveFailure(
  deps: RunSyncDeps,
  tenantId: string,
  run: SyncRun,
  result: RunResult & { readonly reason: FailureReason },
): Promise<boolean> {
  const { db } = deps;
  try {
    return await inLockedTenant(db, tenantId, async (tx, tenant) => {
      if ((await finishRun(tx, run, result)) === undefined) return false;
      if (run.mode === 'preview') return true;
      await recordRunFailure(tx, result.reason, async () =>
        hasOtherLogin(tx, deps, tenant, await findUsedLogin(tx, run.id)),
      );
      return true;
    });
  } catch (error) {
    if (isTenantGone(error)) return false;
    throw error;
  }
}

/** Ends a run without a result. */
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

/** BioTrack's own text, if it refused a call. */
function toOperatorDetail(error: unknown): string | undefined {
  if (error instanceof BiotrackError) return error.upstreamText?.reveal();
  return error instanceof LoginRefusedError ? (error.upstreamText ?? undefined) : undefined;
}

async function executeRun(deps: RunSyncDeps, tenantId: string, run: SyncRun, signal: AbortSignal): Promise<RunResult> {
  const { db, directories, syncIntervalSeconds } = deps;
  let preference: CreationPreference | undefined;
  const usable = await getUsableCredential(db, deps, tenantId, {
    userId: toUserIdFromActor(run.requestedBy),
    async recordChoice(tx, { credential: { id, owner, secretVersion }, reason }) {
      if (!(await saveRunCredential(tx, run, { id, owner, secretVersion, reason }))) throw new RunLostError();
      preference = await findCreationPreference(tx);
    },
  });
  const target = { state: usable.tenant.state, environment: usable.tenant.environment };
  await directories.ensureFresh(db, {
    target,
    ...toLoginPorts(db, deps, usable),
    includeLabs: preference?.includeLabs ?? false,
    force: run.refresh === 'force',
    rejectWhenBusy: true,
    signal,
  });
  if (!(await saveStep(db, tenantId, run, 'planning'))) throw new RunLostError();
  return inLockedTenant(db, tenantId, async (tx, tenant) => {
    const result = await planAndApply(deps, tx, tenant, run, { ...usable, preferenceVersion: preference?.version });
    const isSuccess = result.status === 'succeeded' || result.status === 'succeeded_with_warnings';
    if (isSuccess && run.mode === 'full') await scheduleNextRun(tx, tenantId, syncIntervalSeconds);
    return result;
  });
}

/** Plans and applies in the transaction of the caller, with the change rows and the run's result. */
async function planAndApply(
  deps: RunSyncDeps,
  tx: Tx,
  tenant: Tenant,
  run: SyncRun,
  {
    tenant: fetchedFor,
    login,
    preferenceVersion,
  }: UsableCredential & { readonly preferenceVersion: number | undefined },
): Promise<RunResult> {
  // Checked before the inputs are read: the list of the tenant's new state may never have been read.
  if (tenant.state !== fetchedFor.state || tenant.environment !== fetchedFor.environment) {
    const { strategy } = (await findCreationPreference(tx)) ?? run;
    return supersede(deps, tx, tenant.id, run, strategy);
  }
  const settings = await findPlanSettings(tx);
  if (settings === undefined) throw new RunFailure('superseded');
  const { strategy, ubiKey, versions } = settings;
  const hasPreferenceChanged = strategy !== run.strategy || versions.preferenceVersion !== preferenceVersion;
  if (hasPreferenceChanged || ubiKey !== login.ubi) return supersede(deps, tx, tenant.id, run, strategy);
  const at = deps.clock();
  const unchanged = run.mode === 'full' ? findUnchangedResult(settings) : undefined;
  if (unchanged !== undefined) return finish(tx, run, unchanged);
  const since = run.mode === 'full' ? findDeltaStart(settings) : undefined;
  const inputs =
    since === undefined
      ? await loadPlanInputs(tx, deps.directories, settings)
      : await loadInputsSince(tx, settings, since);
  const plan = await makePlan(inputs, { runId: run.id, at });
  if (run.mode === 'preview') {
    const result = await storePlan(tx, tenant.id, run.id, { inputs, plan, at });
    return finish(tx, run, { ...result, status: 'succeeded' });
  }
  const violation =
    tenant.firstSyncedAt === null ? undefined : findGuardViolation(plan.impact, deps.guardRemovalPercent);
  if (violation !== undefined) {
    const reasonDetail = `${violation}. Nothing was changed. Review the plan, then confirm or dismiss it.`;
    const result = await storePlan(tx, tenant.id, run.id, { inputs, plan, at });
    return finish(tx, run, { ...result, status: 'needs_review', reasonDetail });
  }
  saveStepInBackground(deps.db, tenant.id, run, 'applying');
  const { requestedBy: actor, id: runId } = run;
  const result = await applyPlan(tx, tenant.id, { inputs, plan, actor, runId, newId: deps.newId });
  return finish(tx, run, { ...result, plannedAt: at });
}

/** The result of a sync whose inputs are those of the last sync, or of a plan that a user dismissed. */
function findUnchangedResult(settings: PlanSettings): RunResult | undefined {
  const { lastSync, versions } = settings;
  if (lastSync === undefined) return undefined;
  const totals = toUnchangedTotals(lastSync);
  if (lastSync.isCompared && areInputsEqual(lastSync.versions, versions)) return toSucceededResult(settings, totals);
  const { dismissal } = lastSync;
  // Edits since the dismissal do not matter.
  if (dismissal === null || !areInputsEqual(dismissal, versions, 'revision')) return undefined;
  const warnings = [{ code: 'plan_dismissed' as const, licenseNumber: null }];
  return toSucceededResult(settings, { ...totals, rows: dismissal.rows, warnings });
}

/** The directory version of the last sync, if nothing but the directory has changed since: a delta plan starts from it. */
function findDeltaStart({ lastSync, versions }: PlanSettings): number | undefined {
  if (lastSync?.isCompared !== true || !areInputsEqual(lastSync.versions, versions, 'directoryVersion'))
    return undefined;
  const { directoryVersion } = lastSync.versions;
  return directoryVersion < versions.directoryVersion ? directoryVersion : undefined;
}

/** Ends a run whose setup changed meanwhile, and queues another one with the current setup. */
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
  if ((await finishRun(tx, run, result)) === undefined) throw new RunLostError();
  return result;
}

/** Shows the progress while the transaction is open. Errors are ignored because nothing depends on it. */
function saveStepInBackground(db: Db, tenantId: string, run: SyncRun, name: 'applying'): void {
  saveStep(db, tenantId, run, name).catch(() => undefined);
}
