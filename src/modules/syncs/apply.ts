import { createHash } from 'node:crypto';
import type { Tx } from '../../db/database.js';
import { toLicenseKey } from '../../domain/key.js';
import type { ChangeRange, SyncRows } from '../../domain/sync-run.js';
import { forEachYielding, runYielding, sortYielding, type Yielding } from '../../domain/yielding.js';
import { MAPPING_VERSION, type Scope, type SyncPlan } from '../../mapping/index.js';
import { recordFirstSync, savePlannedRows } from '../companies/index.js';
import { type CreationPreference, findCreationPreference } from '../creation-preference/index.js';
import { type Directory, holdDirectory } from '../directory/index.js';
import { getRevision, type Tenant } from '../tenants/index.js';
import { findUbi, type Ubi } from '../ubi/index.js';
import { saveConflicts } from './conflict-repository.js';
import { removeOldPlanItems, savePlanItems } from './plan-item-repository.js';
import { type PlanItem, type PlanNotes, toPlanItems, toPlanNotes } from './plan-items.js';
import {
  findLastPlanResult,
  type InputVersions,
  MAX_NOTES_KEPT,
  type PlanResult,
  type RunWarning,
  saveDecisionResult,
  savePlanResult,
} from './plan-result-repository.js';
import type { PlanRequest, ScopedPlan } from './plan-tenant.js';
import type { RunResult } from './repository.js';

/** What a tenant's plan stands on, as it is in this transaction. */
export interface PlanInputs {
  readonly directory: Directory;
  readonly preference: CreationPreference;
  readonly ubi: Ubi;
  readonly basis: InputVersions;
}

/**
 * Undefined: the set-up, or the state's list, is not there. The directory is held until the transaction ends.
 * @param tenant as this transaction locked it, and nothing of it was changed since
 */
export async function findPlanInputs(
  tx: Tx,
  { state, environment, revision }: Tenant,
): Promise<PlanInputs | undefined> {
  const ubi = await findUbi(tx);
  const preference = await findCreationPreference(tx);
  const directory = await holdDirectory(tx, state, environment);
  if (ubi === undefined || preference === undefined || directory === undefined) return undefined;
  const basis = {
    directoryVersion: directory.version,
    preferenceVersion: preference.version,
    ubiKey: ubi.ubiKey,
    mappingVersion: MAPPING_VERSION,
    revision,
  };
  return { directory, preference, ubi, basis };
}

export const toPlanRequest = (
  { directory, ubi }: PlanInputs,
  { strategy, includeLabs }: Pick<CreationPreference, 'strategy' | 'includeLabs'>,
  runId: string,
  at: Date,
): PlanRequest => ({ runId, at, directory, ownUbiKey: ubi.ubiKey, strategy, includeLabs });

/** The rows of the list as it is now: duplicates and skipped ones come and go without a license changing. */
function toListResult(
  { fetchedRows: fetched, duplicateRows: duplicate, skippedRows: skipped, skips, version }: Directory,
  { rows: { used, filtered } }: { readonly rows: Pick<SyncRows, 'used' | 'filtered'> },
): Pick<RunResult, 'rows' | 'skips' | 'directoryVersion'> {
  return { rows: { fetched, used, filtered, duplicate, skipped }, skips, directoryVersion: version };
}

/** What a sync comes to that wrote, or found that there was nothing to write. */
export function toSucceededResult(directory: Directory, { counts, rows, warnings }: PlanResult): RunResult {
  const status = warnings.length + counts.conflicts === 0 ? 'succeeded' : 'succeeded_with_warnings';
  return { ...toListResult(directory, { rows }), status, counts, warnings };
}

/** Each call costs as much as some kilobytes. */
const DIGESTED_AT_ONCE = 64 * 1024;

/** Of two plans with the same digest, carrying out one is carrying out the other; in whatever order they are told. */
export function* toPlanDigest({ companies, licenses, newVendorCompanies }: SyncPlan): Yielding<string> {
  const steps = yield* sortYielding([...companies, ...licenses], (a, b) => (a.after.id < b.after.id ? -1 : 1));
  const vendors = yield* sortYielding(newVendorCompanies, (a, b) => (a.ubiKey < b.ubiKey ? -1 : 1));
  const digest = createHash('sha256');
  let text = '';
  yield* forEachYielding(steps, ({ kind, after }) => {
    // A step is what it does; where it starts is the basis, which is compared by itself.
    text += JSON.stringify([kind, after]);
    if (text.length < DIGESTED_AT_ONCE) return;
    digest.update(text);
    text = '';
  });
  return digest.update(text + JSON.stringify(vendors)).digest('base64url');
}

export interface StoredPlan {
  readonly ground: PlanInputs;
  readonly planned: ScopedPlan;
  readonly at: Date;
  /** What else there is to say of it. */
  readonly remarks?: readonly PlanItem[];
}

/** Keeps a plan to be looked at, and what has to be still so when somebody wants it carried out. */
export async function storePlan(
  tx: Tx,
  tenantId: string,
  runId: string,
  { ground, planned, at, remarks = [] }: StoredPlan,
): Promise<Omit<RunResult, 'status'>> {
  const { plan } = planned;
  await removeOldPlanItems(tx);
  const items = await runYielding(toPlanItems(plan, ground.directory.skips));
  await savePlanItems(tx, tenantId, runId, [...items, ...remarks]);
  return {
    ...toListResult(ground.directory, planned),
    counts: plan.counts,
    warnings: plan.warnings,
    basis: ground.basis,
    planDigest: await runYielding(toPlanDigest(plan)),
    plannedAt: at,
  };
}

export interface PlanToApply {
  readonly ground: PlanInputs;
  readonly planned: ScopedPlan;
  readonly actor: string;
  readonly runId: string | null;
  /** New ids, for conflicts. */
  readonly ids: () => string;
}

export interface AppliedPlan extends PlanResult {
  readonly changes: ChangeRange | undefined;
  readonly notes: PlanNotes;
}

/** Applies a plan, and remembers what the companies were made from. The tenant must be locked since it was planned. */
export async function applyPlan(
  tx: Tx,
  tenantId: string,
  { ground, planned, actor, runId, ids }: PlanToApply,
): Promise<AppliedPlan> {
  const { plan, scope, rows } = planned;
  const changes = await savePlannedRows(tx, tenantId, plan, { actor, runId });
  const conflicts = await saveConflicts(tx, tenantId, ids, {
    conflicts: plan.conflicts,
    ubiKeys: scope?.ubiKeys,
    runId,
  });
  await recordFirstSync(tx);
  const warnings: readonly RunWarning[] =
    scope === undefined ? plan.warnings : [...(await loadOtherWarnings(tx, scope)), ...plan.warnings];
  const outcome = { counts: { ...plan.counts, conflicts }, rows, warnings };
  const basis = { ...ground.basis, revision: await getRevision(tx) };
  await savePlanResult(tx, tenantId, basis, outcome, scope === undefined);
  return { ...outcome, changes, notes: toPlanNotes(plan, MAX_NOTES_KEPT) };
}

/**
 * Applies what a person decided. What the state, the set-up or other persons changed since the last sync is as open as it
 * was: the next one still finds it.
 * @param ground as it was before the decision was kept
 */
export async function applyDecision(
  tx: Tx,
  tenantId: string,
  { ground, planned, actor, ids }: Omit<PlanToApply, 'runId'>,
): Promise<void> {
  const { plan, scope } = planned;
  await savePlannedRows(tx, tenantId, plan, { actor, runId: null });
  const conflicts = await saveConflicts(tx, tenantId, ids, {
    conflicts: plan.conflicts,
    ubiKeys: scope?.ubiKeys,
    runId: null,
  });
  await saveDecisionResult(tx, ground.basis.revision, await getRevision(tx), { ...plan.counts, conflicts });
}

/** What the last sync warned of, and this one did not look at again. */
async function loadOtherWarnings(tx: Tx, { licenseKeys }: Scope): Promise<RunWarning[]> {
  const last = await findLastPlanResult(tx);
  return (last?.warnings ?? []).filter(
    ({ licenseNumber }) => licenseNumber === null || !licenseKeys.has(toLicenseKey(licenseNumber)),
  );
}
