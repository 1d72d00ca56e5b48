// Builds the input of a delta plan like the database does: the changes between two lists, and the part of a tenant that
// they can affect.
import type { ListedLicense } from '../../src/domain/listed-license.js';
import {
  findScope,
  type PlanInput,
  type Scope,
  type ScopeQuery,
  type ScopeRows,
  type Snapshot,
} from '../../src/mapping/index.js';

/** Answers a scope query from a snapshot. */
export function findScopeRows(
  { licenses, companies, vendorCompanies, decisions }: Snapshot,
  query: ScopeQuery,
): ScopeRows {
  const keys = new Set(query.licenseKeys);
  const ids = new Set<string | null>(query.companyIds);
  const ubiKeys = new Set<string | null>(query.ubiKeys);
  return {
    licenses: licenses.filter(
      ({ licenseKey, companyId, ownCompanyId, namedByCompanyId, ubiKey }) =>
        keys.has(licenseKey) ||
        ids.has(companyId) ||
        ids.has(ownCompanyId) ||
        ids.has(namedByCompanyId) ||
        ubiKeys.has(ubiKey),
    ),
    companies: companies.filter(({ id }) => ids.has(id)),
    vendorCompanies: [...vendorCompanies, ...decisions].flatMap(({ ubiKey, companyId }) =>
      companyId !== null && (ubiKeys.has(ubiKey) || ids.has(companyId)) ? { ubiKey, companyId } : [],
    ),
  };
}

/** The scope of a change from one list to another. */
export function scopeOf(
  snapshot: Snapshot,
  old: readonly ListedLicense[],
  now: readonly ListedLicense[],
): { readonly scope: Scope; readonly changed: readonly string[] } {
  const before = new Map(old.map((license) => [license.licenseKey, license]));
  const listed = now.filter(({ licenseKey, contentHash }) => before.get(licenseKey)?.contentHash !== contentHash);
  const present = new Set(now.map(({ licenseKey }) => licenseKey));
  const gone = old.flatMap(({ licenseKey }) => (present.has(licenseKey) ? [] : licenseKey));
  const changed = [...listed.map(({ licenseKey }) => licenseKey), ...gone];
  const ubiKeys = listed.flatMap(({ ubiKey, lastUbi }) => ubiKey ?? lastUbi?.ubiKey ?? []);
  const search = findScope({ licenseKeys: changed, companyIds: [], ubiKeys, listed });
  let step = search.next();
  while (step.done !== true) step = search.next(findScopeRows(snapshot, step.value));
  return { scope: step.value, changed };
}

const countActive = (companies: Snapshot['companies']): number =>
  companies.filter(({ archivedDatetime }) => archivedDatetime === null).length;

/** Reduces the input of a full plan to the input of a delta plan. */
export function partOf(
  { snapshot, listed, ...rest }: PlanInput,
  old: readonly ListedLicense[],
): PlanInput & { readonly changed: readonly string[] } {
  const { scope, changed } = scopeOf(snapshot, old, listed);
  const isIn = ({ licenseKey }: { readonly licenseKey: string }): boolean => scope.licenseKeys.has(licenseKey);
  const licenses = snapshot.licenses.filter(isIn);
  const companies = snapshot.companies.filter(({ id }) => scope.companyIds.has(id));
  const others = snapshot.licenses.filter((license) => !isIn(license) && license.active);
  const namesakes = snapshot.companies.filter(
    ({ id, archivedDatetime, nameGroup }) =>
      !scope.companyIds.has(id) && archivedDatetime === null && scope.nameGroups.has(nameGroup),
  );
  const namesakeIds = new Set(namesakes.map(({ id }) => id));
  return {
    ...rest,
    changed,
    listed: listed.filter(isIn),
    snapshot: {
      ...snapshot,
      licenses,
      companies,
      vendorCompanies: snapshot.vendorCompanies.filter(({ ubiKey }) => scope.ubiKeys.has(ubiKey)),
    },
    part: {
      nameGroups: scope.nameGroups,
      namesakes: { companies: namesakes, licenses: others.filter(({ companyId }) => namesakeIds.has(companyId)) },
      otherCompanies: snapshot.companies.length - companies.length - namesakes.length,
      otherActiveCompanies: countActive(snapshot.companies) - countActive(companies) - namesakes.length,
      otherActiveLicenses: others.length,
    },
  };
}
