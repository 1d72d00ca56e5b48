import { type Biotrack, BiotrackError } from '../../biotrack/index.js';
import { withTenant } from '../../db/database.js';
import type { FailureReason } from '../../domain/failure-reason.js';
import { toUserIdFromActor } from '../../domain/principal.js';
import type { SingleFlight } from '../../domain/single-flight.js';
import type { SyncCounts, SyncRows } from '../../domain/sync-run.js';
import type { RunResult } from '../../plans/index.js';
import type { Vault } from '../../vault/index.js';
import { findCreationPreference } from '../creation-preference/index.js';
import { getUsableCredential, hasOtherLogin, type LoginResult, toLoginPorts } from '../credentials/index.js';
import { DirectoryBusyError, ListShrunkError } from '../directory/index.js';
import { recordRunFailure } from '../schedules/index.js';
import { inTenantLockedByRun, isTenantGone } from '../tenants/index.js';
import { keepLease } from './lease.js';
import { type PlanRunDeps, planRun } from './plan-run.js';
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
import { RunFailure, RunLostError, toFailure, toOperatorDetail } from './run-error.js';
import { retryWhileStorageUnavailable } from './storage-retry.js';

export interface RunSyncDeps extends PlanRunDeps {
  readonly biotrack: Biotrack;
  readonly vault: Vault;
  readonly loginAttempts: SingleFlight<LoginResult>;
  readonly retryPolicy: RetryPolicy;
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

/**
 * Claims a run and executes it; returns at once if the run cannot be claimed. Fetches the directory and plans without an open
 * transaction, then applies the plan in one that commits only if this worker still holds the run.
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
    return await inTenantLockedByRun(db, tenantId, async (tx, tenant) => {
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

async function executeRun(deps: RunSyncDeps, tenantId: string, run: SyncRun, signal: AbortSignal): Promise<RunResult> {
  const { db, directories } = deps;
  let includeLabs = false;
  const usable = await getUsableCredential(db, deps, tenantId, {
    userId: toUserIdFromActor(run.requestedBy),
    async recordChoice(tx, { credential: { id, owner, secretVersion }, reason }) {
      if (!(await saveRunCredential(tx, run, { id, owner, secretVersion, reason }))) throw new RunLostError();
      includeLabs = (await findCreationPreference(tx))?.includeLabs ?? false;
    },
  });
  const { login, tenant } = usable;
  await directories.ensureFresh(db, {
    target: { state: tenant.state, environment: tenant.environment },
    ...toLoginPorts(db, deps, usable),
    includeLabs,
    force: run.refresh === 'force',
    rejectWhenBusy: true,
    signal,
  });
  if (!(await saveStep(db, tenantId, run, 'planning'))) throw new RunLostError();
  return planRun(deps, tenantId, run, { tenant, ubiKey: login.ubi, includeLabs });
}
