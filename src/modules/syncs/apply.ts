import { createHash } from 'node:crypto';
import type { Tx } from '../../db/database.js';
import { toLicenseKey } from '../../domain/key.js';
import type { ChangeRange, SyncCounts, SyncRows } from '../../domain/sync-run.js';
import { forEachYielding, runYielding, sortYielding, type Yielding } from '../../domain/yielding.js';
import { MAPPING_VERSION, type Scope, type SyncPlan } from '../../mapping/index.js';
import { recordFirstSync, savePlannedRows } from '../companies/index.js';
import { type CreationPreference, findCreationPreference } from '../creation-preference/index.js';
import { type Directory, lockDirectoryShared } from '../directory/index.js';
import { getRevision, type Tenant } from '../tenants/index.js';
import { findUbi, type Ubi } from '../ubi/index.js';
import { saveConflicts } from './conflict-repository.js';
import { deleteOldPlanItems, savePlanItems } from './plan-item-repository.js';
import { type PlanItem, type PlanNotes, toPlanItems, toPlanNotes } from './plan-items.js';
import {
  findLastPlanResult,
  type InputVersions,
  MAX_NOTES_STORED,
  type PlanResult,
  type RunWarning,
  saveDecisionResult,
  savePlanResult,
} from './plan-result-repository.js';
import type { PlanRequest, ScopedPlan } from './plan-tenant.js';
import type { RunResult } from './repository.js';

/** The inputs of a tenant's plan, as read in this transaction. */
export interface PlanInputs {
  readonly directory: Directory;
  readonly preference: CreationPreference;
  readonly ubi: Ubi;
  readonly versions: InputVersions;
}

/**
 * Undefined if the setup is incomplete or the state's list was never read. Locks the directory until the transaction
 * ends.
 * @param tenant as returned by this transaction's lock, and not changed since
 */
export async function findPlanInputs(
  tx: Tx,
  { state, environment, revision }: Tenant,
): Promise<PlanInputs | undefined> {
  const ubi = await findUbi(tx);
  const preference = await findCreationPreference(tx);
  const directory = await lockDirectoryShared(tx, state, environment);
  if (ubi === undefined || preference === undefined || directory === undefined) return undefined;
  const versions = {
    directoryVersion: directory.version,
    preferenceVersion: preference.version,
    ubiKey: ubi.ubiKey,
    mappingVersion: MAPPING_VERSION,
    revision,
  };
  return { directory, preference, ubi, versions };
}

export const toPlanRequest = (
  { directory, ubi }: PlanInputs,
  { strategy, includeLabs }: Pick<CreationPreference, 'strategy' | 'includeLabs'>,
  runId: string,
  at: Date,
): PlanRequest => ({ runId, at, directory, ownUbiKey: ubi.ubiKey, strategy, includeLabs });

/** Counts of the current list: its duplicate and skipped rows can change without any license changing. */
function toListResult(
  { fetchedRows: fetched, duplicateRows: duplicate, skippedRows: skipped, skips, version }: Directory,
  { rows: { used, filtered } }: { readonly rows: Pick<SyncRows, 'used' | 'filtered'> },
): Pick<RunResult, 'rows' | 'skips' | 'directoryVersion'> {
  return { rows: { fetched, used, filtered, duplicate, skipped }, skips, directoryVersion: version };
}

/**
 * The conflicts come first, because a run stores a limited number of warnings. A list of laboratories only concerns tenants
 * that include laboratories.
 */
function toRunWarnings(
  { directory, preference }: PlanInputs,
  { conflicts }: Pick<SyncCounts, 'conflicts'>,
  planWarnings: readonly RunWarning[],
): readonly RunWarning[] {
  const listWarnings = directory.warnings.filter(
    (warning) => preference.includeLabs || warning.code !== 'list_not_read' || warning.action !== 'sync_qa_lab',
  );
  const openConflicts = { code: 'open_conflicts', licenseNumber: null } as const;
  return [...(conflicts === 0 ? [] : [openConflicts]), ...listWarnings, ...planWarnings];
}

/** The result of a sync that applied changes or found none to apply. */
export function toSucceededResult(inputs: PlanInputs, { counts, rows, warnings: planWarnings }: PlanResult): RunResult {
  const { directory } = inputs;
  const warnings = toRunWarnings(inputs, counts, planWarnings);
  const status = warnings.length === 0 ? 'succeeded' : 'succeeded_with_warnings';
  const isMissingKept = warnings.some(({ code }) => code === 'missing_kept');
  return {
    ...toListResult(directory, { rows }),
    status,
    counts,
    warnings,
    // An operator can confirm that the licenses are gone.
    ...(isMissingKept && directory.refusedDigest !== null && { listDigest: directory.refusedDigest }),
  };
}

/** Buffers text because each `update` call has a fixed cost. */
const DIGEST_CHUNK_CHARS = 64 * 1024;

/** Plans with equal digests have the same effect. The order of their steps does not matter. */
export function* toPlanDigest({ companies, licenses, newVendorCompanies }: SyncPlan): Yielding<string> {
  const steps = yield* sortYielding([...companies, ...licenses], (a, b) => (a.after.id < b.after.id ? -1 : 1));
  const vendors = yield* sortYielding(newVendorCompanies, (a, b) => (a.ubiKey < b.ubiKey ? -1 : 1));
  const digest = createHash('sha256');
  let text = '';
  yield* forEachYielding(steps, ({ kind, after }) => {
    // `before` is omitted because the input versions are compared separately.
    text += JSON.stringify([kind, after]);
    if (text.length < DIGEST_CHUNK_CHARS) return;
    digest.update(text);
    text = '';
  });
  return digest.update(text + JSON.stringify(vendors)).digest('base64url');
}

export interface StoredPlan {
  readonly inputs: PlanInputs;
  readonly scopedPlan: ScopedPlan;
  readonly at: Date;
  /** Additional items to store with the plan. */
  readonly extraItems?: readonly PlanItem[];
}

/** Stores a plan for review, with the input versions and the digest that must be unchanged when it is applied. */
export async function storePlan(
  tx: Tx,
  tenantId: string,
  runId: string,
  { inputs, scopedPlan, at, extraItems = [] }: StoredPlan,
): Promise<Omit<RunResult, 'status' | 'warnings'> & { readonly warnings: readonly RunWarning[] }> {
  const { plan } = scopedPlan;
  await deleteOldPlanItems(tx);
  const items = await runYielding(toPlanItems(plan, inputs.directory.skips));
  await savePlanItems(tx, tenantId, runId, [...items, ...extraItems]);
  return {
    ...toListResult(inputs.directory, scopedPlan),
    counts: plan.counts,
    warnings: toRunWarnings(inputs, plan.counts, plan.warnings),
    inputVersions: inputs.versions,
    planDigest: await runYielding(toPlanDigest(plan)),
    plannedAt: at,
  };
}

export interface PlanToApply {
  readonly inputs: PlanInputs;
  readonly scopedPlan: ScopedPlan;
  readonly actor: string;
  readonly runId: string | null;
  /** New ids, for conflicts. */
  readonly newId: () => string;
}

export interface AppliedPlan extends PlanResult {
  readonly changes: ChangeRange | undefined;
  readonly notes: PlanNotes;
}

/** Applies a plan and records its inputs. The tenant must have been locked since before planning. */
export async function applyPlan(
  tx: Tx,
  tenantId: string,
  { inputs, scopedPlan, actor, runId, newId }: PlanToApply,
): Promise<AppliedPlan> {
  const { plan, scope, rows } = scopedPlan;
  const changes = await savePlannedRows(tx, tenantId, plan, { actor, runId });
  const conflicts = await saveConflicts(tx, tenantId, newId, {
    conflicts: plan.conflicts,
    ubiKeys: scope?.ubiKeys,
    runId,
  });
  await recordFirstSync(tx);
  const warnings: readonly RunWarning[] =
    scope === undefined ? plan.warnings : [...(await loadOtherWarnings(tx, scope)), ...plan.warnings];
  const result = { counts: { ...plan.counts, conflicts }, rows, warnings };
  const versions = { ...inputs.versions, revision: await getRevision(tx) };
  await savePlanResult(tx, tenantId, versions, result, scope === undefined);
  return { ...result, changes, notes: toPlanNotes(plan, MAX_NOTES_STORED) };
}

/**
 * Applies a user's decision. Changes of the state's list, the setup or the companies since the last sync are not
 * applied; the next sync still finds them.
 * @param inputs as they were before the decision was saved
 */
export async function applyDecision(
  tx: Tx,
  tenantId: string,
  { inputs, scopedPlan, actor, newId }: Omit<PlanToApply, 'runId'>,
): Promise<void> {
  const { plan, scope } = scopedPlan;
  await savePlannedRows(tx, tenantId, plan, { actor, runId: null });
  const conflicts = await saveConflicts(tx, tenantId, newId, {
    conflicts: plan.conflicts,
    ubiKeys: scope?.ubiKeys,
    runId: null,
  });
  await saveDecisionResult(tx, inputs.versions.revision, await getRevision(tx), { ...plan.counts, conflicts });
}

/** Warnings of the last sync about licenses outside this plan's scope. */
async function loadOtherWarnings(tx: Tx, { licenseKeys }: Scope): Promise<RunWarning[]> {
  const last = await findLastPlanResult(tx);
  return (last?.warnings ?? []).filter(
    ({ licenseNumber }) => licenseNumber === null || !licenseKeys.has(toLicenseKey(licenseNumber)),
  );
}
