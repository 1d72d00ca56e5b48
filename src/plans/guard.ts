import { exceedsGuard } from '../domain/guard.js';
import { createMessage, type Message, type ParamsOf } from '../domain/message.js';
import type { PlanImpact } from '../mapping/index.js';

/**
 * Describes why a plan must be reviewed: it affects too many of the tenant's active licenses, or renames too many of its
 * active companies. Undefined if it can be applied without review.
 * @param percent the allowed share; 100 disables the guard
 */
export function findGuardViolation(impact: PlanImpact, percent: number): Message | undefined {
  const { activeLicenses, removed, moved, activeCompanies, renamedCompanies, renamedLicenses } = impact;
  let params: ParamsOf<'too_many_changes'> = {};
  const violations: string[] = [];
  if (exceedsGuard(removed, activeLicenses, percent)) {
    params = { ...params, removed_licenses: removed, active_licenses: activeLicenses };
    violations.push(`${removed} of ${activeLicenses} licenses would become inactive`);
  }
  if (exceedsGuard(moved, activeLicenses, percent)) {
    params = { ...params, moved_licenses: moved, active_licenses: activeLicenses };
    violations.push(`${moved} of ${activeLicenses} licenses would move to another company`);
  }
  if (exceedsGuard(renamedCompanies, activeCompanies, percent)) {
    params = { ...params, renamed_companies: renamedCompanies, renamed_licenses: renamedLicenses };
    violations.push(`${renamedCompanies} companies of ${renamedLicenses} licenses would be renamed`);
  }
  if (violations.length === 0) return undefined;
  const text = `${violations.join(', ')}. Nothing was changed. Review the plan, then confirm or dismiss it.`;
  return createMessage('too_many_changes', params, text);
}
