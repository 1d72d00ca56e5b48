import { createIdSequence } from '../domain/id-sequence.js';
import type { SyncRows } from '../domain/sync-run.js';
import { runYielding } from '../domain/yielding.js';
import { planYielding, type SyncPlan } from '../mapping/index.js';
import type { PlanInputs } from './inputs.js';

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
export function toRowCounts({ listed, part }: PlanInputs, plan: SyncPlan): Pick<SyncRows, 'used' | 'filtered'> {
  if (part === undefined) {
    const filtered = plan.filtered.length;
    return { used: listed.length - filtered, filtered };
  }
  const used = part.knownListed + countListedDifference(plan);
  return { used, filtered: part.directoryListed - used };
}

/** By how many the plan changes the number of licenses that are both listed and known. */
function countListedDifference({ licenses }: SyncPlan): number {
  const toCount = (license: SyncPlan['licenses'][number]['before']): number =>
    license !== undefined && license.missingSinceDatetime === null && license.contentHash !== '' ? 1 : 0;
  return licenses.reduce((sum, { before, after }) => sum + toCount(after) - toCount(before), 0);
}
