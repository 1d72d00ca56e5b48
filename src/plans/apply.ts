import type { Tx } from '../db/database.js';
import { toLicenseKey } from '../domain/key.js';
import type { SyncPlan } from '../mapping/index.js';
import { recordFirstSync } from '../modules/tenants/index.js';
import { saveConflicts } from './conflict-repository.js';
import type { PlanInputs } from './inputs.js';
import { toPlanNotes } from './items.js';
import { toRowCounts } from './make-plan.js';
import { savePlannedRows } from './rows-repository.js';
import { MAX_NOTES_STORED, type RunResult, toSucceededResult, toUnchangedCounts } from './run-result.js';
import type { RunWarning } from './settings.js';
import { getInputsRevision } from './settings-repository.js';
import { saveDecidedState, saveSyncState } from './state-repository.js';
import { addSteps, countSnapshot } from './totals.js';

export interface PlanToApply {
  readonly inputs: PlanInputs;
  readonly plan: SyncPlan;
  readonly actor: string;
  /** Null for a user's decision. */
  readonly runId: string | null;
  /** New ids, for conflicts. */
  readonly newId: () => string;
}

/** Applies a plan and records its inputs. The tenant must be locked, and its inputs must be those of the plan. */
export async function applyPlan(
  tx: Tx,
  tenantId: string,
  { inputs, plan, actor, runId, newId }: PlanToApply,
): Promise<RunResult> {
  const { versions, lastSync, part } = inputs;
  const isFirstSync = runId !== null && lastSync === undefined;
  const origin = { actor, runId };
  const changes = await savePlannedRows(tx, tenantId, plan, origin, isFirstSync ? 'started' : 'continued');
  const conflicts = { conflicts: plan.conflicts, ubiKeys: part?.scope.ubiKeys, runId };
  const counts = { ...plan.counts, conflicts: await saveConflicts(tx, tenantId, newId, conflicts) };
  const found = { counts, rows: toRowCounts(inputs, plan), warnings: toAllWarnings(inputs, plan) };
  const later = {
    ...found,
    counts: toUnchangedCounts(plan.companyCount, counts.conflicts),
    totals: addSteps(part?.totals ?? countSnapshot(inputs.snapshot), plan),
  };
  const revision =
    isFirstSync && changes !== undefined
      ? await recordFirstSync(tx, runId, changes.first)
      : await getInputsRevision(tx);
  if (runId === null) {
    // A decision is applied on top of the last sync. The next sync still finds the edits and the list's changes since then.
    if (lastSync !== undefined) {
      const isCurrent = lastSync.versions.revision === versions.revision;
      await saveDecidedState(tx, { ...lastSync.versions, ...(isCurrent ? { revision } : {}) }, later);
    }
  } else {
    await saveSyncState(tx, tenantId, { ...versions, revision }, later, part === undefined);
  }
  return { ...toSucceededResult(inputs, found), changes, notes: toPlanNotes(plan, MAX_NOTES_STORED) };
}

/** The plan's warnings, with those of the last sync about licenses outside of the plan. */
function toAllWarnings({ part, lastSync }: PlanInputs, { warnings }: SyncPlan): readonly RunWarning[] {
  if (part === undefined) return warnings;
  const { licenseKeys } = part.scope;
  const others = (lastSync?.warnings ?? []).filter(
    ({ licenseNumber }) => licenseNumber === null || !licenseKeys.has(toLicenseKey(licenseNumber)),
  );
  return [...others, ...warnings];
}
