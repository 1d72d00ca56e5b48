import { createHash } from 'node:crypto';
import type { Tx } from '../db/database.js';
import type { Strategy } from '../domain/strategy.js';
import { forEachYielding, runYielding, sortYielding, type Yielding } from '../domain/yielding.js';
import type { SyncPlan } from '../mapping/index.js';
import { type Lists, loadPlanInputs, type PlanInputs } from './inputs.js';
import { deleteOldPlanItems, savePlanItems } from './item-repository.js';
import { type PlanItem, toPlanItems } from './items.js';
import { makePlan, toRowCounts } from './make-plan.js';
import { type RunResult, toPlannedResult } from './run-result.js';
import { areInputsEqual, type InputVersions, type PlanSettings } from './settings.js';

/** Buffers text because each `update` call has a fixed cost. */
const DIGEST_CHUNK_CHARS = 64 * 1024;

/** Plans with equal digests have the same effect. The order of their steps does not matter. */
function* toPlanDigest({ companies, licenses, newVendorCompanies }: SyncPlan): Yielding<string> {
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

export interface PlanToStore {
  readonly inputs: PlanInputs;
  readonly plan: SyncPlan;
  readonly at: Date;
  /** Additional items to store with the plan. */
  readonly extraItems?: readonly PlanItem[];
}

/** Stores a plan for review, with the input versions and the digest that must be unchanged when it is applied. */
export async function storePlan(
  tx: Tx,
  tenantId: string,
  runId: string,
  { inputs, plan, at, extraItems = [] }: PlanToStore,
) {
  await deleteOldPlanItems(tx);
  const items = await runYielding(toPlanItems(plan, inputs.directory.skips));
  await savePlanItems(tx, tenantId, runId, [...items, ...extraItems]);
  const { counts, warnings } = plan;
  return {
    ...toPlannedResult(inputs, { counts, rows: toRowCounts(inputs, plan), warnings }),
    inputVersions: inputs.versions,
    planDigest: await runYielding(toPlanDigest(plan)),
    plannedAt: at,
  } satisfies Omit<RunResult, 'status'>;
}

/** A run with a stored plan. */
export interface StoredPlan {
  readonly id: string;
  readonly strategy: Strategy;
  /** Null: the value of the settings. */
  readonly includeLabs: boolean | null;
  readonly plannedAt: Date | null;
  readonly inputVersions: InputVersions | null;
  readonly planDigest: string | null;
}

/** Reproduces a stored plan. Undefined if its inputs changed or the plan differs. */
export async function reproducePlan(
  tx: Tx,
  lists: Lists,
  settings: PlanSettings,
  { id, strategy, includeLabs, plannedAt, inputVersions, planDigest }: StoredPlan,
): Promise<{ readonly inputs: PlanInputs; readonly plan: SyncPlan } | undefined> {
  if (plannedAt === null || !areInputsEqual(inputVersions ?? {}, settings.versions)) return undefined;
  const inputs = await loadPlanInputs(tx, lists, {
    ...settings,
    strategy,
    includeLabs: includeLabs ?? settings.includeLabs,
  });
  const plan = await makePlan(inputs, { runId: id, at: plannedAt });
  return (await runYielding(toPlanDigest(plan))) === planDigest ? { inputs, plan } : undefined;
}
