import { exceedsGuard } from '../domain/guard.js';
import type { PlanImpact } from '../mapping/index.js';

/**
 * Describes why a plan must be reviewed: it affects too many of the tenant's active licenses, or renames too many of its
 * active companies. Undefined if it can be applied without review.
 * @param percent the allowed share; 100 disables the guard
 */
export function findGuardViolation(impact: PlanImpact, percent: number): string | undefined {
  const { activeLicenses, removed, moved, activeCompanies, renamedCompanies, renamedLicenses } = impact;
  const violations: string[] = [];
  if (exceedsGuard(removed, activeLicenses, percent)) {
    violations.push(`${removed} of ${activeLicenses} licenses would become inactive`);
  }
  if (exceedsGuard(moved, activeLicenses, percent)) {
    violations.push(`${moved} of ${activeLicenses} licenses would move to another company`);
  }
  if (exceedsGuard(renamedCompanies, activeCompanies, percent)) {
    violations.push(`${renamedCompanies} companies of ${renamedLicenses} licenses would be renamed`);
  }
  return violations.length === 0 ? undefined : violations.join(', ');
}
