import { createIdSequence } from '../domain/id-sequence.js';
import type { SyncRows } from '../domain/sync-run.js';
import { runYielding } from '../domain/yielding.js';
import { planYielding, type SyncPlan } from '../mapping/index.js';
import type { PlanInputs } from './inputs.js';
import { addSteps } from './totals.js';

export interface PlanOrigin {
  /** New ids derive from this and `at`, so that the plan can be reproduced. */
  readonly runId: string;
  readonly at: Date;
}

export const makePlan = (
  { listed, snapshot, part, strategy, includeLabs }: PlanInputs,
  { runId, at }: PlanOrigin,
): Promise<SyncPlan> =>
  runYielding(
    planYielding({
      listed,
      snapshot,
      strategy,
      includeLabs,
      ...(part === undefined ? {} : { part }),
      at: at.toISOString(),
      newId: createIdSequence(runId, at.getTime()),
    }),
  );

/** Counts of the licenses in the whole directory. */
export function toRowCounts(
  { directory, listed, part }: PlanInputs,
  plan: SyncPlan,
): Pick<SyncRows, 'used' | 'filtered'> {
  if (part === undefined) {
    const filtered = plan.filtered.length;
    return { used: listed.length - filtered, filtered };
  }
  const { fetchedRows, duplicateRows, skippedRows } = directory;
  const used = addSteps(part.totals, plan).listedLicenses;
  return { used, filtered: fetchedRows - duplicateRows - skippedRows - used };
}
