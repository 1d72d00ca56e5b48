import { createHash } from 'node:crypto';
import type { Tx } from '../db/database.js';
import type { Strategy } from '../domain/strategy.js';
import { forEachYielding, runYielding, sortYielding, type Yielding } from '../domain/yielding.js';
import type { SyncPlan } from '../mapping/index.js';
import { type Lists, loadPlanInputs, type PlanInputs } from './inputs.js';
import { type PlanItem, toPlanItems } from './items.js';
import { makePlan, toRowCounts } from './make-plan.js';
import { type RunResult, toPlannedResult } from './run-result.js';
import { areInputsEqual, type InputVersions, type PlanSettings, type RunWarning } from './settings.js';

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

/** A plan to store for review, and what its run reports. */
export interface PlanToStore {
  readonly items: readonly PlanItem[];
  readonly result: Omit<RunResult, 'status'> & { readonly warnings: readonly RunWarning[] };
}

/** The result has the input versions and the digest that must be unchanged when the plan is applied. */
export async function toPlanToStore(inputs: PlanInputs, plan: SyncPlan, at: Date): Promise<PlanToStore> {
  const { counts, warnings } = plan;
  return {
    items: await runYielding(toPlanItems(plan, inputs.directory.skips)),
    result: {
      ...toPlannedResult(inputs, { counts, rows: toRowCounts(inputs, plan), warnings }),
      inputVersions: inputs.versions,
      planDigest: await runYielding(toPlanDigest(plan)),
      plannedAt: at,
    },
  };
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

/** Undefined if the inputs of the stored plan have changed. */
export const loadStoredInputs = async (
  tx: Tx,
  lists: Lists,
  settings: PlanSettings,
  { strategy, includeLabs, inputVersions }: StoredPlan,
): Promise<PlanInputs | undefined> =>
  inputVersions !== null && areInputsEqual(inputVersions, settings.versions)
    ? loadPlanInputs(tx, lists, { ...settings, strategy, includeLabs: includeLabs ?? settings.includeLabs })
    : undefined;

/** Undefined if planning again gives another plan. */
export async function reproducePlan(
  inputs: PlanInputs,
  { id, plannedAt, planDigest }: StoredPlan,
): Promise<SyncPlan | undefined> {
  if (plannedAt === null) return undefined;
  const plan = await makePlan(inputs, { runId: id, at: plannedAt });
  return (await runYielding(toPlanDigest(plan))) === planDigest ? plan : undefined;
}
