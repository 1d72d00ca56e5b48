import { exceedsGuard } from '../domain/guard.js';
import type { PlanImpact } from '../mapping/index.js';

const EFFECTS = {
  removed: 'would become inactive',
  moved: 'would move to another company',
  renamed: 'would have their company renamed',
} as const;

/**
 * Describes why a plan must be reviewed: it affects too many of the tenant's active licenses. Undefined if it can be
 * applied without review.
 * @param percent the allowed share of the active licenses; 100 disables the guard
 */
export function findGuardViolation(impact: PlanImpact, percent: number): string | undefined {
  const violations = (['removed', 'moved', 'renamed'] as const)
    .filter((kind) => exceedsGuard(impact[kind], impact.activeLicenses, percent))
    .map((kind) => `${impact[kind]} of ${impact.activeLicenses} licenses ${EFFECTS[kind]}`);
  return violations.length === 0 ? undefined : violations.join(', ');
}
