import type { Strategy } from '../domain/strategy.js';
import { forEachYielding, mapYielding, runToCompletion, type Yielding } from '../domain/yielding.js';
import type { AssignedLicense } from './assign-companies.js';
import { compareAge, compareText } from './compare.js';
import { type Nameable, toDisplayNames, toNameGroup } from './display-names.js';
import type { Memory } from './memory.js';
import type { CompanyState, LicenseState, Namesakes, NamingLicense, Snapshot, VendorDecision } from './snapshot.js';

/** A company before and after the plan. */
export interface NextCompany {
  readonly before: CompanyState | undefined;
  readonly after: CompanyState;
}

export interface NextCompaniesInput {
  readonly licenses: readonly AssignedLicense[];
  readonly snapshot: Snapshot;
  readonly memory: Memory;
  readonly strategy: Strategy;
  readonly at: string;
  /** Name groups whose companies are all loaded; undefined means all groups. */
  readonly nameGroups: ReadonlySet<string> | undefined;
  /** Companies of which only the display names can change. */
  readonly namesakes: Namesakes | undefined;
}

/** Plans every company of the tenant from the licenses it holds. */
export function* toNextCompanies(input: NextCompaniesInput): Yielding<NextCompany[]> {
  const { licenses, snapshot, memory, strategy, at, nameGroups, namesakes } = input;
  const assigned = yield* mapYielding(licenses, ({ after }) => after);
  const held = yield* groupByCompany(assigned, ({ active }) => active);
  const inactive = yield* groupByCompany(assigned, ({ active }) => !active);
  const holders = yield* toHolders(assigned, memory);
  const losses = toLosses(strategy, snapshot.decisions);
  const known = new Set(snapshot.companies.map(({ id }) => id));
  // New companies first, so that the feed reports a company before another one is superseded by it.
  const companies: NextCompany[] = [];
  yield* forEachYielding(held, ([id, active]) => {
    if (!known.has(id)) companies.push({ before: undefined, after: toNewCompany(id, active, snapshot.ownUbiKey) });
  });
  const next = yield* mapYielding(snapshot.companies, (before): NextCompany => {
    const active = held.get(before.id);
    if (active !== undefined) return { before, after: toActiveCompany(before, active, snapshot.ownUbiKey) };
    const attached = inactive.get(before.id) ?? [];
    const successor = {
      winner: findWinner(losses.get(before.id), attached),
      holder: attached.length > 0 ? undefined : holders.get(before.id),
    };
    return { before, after: toInactiveCompany(before, attached, successor, snapshot.ownUbiKey, at) };
  });
  for (const company of next) companies.push(company);
  for (const company of namesakes?.companies ?? []) companies.push({ before: company, after: company });
  const naming = new Map<string, readonly NamingLicense[]>(held);
  for (const [id, active] of yield* groupByCompany(namesakes?.licenses ?? [])) naming.set(id, active);
  return yield* withDisplayNames(companies, naming, nameGroups);
}

/** The licenses of each company, oldest first. */
function* groupByCompany<License extends NamingLicense>(
  licenses: readonly License[],
  isIncluded: (license: License) => boolean = () => true,
): Yielding<Map<string, License[]>> {
  const groups = new Map<string, License[]>();
  yield* forEachYielding(licenses, (license) => {
    if (!isIncluded(license)) return;
    const group = groups.get(license.companyId);
    if (group === undefined) groups.set(license.companyId, [license]);
    else group.push(license);
  });
  yield* forEachYielding(groups.values(), (group) => {
    if (group.length > 1) group.sort(compareAge);
  });
  return groups;
}

/**
 * Maps each own or vendor company to the company that now holds its license, active or not. A vendor company that is no
 * license's own company is superseded by the company of the UBI's oldest license.
 */
function* toHolders(licenses: readonly LicenseState[], memory: Memory): Yielding<Map<string, string>> {
  const holders = new Map<string, string>();
  yield* forEachYielding(licenses, ({ ownCompanyId, companyId }) => {
    if (ownCompanyId !== null) holders.set(ownCompanyId, companyId);
  });
  const oldest = new Map<string, LicenseState>();
  yield* forEachYielding(licenses, (license) => {
    if (license.ubiKey === null) return;
    const vendorCompany = memory.findVendorCompany(license.ubiKey);
    if (vendorCompany === undefined || holders.has(vendorCompany)) return;
    const other = oldest.get(vendorCompany);
    if (other === undefined || compareAge(license, other) < 0) oldest.set(vendorCompany, license);
  });
  for (const [vendorCompany, { companyId }] of oldest) holders.set(vendorCompany, companyId);
  return holders;
}

function toActiveCompany(
  before: CompanyState,
  active: readonly LicenseState[],
  ownUbiKey: string | null,
): CompanyState {
  return { ...before, ...toSource(before.origin, active, ownUbiKey), archivedDatetime: null, supersededBy: null };
}

/** For a UBI that a user merged into another company: the company that was chosen for it. */
type Losses = ReadonlyMap<string, string>;

/** What each company lost by merge decisions. A company that was chosen for any UBI has lost nothing. */
function toLosses(strategy: Strategy, decisions: readonly VendorDecision[]): ReadonlyMap<string, Losses> {
  const losses = new Map<string, Map<string, string>>();
  // Decisions only have an effect with `one_per_vendor`.
  if (strategy !== 'one_per_vendor') return losses;
  const chosen = new Set(decisions.map(({ companyId }) => companyId));
  for (const { ubiKey, companyId, companyIds } of decisions) {
    if (companyId === null) continue;
    for (const id of companyIds) {
      if (!chosen.has(id)) losses.set(id, (losses.get(id) ?? new Map<string, string>()).set(ubiKey, companyId));
    }
  }
  return losses;
}

/** The company that takes the place of a losing one. Undefined if that one still waits for a license that it did not lose. */
function findWinner(losses: Losses | undefined, attached: readonly LicenseState[]): string | undefined {
  if (losses === undefined || attached.some(({ ubiKey }) => ubiKey === null || !losses.has(ubiKey))) return undefined;
  const [first] = [...losses].sort(([a], [b]) => compareText(a, b));
  return first?.[1];
}

/**
 * A company without active licenses: archived unless it is a manual company that lost no decision.
 * @param attached its inactive licenses
 * @param successor the company that won a decision, or that holds its licenses
 */
function toInactiveCompany(
  before: CompanyState,
  attached: readonly LicenseState[],
  { winner, holder }: { readonly winner: string | undefined; readonly holder: string | undefined },
  ownUbiKey: string | null,
  at: string,
): CompanyState {
  const { ubi, ubiKey, isOwnCompany } = toSource(before.origin, attached, ownUbiKey);
  const after = { ...before, isOwnCompany, ...(attached.length === 0 ? {} : { ubi, ubiKey }) };
  if (before.origin === 'manual' && winner === undefined)
    return { ...after, archivedDatetime: null, supersededBy: null };
  return { ...after, archivedDatetime: before.archivedDatetime ?? at, supersededBy: winner ?? holder ?? null };
}

function toNewCompany(id: string, active: readonly LicenseState[], ownUbiKey: string | null): CompanyState {
  const { sourceName, ubi, ubiKey, isOwnCompany } = toSource('biotrack', active, ownUbiKey);
  return {
    id,
    origin: 'biotrack',
    sourceName,
    editedName: null,
    displayName: '',
    nameGroup: '',
    ubi,
    ubiKey,
    isOwnCompany,
    archivedDatetime: null,
    supersededBy: null,
  };
}

/** The fields of a company that derive from its licenses. They must not depend on the order of the list. */
function toSource(
  origin: CompanyState['origin'],
  active: readonly LicenseState[],
  ownUbiKey: string | null,
): Pick<CompanyState, 'sourceName' | 'ubi' | 'ubiKey' | 'isOwnCompany'> {
  const ubiKeys = new Set(active.map(({ ubiKey }) => ubiKey));
  const [oldest] = active;
  const common = ubiKeys.size === 1 ? oldest : undefined;
  return {
    sourceName: origin === 'manual' ? null : toCompanyName(active),
    ubi: common?.ubi ?? null,
    ubiKey: common?.ubiKey ?? null,
    isOwnCompany: ownUbiKey !== null && ubiKeys.has(ownUbiKey),
  };
}

/**
 * The most frequent name of the vendor's own licenses, else of those that it bought; ties by the oldest license. Without any
 * name, a name made from the license number.
 */
function toCompanyName(byAge: readonly LicenseState[]): string {
  const own = byAge.filter(({ ubiKey, namingUbiKey }) => ubiKey === namingUbiKey);
  return findMostFrequentName(own) ?? findMostFrequentName(byAge) ?? toNamelessName(byAge[0]?.licenseNumber ?? '');
}

function findMostFrequentName(byAge: readonly LicenseState[]): string | undefined {
  const counts = new Map<string, number>();
  for (const { name } of byAge) if (name !== null) counts.set(name, (counts.get(name) ?? 0) + 1);
  // A map keeps insertion order, so the first of several names with the same count belongs to the oldest license.
  let best: string | undefined;
  for (const [name, count] of counts) if (best === undefined || count > (counts.get(best) as number)) best = name;
  return best;
}

/** The name of a company whose licenses have no name. */
export const toNamelessName = (licenseNumber: string): string => `License ${licenseNumber}`;

/**
 * Computes display names again after names changed.
 * @param namesakes all active companies of each affected name group
 */
export function setDisplayNames({ companies, licenses }: Namesakes): NextCompany[] {
  const unchanged = companies.map((company) => ({ before: company, after: company }));
  return runToCompletion(withDisplayNames(unchanged, runToCompletion(groupByCompany(licenses)), undefined));
}

const toName = ({ editedName, sourceName }: CompanyState): string => editedName ?? sourceName ?? '';

function* withDisplayNames(
  companies: readonly NextCompany[],
  held: ReadonlyMap<string, readonly NamingLicense[]>,
  completeGroups: ReadonlySet<string> | undefined,
): Yielding<NextCompany[]> {
  const nameGroups = yield* mapYielding(companies, ({ after }) => toNameGroup(toName(after)));
  const namesakes = new Map<string, Nameable[]>();
  yield* forEachYielding(companies, ({ after }, index) => {
    const nameGroup = nameGroups[index] as string;
    if (after.archivedDatetime !== null || completeGroups?.has(nameGroup) === false) return;
    const nameable = toNameable(after, held.get(after.id) ?? []);
    const group = namesakes.get(nameGroup);
    if (group === undefined) namesakes.set(nameGroup, [nameable]);
    else group.push(nameable);
  });
  const displayNames = new Map<string, string>();
  for (const group of namesakes.values()) {
    for (const [id, displayName] of toDisplayNames(group)) displayNames.set(id, displayName);
    // Groups can be large.
    yield;
  }
  return yield* mapYielding(companies, ({ before, after }, index) => {
    const nameGroup = nameGroups[index] as string;
    // Display names of archived companies need not be unique.
    const displayName =
      after.archivedDatetime === null ? (displayNames.get(after.id) ?? after.displayName) : toName(after);
    const isUnchanged = after.displayName === displayName && after.nameGroup === nameGroup;
    return { before, after: isUnchanged ? after : withNames(after, displayName, nameGroup) };
  });
}

// Lists every field because object spread is several times slower for a hundred thousand companies.
const withNames = (company: CompanyState, displayName: string, nameGroup: string): CompanyState => ({
  id: company.id,
  origin: company.origin,
  sourceName: company.sourceName,
  editedName: company.editedName,
  displayName,
  nameGroup,
  ubi: company.ubi,
  ubiKey: company.ubiKey,
  isOwnCompany: company.isOwnCompany,
  archivedDatetime: company.archivedDatetime,
  supersededBy: company.supersededBy,
});

function toNameable(company: CompanyState, active: readonly NamingLicense[]): Nameable {
  const [oldest] = active;
  const number = active.length > 1 && company.ubi !== null ? company.ubi : (oldest?.licenseNumber ?? company.ubi);
  return { id: company.id, name: toName(company), city: oldest?.address.city ?? null, number };
}
