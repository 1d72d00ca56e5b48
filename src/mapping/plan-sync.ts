import type { ListedLicense } from '../domain/listed-license.js';
import type { Strategy } from '../domain/strategy.js';
import { filterMapYielding, forEachYielding, runToCompletion, type Yielding } from '../domain/yielding.js';
import { assignCompanies } from './assign-companies.js';
import { setDisplayNames, toNextCompanies } from './next-companies.js';
import { toNextLicenses } from './next-licenses.js';
import type { CompanyStep, LicenseCounts, LicenseStep, PlanImpact, SyncPlan } from './plan.js';
import type { LicenseState, Namesakes, Snapshot } from './snapshot.js';
import { toCompanyStep, toLicenseStep } from './steps.js';

export interface PlanInput {
  /** The whole directory, each license once, in any order. Known licenses that are not in it become missing. */
  readonly listed: readonly ListedLicense[];
  readonly snapshot: Snapshot;
  /** Set if `listed` and `snapshot` are only the part of the tenant that a change can affect. */
  readonly part?: PlanPart;
  readonly strategy: Strategy;
  readonly includeLabs: boolean;
  /** The time of the run, RFC 3339. */
  readonly at: string;
  /** Returns a new id on each call, in ascending order. */
  readonly newId: () => string;
}

/** What a delta plan needs to know about the rest of the tenant, which it does not change. */
export interface PlanPart {
  /** Name groups whose active companies are all in the snapshot or in `namesakes`. Display names of others are kept. */
  readonly nameGroups: ReadonlySet<string>;
  /** Active companies of which only the display name can change. */
  readonly namesakes: Namesakes;
  /** Companies of the tenant that are neither in the snapshot nor in `namesakes`. */
  readonly otherCompanies: number;
  /** Those of them that are not archived. */
  readonly otherActiveCompanies: number;
  readonly otherActiveLicenses: number;
}

/**
 * Plans the changes that bring a tenant in line with the state's list. Pure: the same input returns exactly the same
 * plan, and planning again after applying it returns no steps.
 */
export const planSync = (input: PlanInput): SyncPlan => runToCompletion(planYielding(input));

/** The same as `planSync`, for large tenants. */
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
    strategy,
    at,
    nameGroups: part?.nameGroups,
    namesakes: part?.namesakes,
  });

  const companies = yield* filterMapYielding(nextCompanies, ({ before, after }) => toCompanyStep(before, after));
  const licenses = yield* filterMapYielding(assignment.licenses, ({ before, after }) => toLicenseStep(before, after));
  const companyCount = nextCompanies.length + (part?.otherCompanies ?? 0);
  const changed = new Set([...companies.map(({ after }) => after.id), ...adoptions.map(({ companyId }) => companyId)]);
  return {
    strategy,
    includeLabs,
    companies,
    licenses,
    newVendorCompanies: memory.newVendorCompanies,
    adoptions,
    warnings: next.warnings,
    conflicts,
    filtered: next.filtered,
    counts: {
      created: countOf(companies, 'company.created'),
      updated: countOf(companies, 'company.updated'),
      unchanged: companyCount - changed.size,
      archived: countOf(companies, 'company.archived'),
      reactivated: countOf(companies, 'company.reactivated'),
      adopted: adoptions.length,
      ...(yield* countLicenses(licenses)),
      conflicts: conflicts.length,
    },
    companyCount,
    decisions: snapshot.decisions,
    impact: yield* toImpact(snapshot, companies, licenses, part),
  };
}

/**
 * Plans the display names after a user renamed or added companies.
 * @param namesakes the current companies, with all active companies of their name groups
 */
export const planNames = (namesakes: Namesakes): CompanyStep[] =>
  setDisplayNames(namesakes).flatMap(({ before, after }) => toCompanyStep(before, after) ?? []);

const countOf = (steps: readonly CompanyStep[], kind: CompanyStep['kind']): number =>
  steps.filter((step) => step.kind === kind).length;

const isMove = ({ before, after }: LicenseStep): boolean =>
  before !== undefined && before.companyId !== after.companyId;

function* countLicenses(steps: readonly LicenseStep[]): Yielding<LicenseCounts> {
  const counts = { licensesCreated: 0, licensesUpdated: 0, licensesDeactivated: 0, licensesReactivated: 0, moved: 0 };
  yield* forEachYielding(steps, (step) => {
    const { before, after } = step;
    if (before === undefined) counts.licensesCreated += 1;
    else if (before.active && !after.active) counts.licensesDeactivated += 1;
    else if (!before.active && after.active) counts.licensesReactivated += 1;
    else if (isUpdated(before, after)) counts.licensesUpdated += 1;
    if (isMove(step)) counts.moved += 1;
  });
  return counts;
}

const isUpdated = (before: LicenseState, after: LicenseState): boolean =>
  before.contentHash !== after.contentHash ||
  before.ubi !== after.ubi ||
  before.missingSinceDatetime !== after.missingSinceDatetime;

function* toImpact(
  snapshot: Pick<Snapshot, 'companies' | 'licenses'>,
  companies: readonly CompanyStep[],
  licenses: readonly LicenseStep[],
  part: PlanPart | undefined,
): Yielding<PlanImpact> {
  const movedKeys = new Set<string>();
  const renamedCompanies = new Set<string>();
  let [removed, moved] = [0, 0];
  yield* forEachYielding(licenses, (step) => {
    if (isMove(step)) movedKeys.add(step.after.licenseKey);
    if (step.before?.active !== true) return;
    if (!step.after.active) removed += 1;
    if (isMove(step)) moved += 1;
  });
  yield* forEachYielding(companies, ({ before, after }) => {
    if (before?.archivedDatetime === null && before.sourceName !== after.sourceName) renamedCompanies.add(after.id);
  });
  let activeCompanies = (part?.otherActiveCompanies ?? 0) + (part?.namesakes.companies.length ?? 0);
  yield* forEachYielding(snapshot.companies, ({ archivedDatetime }) => {
    if (archivedDatetime === null) activeCompanies += 1;
  });
  let [activeLicenses, renamedLicenses] = [part?.otherActiveLicenses ?? 0, 0];
  yield* forEachYielding(snapshot.licenses, ({ active, companyId, licenseKey }) => {
    if (!active) return;
    activeLicenses += 1;
    // Only licenses that stay: those that moved are counted as moved.
    if (renamedCompanies.has(companyId) && !movedKeys.has(licenseKey)) renamedLicenses += 1;
  });
  return { activeLicenses, removed, moved, activeCompanies, renamedCompanies: renamedCompanies.size, renamedLicenses };
}
