import type { ListedLicense } from '../domain/listed-license.js';
import type { Strategy } from '../domain/strategy.js';
import { assignCompanies } from './assign-companies.js';
import { toNextCompanies } from './next-companies.js';
import { toNextLicenses } from './next-licenses.js';
import type { CompanyStep, LicenseStep, PlanImpact, SyncPlan } from './plan.js';
import type { LicenseState, Snapshot } from './snapshot.js';
import { toCompanyStep, toLicenseStep } from './steps.js';

export interface PlanInput {
  /** The whole directory, collated. A known license that is not in it has vanished. */
  readonly listed: readonly ListedLicense[];
  readonly snapshot: Snapshot;
  readonly strategy: Strategy;
  readonly includeLabs: boolean;
  /** The time of the run, RFC 3339. */
  readonly at: string;
  /** A new id at each call, in rising order. */
  readonly newId: () => string;
}

/**
 * From what the state lists and what the tenant has to what shall be done. Pure: the same input gives the same plan to
 * the byte, and a plan for what is already so has no steps.
 */
export function planSync({ listed, snapshot, strategy, includeLabs, at, newId }: PlanInput): SyncPlan {
  const next = toNextLicenses({ listed, known: snapshot.licenses, includeLabs, at });
  const assignment = assignCompanies(next.licenses, snapshot, strategy, newId);
  const nextCompanies = toNextCompanies({ licenses: assignment.licenses, snapshot, memory: assignment.memory, at });

  const companies = nextCompanies.flatMap(({ before, after }) => toCompanyStep(before, after) ?? []);
  const licenses = assignment.licenses.flatMap(({ before, after }) => toLicenseStep(before, after) ?? []);
  return {
    strategy,
    companies,
    licenses,
    newVendorCompanies: assignment.memory.newVendorCompanies,
    warnings: next.warnings,
    conflicts: assignment.conflicts,
    counts: {
      created: countOf(companies, 'company.created'),
      updated: countOf(companies, 'company.updated'),
      unchanged: nextCompanies.length - companies.length,
      archived: countOf(companies, 'company.archived'),
      reactivated: countOf(companies, 'company.reactivated'),
      adopted: assignment.adopted,
      moved: licenses.filter(isMove).length,
      conflicts: assignment.conflicts.length,
    },
    filtered: next.filtered,
    impact: toImpact(snapshot.licenses, companies, licenses),
  };
}

const countOf = (steps: readonly CompanyStep[], kind: CompanyStep['kind']): number =>
  steps.filter((step) => step.kind === kind).length;

const isMove = ({ before, after }: LicenseStep): boolean =>
  before !== undefined && before.companyId !== after.companyId;

function toImpact(
  known: readonly LicenseState[],
  companies: readonly CompanyStep[],
  licenses: readonly LicenseStep[],
): PlanImpact {
  return {
    activeLicenses: known.filter(({ active }) => active).length,
    removed: licenses.filter(({ before, after }) => before?.active === true && !after.active).length,
    moved: licenses.filter((step) => step.before?.active === true && isMove(step)).length,
    renamed: companies.filter(({ before, after }) => before !== undefined && before.sourceName !== after.sourceName)
      .length,
  };
}
