import { type Biotrack, BiotrackError } from '../../biotrack/index.js';
import { type Db, type Tx, withTenant } from '../../db/database.js';
import { isStorageUnavailable } from '../../db/sqlstate.js';
import type { FailureReason } from '../../domain/failure-reason.js';
import { Fault } from '../../domain/fault.js';
import type { SingleFlight } from '../../domain/single-flight.js';
import type { Strategy } from '../../domain/strategy.js';
import { MAPPING_VERSION, planSync } from '../../mapping/index.js';
import type { Vault } from '../../vault/index.js';
import { applyPlan, loadSnapshot, noteFirstSync } from '../companies/index.js';
import { type CreationPreference, findCreationPreference } from '../creation-preference/index.js';
import { getUsableCredential, LoginRefusedError, toLoginPorts, type UsableCredential } from '../credentials/index.js';
import {
  type Directories,
  type Directory,
  holdDirectory,
  ListShrunkError,
  selectListedLicenses,
} from '../directory/index.js';
import { getRevision, inLockedTenant, inTenant, type Tenant } from '../tenants/index.js';
import { findUbi, type Ubi } from '../ubi/index.js';
import { keepLease } from './lease.js';
import { findOutcomeOf, type Outcome, saveOutcome } from './outcome-repository.js';
import { toReasonDetail } from './reason-details.js';
import { claimRun, finishRun, type RunResult, releaseRun, type SyncRun, saveStep } from './repository.js';
import { queueRun } from './service.js';

export interface RunSyncDeps {
  readonly db: Db;
  readonly biotrack: Biotrack;
  readonly vault: Vault;
  readonly directories: Directories;
  readonly trials: SingleFlight<void>;
  readonly newId: () => string;
  readonly clock: () => Date;
  /** Aborted when this process is about to end: the run is handed over. */
  readonly shutdown: AbortSignal;
  readonly onFinished: (outcome: RunOutcome) => void;
}

/** For the log, once a run: the cause is for nobody else. */
export interface RunOutcome {
  readonly tenantId: string;
  readonly runId: string;
  readonly status: RunResult['status'] | 'handed_over';
  readonly reason: FailureReason | undefined;
  readonly cause: unknown;
}

/** A run that is taken up this often and never ends is broken, not unlucky. */
const MAX_ATTEMPTS = 5;

/** The run was taken over or has ended: nothing that this worker still wants to write counts. */
class RunLostError extends Error {}

/**
 * Works on a run until it has ended, if nobody else does. Fetches first, with no transaction open; then plans and
 * applies in one short transaction that is committed only by whoever still holds the run.
 * @throws what the database throws when even the failure cannot be written down: the run is taken over when its lease
 *   is over
 */
export async function runSync(deps: RunSyncDeps, tenantId: string, runId: string): Promise<void> {
  const { db, shutdown, onFinished } = deps;
  const run = await withTenant(db, tenantId, (tx) => claimRun(tx, runId));
  if (run === undefined) return;
  const tell = (status: RunOutcome['status'], reason?: FailureReason, cause?: unknown): void =>
    onFinished({ tenantId, runId, status, reason, cause });
  const lease = keepLease(db, tenantId, run, shutdown);
  try {
    if (run.attempt > MAX_ATTEMPTS) throw new RunFailure('interrupted');
    const status = await work(deps, tenantId, run, lease.signal);
    tell(status);
  } catch (error) {
    // Taken over by another worker, or its tenant was deleted: there is nothing left to say.
    if (error instanceof RunLostError || isTenantGone(error)) return;
    if (shutdown.aborted) {
      const isReleased = await withTenant(db, tenantId, (tx) => releaseRun(tx, tenantId, run));
      return isReleased ? tell('handed_over') : undefined;
    }
    if (lease.signal.aborted) return;
    const { reason, cause } = toFailure(error);
    const reasonDetail = error instanceof BiotrackError ? error.advice : toReasonDetail(reason);
    const isFinished = await withTenant(db, tenantId, (tx) =>
      finishRun(tx, run, { status: 'failed', reason, reasonDetail }),
    );
    // Not so if the answer to a commit was lost: then the row says what happened.
    if (isFinished) tell('failed', reason, cause);
  } finally {
    lease.stop();
  }
}

const isTenantGone = (error: unknown): boolean => error instanceof Fault && error.code === 'not_found';

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
  if (error instanceof Fault && error.code === 'credential_unreadable')
    return { reason: 'credential_unreadable', cause: error };
  if (error instanceof Fault && error.code === 'setup_incomplete')
    return { reason: 'credentials_missing', cause: undefined };
  if (error instanceof ListShrunkError) return { reason: 'list_shrunk', cause: error };
  if (isStorageUnavailable(error)) return { reason: 'storage_unavailable', cause: error };
  return { reason: 'internal', cause: error };
}

async function work(
  deps: RunSyncDeps,
  tenantId: string,
  run: SyncRun,
  signal: AbortSignal,
): Promise<RunResult['status']> {
  const { db, directories } = deps;
  const usable = await getUsableCredential(db, deps, tenantId);
  const asked = await inTenant(db, tenantId, (tx) => findCreationPreference(tx));
  const target = { state: usable.tenant.state, environment: usable.tenant.environment };
  await directories.ensureFresh(db, {
    target,
    login: usable.login,
    ...toLoginPorts(db, usable),
    includeLabs: asked?.includeLabs ?? false,
    force: run.refresh === 'force',
    signal,
  });
  await step(db, tenantId, run, 'planning');
  return inLockedTenant(db, tenantId, (tx, tenant) =>
    planAndApply(deps, tx, tenant, run, { ...usable, preferenceVersion: asked?.version }),
  );
}

/** All or nothing: what the plan says, the run's result, and the change rows. */
async function planAndApply(
  deps: RunSyncDeps,
  tx: Tx,
  tenant: Tenant,
  run: SyncRun,
  { tenant: asked, login, preferenceVersion }: UsableCredential & { readonly preferenceVersion: number | undefined },
): Promise<RunResult['status']> {
  const ubi = await findUbi(tx);
  const preference = await findCreationPreference(tx);
  if (ubi === undefined || preference === undefined) throw new RunFailure('superseded');
  const isMoved = tenant.state !== asked.state || tenant.environment !== asked.environment;
  const isChosenAnew = preference.strategy !== run.strategy || preference.version !== preferenceVersion;
  if (isMoved || isChosenAnew || ubi.ubiKey !== login.ubi) {
    return supersede(deps, tx, tenant.id, run, preference.strategy);
  }
  // It was there a moment ago, and nobody deletes directories.
  const directory = (await holdDirectory(tx, tenant.state, tenant.environment)) as Directory;
  const basis = {
    directoryVersion: directory.version,
    preferenceVersion: preference.version,
    ubiKey: ubi.ubiKey,
    mappingVersion: MAPPING_VERSION,
  };
  const known = await findOutcomeOf(tx, { ...basis, revision: await getRevision(tx) });
  const outcome =
    known === undefined
      ? await applyDirectory(deps, tx, tenant.id, run, directory, ubi, preference)
      : toNothingNew(known);
  if (known === undefined) await saveOutcome(tx, tenant.id, { ...basis, revision: await getRevision(tx) }, outcome);
  const { counts, rows, warnings } = outcome;
  const status = warnings.length + counts.conflicts === 0 ? 'succeeded' : 'succeeded_with_warnings';
  const { duplicateRows: duplicate, skippedRows: skipped, skips, version: directoryVersion } = directory;
  const { used, filtered } = rows;
  await finish(tx, run, {
    status,
    counts,
    // Duplicates and skipped rows come and go without a license changing: those are of the list as it is now.
    rows: { fetched: used + filtered + duplicate + skipped, used, filtered, duplicate, skipped },
    warnings,
    skips,
    directoryVersion,
  });
  return status;
}

async function applyDirectory(
  { newId, clock }: RunSyncDeps,
  tx: Tx,
  tenantId: string,
  run: SyncRun,
  directory: Directory,
  ubi: Ubi,
  { strategy, includeLabs }: CreationPreference,
): Promise<Outcome> {
  const listed = await selectListedLicenses(tx, directory.id);
  const snapshot = await loadSnapshot(tx, ubi.ubiKey);
  const plan = planSync({ listed, snapshot, strategy, includeLabs, at: clock().toISOString(), newId });
  await applyPlan(tx, tenantId, plan, { actor: run.requestedBy, runId: run.id });
  await noteFirstSync(tx);
  const { counts, warnings, notTaken } = plan;
  const filtered = notTaken.length;
  return { counts, warnings, rows: { used: listed.length - filtered, filtered } };
}

/** Everything is as the last sync left it. */
function toNothingNew({ counts, ...rest }: Outcome): Outcome {
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
): Promise<'superseded'> {
  await finish(tx, run, { status: 'superseded', reason: 'superseded', reasonDetail: toReasonDetail('superseded') });
  await queueRun(tx, newId, tenantId, { trigger: 'superseded', refresh, strategy, requestedBy });
  return 'superseded';
}

async function finish(tx: Tx, run: Pick<SyncRun, 'id' | 'fence'>, result: RunResult): Promise<void> {
  if (!(await finishRun(tx, run, result))) throw new RunLostError();
}

async function step(db: Db, tenantId: string, run: SyncRun, name: 'planning'): Promise<void> {
  const held = await withTenant(db, tenantId, (tx) => saveStep(tx, run, name));
  if (!held) throw new RunLostError();
}
