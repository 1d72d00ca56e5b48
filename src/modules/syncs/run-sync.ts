import type { Biotrack } from '../../biotrack/index.js';
import { withTenant } from '../../db/database.js';
import type { FailureReason } from '../../domain/failure-reason.js';
import { toUserIdFromActor } from '../../domain/principal.js';
import type { SingleFlight } from '../../domain/single-flight.js';
import type { SyncCounts, SyncRows } from '../../domain/sync-run.js';
import type { RunResult } from '../../plans/index.js';
import type { Vault } from '../../vault/index.js';
import { chooseLogin, hasOtherLogin, type LoginResult, openLogin, openSession } from '../credentials/index.js';
import { type DirectoryRequest, ListShrunkError } from '../directory/index.js';
import { recordRunFailure } from '../schedules/index.js';
import { inLockedTenant, isTenantGone } from '../tenants/index.js';
import {
  type ClaimedRun,
  claimRun,
  finishRun,
  releaseRun,
  requeueWaitingRun,
  saveRunCredential,
  saveStep,
  scheduleRetry,
} from './held-run-repository.js';
import { keepLease } from './lease.js';
import { type PlanRunDeps, planRun } from './plan-run.js';
import { findRun, type SyncRun } from './repository.js';
import type { RetryPolicy } from './retry-policy.js';
import { type Failure, type RunEnding, RunFailure, RunLostError, toEnding } from './run-ending.js';
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

/** A run checks a login that was last checked so long ago: with hourly runs, each login is checked at least daily. */
export const LOGIN_SECONDS = 22 * 60 * 60;

/** The delay before a waiting run is tried again. */
const WAIT_SECONDS = 3;

/**
 * Claims a run and executes it; returns at once if the run cannot be claimed. Fetches the directory and plans without an open
 * transaction, then applies the plan in one that commits only if this worker still holds the run.
 * @throws the database's error if not even the failure could be saved. Another worker takes over when the lease
 *   expires.
 */
export async function runSync(deps: RunSyncDeps, tenantId: string, runId: string): Promise<void> {
  const { db, shutdown, retryPolicy, onFinished, onEvent } = deps;
  const run = await claimRun(db, tenantId, runId);
  if (run === undefined) return;
  if (run.wasTakenOver) onEvent('taken_over');
  const lease = keepLease(db, tenantId, run, shutdown);
  try {
    if (run.attempt > retryPolicy.attempts) throw new RunFailure('interrupted');
    const { status, reason, counts, rows } = await executeRun(deps, tenantId, run, lease.signal);
    onFinished({ tenantId, runId, status, reason, cause: undefined, counts, rows });
  } catch (error) {
    const { signal } = lease;
    const context = { isStopping: shutdown.aborted, hasLostLease: signal.aborted, retryPolicy };
    await recordEnding(deps, tenantId, run, toEnding(error, run, context), signal);
  } finally {
    deps.largePlans.leave(run.id);
    lease.stop();
  }
}

/** Chooses a login, refreshes the directory with it, then plans and records. */
async function executeRun(
  deps: RunSyncDeps,
  tenantId: string,
  run: ClaimedRun,
  signal: AbortSignal,
): Promise<RunResult> {
  const { db, directories } = deps;
  const chosen = await chooseLogin(db, deps, tenantId, toUserIdFromActor(run.requestedBy));
  if (!(await saveRunCredential(db, tenantId, run, chosen))) throw new RunLostError();
  const usable = await openLogin(db, deps, chosen, LOGIN_SECONDS);
  const { login, tenant } = usable;
  const isOther = usable.credential.id !== chosen.credential.id;
  if (isOther && !(await saveRunCredential(db, tenantId, run, usable))) throw new RunLostError();
  const includeLabs = run.readsLabs;
  const request: DirectoryRequest = {
    target: { state: tenant.state, environment: tenant.environment },
    openSession: () => openSession(db, deps, usable, signal),
    includeLabs,
    force: run.refresh === 'force',
    rejectWhenBusy: true,
    signal,
  };
  const refused = await directories.ensureFresh(db, request).then(() => undefined, toListShrunkError);
  if (!(await saveStep(db, tenantId, run, 'planning'))) throw new RunLostError();
  return planRun(deps, tenantId, run, { tenant, ubiKey: login.ubi, includeLabs, refused });
}

function toListShrunkError(error: unknown): ListShrunkError {
  if (error instanceof ListShrunkError) return error;
  throw error;
}

async function recordEnding(
  deps: RunSyncDeps,
  tenantId: string,
  run: SyncRun,
  ending: RunEnding,
  lease: AbortSignal,
): Promise<void> {
  const { db, onFinished, onEvent } = deps;
  const report = (status: RunReport['status'], failure?: Failure): void =>
    onFinished({ tenantId, runId: run.id, status, reason: failure?.reason, cause: failure?.cause });
  switch (ending.kind) {
    case 'gone':
      return;
    case 'hand_over':
      if (await withTenant(db, tenantId, (tx) => releaseRun(tx, tenantId, run))) report('handed_over');
      return;
    case 'lost': {
      const current = await withTenant(db, tenantId, (tx) => findRun(tx, run.id));
      if (current?.status === 'canceled') report('canceled');
      else if (current !== undefined) onEvent('fenced');
      return;
    }
    case 'wait':
      return withTenant(db, tenantId, (tx) => requeueWaitingRun(tx, run, WAIT_SECONDS));
    case 'retry': {
      const isScheduled = await retryWhileStorageUnavailable(lease, () =>
        withTenant(db, tenantId, (tx) => scheduleRetry(tx, run, ending)),
      );
      if (isScheduled) report('retry_scheduled', ending.failure);
      return;
    }
    case 'fail': {
      const isSaved = await retryWhileStorageUnavailable(lease, () => saveFailure(deps, tenantId, run, ending));
      // False if the run has ended after all, because only the response to a commit was lost.
      if (isSaved) report('failed', ending.failure);
    }
  }
}

/** Saves the final failure of a run. Returns false if the run was lost or its tenant was deleted. */
async function saveFailure(
  deps: RunSyncDeps,
  tenantId: string,
  run: SyncRun,
  { failure }: RunEnding & { readonly kind: 'fail' },
): Promise<boolean> {
  const { refused, cause: _, ...columns } = failure;
  try {
    if (refused !== undefined) await saveRunCredential(deps.db, tenantId, run, refused);
    return await inLockedTenant(
      deps.db,
      tenantId,
      async (tx, tenant) => {
        if ((await finishRun(tx, run, { status: 'failed', ...columns })) === undefined) return false;
        if (run.mode === 'full')
          await recordRunFailure(tx, failure.reason, () => hasOtherLogin(tx, deps, tenant, refused?.credential));
        return true;
      },
      'run',
    );
  } catch (error) {
    if (isTenantGone(error)) return false;
    throw error;
  }
}
