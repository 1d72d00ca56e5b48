import type { ListedLicense } from '../domain/listed-license.js';
import type { Strategy } from '../domain/strategy.js';
import { filterMapYielding, forEachYielding, runToCompletion, type Yielding } from '../domain/yielding.js';
import { assignCompanies } from './assign-companies.js';
import { setDisplayNames, toNextCompanies } from './next-companies.js';
import { toNextLicenses } from './next-licenses.js';
import type { CompanyStep, LicenseStep, PlanImpact, SyncPlan } from './plan.js';
import type { CompanyState, LicenseState, Snapshot } from './snapshot.js';
import { toCompanyStep, toLicenseStep } from './steps.js';

export interface PlanInput {
  /** The whole directory, each license once, in any order. A known license that is not in it has vanished. */
  readonly listed: readonly ListedLicense[];
  readonly snapshot: Snapshot;
  /** Directory and snapshot are a part of the whole, which holds all that a change can touch. */
  readonly part?: PlanPart;
  readonly strategy: Strategy;
  readonly includeLabs: boolean;
  /** The time of the run, RFC 3339. */
  readonly at: string;
  /** A new id at each call, in rising order. */
  readonly newId: () => string;
}

/** What a delta plan has to know of the rest of the tenant, which it leaves alone. */
export interface PlanPart {
  /** The groups whose active companies are all known: in the part or among the namesakes. Others keep their names. */
  readonly nameGroups: ReadonlySet<string>;
  /** Active companies that nothing but a namesake happens to, with their active licenses. */
  readonly namesakes: Pick<Snapshot, 'companies' | 'licenses'>;
  /** What the tenant has beside the part, and of companies beside the namesakes. */
  readonly otherCompanies: number;
  readonly otherActiveLicenses: number;
}

/**
 * From what the state lists and what the tenant has to what shall be done. Pure: the same input gives the same plan to
 * the byte, and a plan for what is already so has no steps.
 */
export const planSync = (input: PlanInput): SyncPlan => runToCompletion(planYielding(input));

/** The same, to be done step by step: a hundred thousand licenses take their time. */
export function* planYielding(input: PlanInput): Yielding<SyncPlan> {
  const { listed, snapshot, strategy, includeLabs, at, newId, part } = input;
  const next = yield* toNextLicenses({ listed, known: snapshot.licenses, includeLabs, at });
  const assignment = yield* assignCompanies(next.licenses, snapshot, strategy, newId);
  const { memory, conflicts } = assignment;
  const manual = new Set(snapshot.companies.flatMap(({ id, origin }) => (origin === 'manual' ? id : [])));
  const adoptions = memory.newVendorCompanies.filter(({ companyId }) => manual.has(companyId));
  const nextCompanies = yield* toNextCompanies({
    licenses: assignment.licenses,
    snapshot,
    memory,
    at,
    nameGroups: part?.nameGroups,
    namesakes: part?.namesakes,
  });

  const companies = yield* filterMapYielding(nextCompanies, ({ before, after }) => toCompanyStep(before, after));
  const licenses = yield* filterMapYielding(assignment.licenses, ({ before, after }) => toLicenseStep(before, after));
  return {
    strategy,
    includeLabs,
    companies,
    licenses,
    newVendorCompanies: memory.newVendorCompanies,
    adoptions,
    warnings: next.warnings,
    conflicts,
    notTaken: next.notTaken,
    counts: {
      created: countOf(companies, 'company.created'),
      updated: countOf(companies, 'company.updated'),
      unchanged: nextCompanies.length - companies.length + (part?.otherCompanies ?? 0),
      archived: countOf(companies, 'company.archived'),
      reactivated: countOf(companies, 'company.reactivated'),
      adopted: adoptions.length,
      moved: licenses.filter(isMove).length,
      conflicts: conflicts.length,
    },
    decisions: snapshot.decisions,
    impact: yield* toImpact(snapshot.licenses, companies, licenses, part?.otherActiveLicenses ?? 0),
  };
}

/**
 * What becomes of display names when a person renames or adds companies.
 * @param companies as they are now, with all active companies of their name groups
 * @param licenses the active licenses of these companies
 */
export const planNames = (companies: readonly CompanyState[], licenses: readonly LicenseState[]): CompanyStep[] =>
  setDisplayNames(companies, licenses).flatMap(({ before, after }) => toCompanyStep(before, after) ?? []);

const countOf = (steps: readonly CompanyStep[], kind: CompanyStep['kind']): number =>
  steps.filter((step) => step.kind === kind).length;

const isMove = ({ before, after }: LicenseStep): boolean =>
  before !== undefined && before.companyId !== after.companyId;

function* toImpact(
  known: readonly LicenseState[],
  companies: readonly CompanyStep[],
  licenses: readonly LicenseStep[],
  otherActiveLicenses: number,
): Yielding<PlanImpact> {
  const gone = new Set<string>();
  const renamedCompanies = new Set<string>();
  let [activeLicenses, removed, moved, renamed] = [otherActiveLicenses, 0, 0, 0];
  yield* forEachYielding(licenses, (step) => {
    if (isMove(step)) gone.add(step.after.licenseKey);
    if (step.before?.active !== true) return;
    if (!step.after.active) removed += 1;
    if (isMove(step)) moved += 1;
  });
  yield* forEachYielding(companies, ({ before, after }) => {
    if (before !== undefined && before.sourceName !== after.sourceName) renamedCompanies.add(after.id);
  });
  yield* forEachYielding(known, ({ active, companyId, licenseKey }) => {
    if (!active) return;
    activeLicenses += 1;
    // Those that stay: that a company is called otherwise because others left or joined it is told by their moves.
    if (renamedCompanies.has(companyId) && !gone.has(licenseKey)) renamed += 1;
  });
  return { activeLicenses, removed, moved, renamed };
}
