import type { Db, Tx } from '../../db/database.js';
import { toLicenseKey } from '../../domain/key.js';
import { checkPrecondition, type Precondition } from '../../domain/precondition.js';
import { type Principal, toActor } from '../../domain/principal.js';
import { notFound, ServiceError } from '../../domain/service-error.js';
import { type CompanyState, type LicenseState, type LicenseStep, planNames, toNameGroup } from '../../mapping/index.js';
import { inLockedTenant } from '../tenants/index.js';
import { toDifference } from './change.js';
import { type CompanyEdits, loadLicenses, saveEdits } from './edit-repository.js';
import { type ChangeOrigin, recordChanges, savePlannedRows } from './plan-repository.js';
import { type CompanyRow, type CompanyView, findCompany, viewCompany } from './repository.js';
import { loadCompanies, loadNamesakes } from './snapshot-repository.js';

/** Keeps a person's word on a company: it wins over BioTrack's until it is taken back with null. */
export const editCompany = (
  db: Db,
  tenantId: string,
  id: string,
  edits: CompanyEdits,
  precondition: Precondition,
  principal: Principal,
): Promise<CompanyView> =>
  inLockedTenant(db, tenantId, async (tx) => {
    const present = await findCompany(tx, id);
    if (present === undefined) throw notFound('company');
    checkPrecondition(precondition, present.version);
    if (edits.name === null && present.origin === 'manual') {
      throw new ServiceError('invalid_request', '/name: a company made by hand has no other name to return to.', {
        errors: [{ pointer: '/name', detail: 'must not be null: a company made by hand has no other name' }],
      });
    }
    refuseUnstorable(edits.custom_data);
    const origin = { actor: toActor(principal), runId: null };
    await saveEdits(tx, id, edits);
    const now = (await findCompany(tx, id)) as CompanyRow;
    const difference = toDifference(toEditable(present), toEditable(now));
    if (difference !== undefined) {
      const line = {
        kind: 'company.edited',
        reason: 'person',
        companyId: id,
        fromCompanyId: null,
        licenseId: null,
        licenseNumber: null,
      } as const;
      await recordChanges(tx, tenantId, [{ ...line, ...difference }], origin);
    }
    if (now.name !== present.name)
      await tellApart(tx, tenantId, id, [present.name_group, toNameGroup(now.name)], origin);
    return (await viewCompany(tx, tenantId, id, 'active')) as CompanyView;
  });

/** Text with NUL or half of a surrogate pair, and numbers beyond a double, could not be given back as they came. */
function refuseUnstorable(customData: CompanyEdits['custom_data']): void {
  if (customData === undefined || isStorable(customData)) return;
  const error = { pointer: '/custom_data', detail: 'holds a text or a number that cannot be kept' };
  throw new ServiceError('invalid_request', `${error.pointer}: ${error.detail}.`, { errors: [error] });
}

function isStorable(value: unknown): boolean {
  if (typeof value === 'string') return !value.includes('\0') && !LONE_SURROGATE.test(value);
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value !== 'object' || value === null) return true;
  return Object.entries(value).every(([name, inner]) => isStorable(name) && isStorable(inner));
}

const LONE_SURROGATE = /\p{Surrogate}/u;

const toEditable = ({
  name,
  legal_business_name,
  relationship_type,
  leaflink_customer_id,
  custom_data,
}: CompanyRow) => ({
  name,
  legal_business_name,
  relationship_type,
  leaflink_customer_id,
  custom_data,
});

/** Gives a company, and whoever is called like it now or before, the display names that tell them apart. */
async function tellApart(
  tx: Tx,
  tenantId: string,
  id: string,
  nameGroups: readonly string[],
  origin: ChangeOrigin,
): Promise<void> {
  const { companies, licenses } = await loadNamesakes(tx, nameGroups);
  // An archived company is nobody's namesake, and still has a name.
  const isThere = companies.some((company) => company.id === id);
  const named = isThere ? companies : [...companies, ...(await loadCompanies(tx, [id]))];
  await savePlannedRows(tx, tenantId, { ...NO_STEPS, companies: planNames(named, licenses) }, origin);
}

const NO_STEPS = {
  companies: [],
  licenses: [],
  newVendorCompanies: [],
  includeLabs: false,
  strategy: 'one_per_license',
  decisions: [],
} as const;

export interface ManualCompany {
  readonly name: string;
  readonly licenseNumbers: readonly string[];
}

/** Makes a company by hand. Licenses that it names come to it as soon as the state lists them, whatever the strategy. */
export const createCompany = (
  db: Db,
  newId: () => string,
  tenantId: string,
  { name, licenseNumbers }: ManualCompany,
  principal: Principal,
): Promise<CompanyView> =>
  inLockedTenant(db, tenantId, async (tx) => {
    const keys = licenseNumbers.map(toLicenseKey);
    refuseRepetition(keys);
    const known = new Map((await loadLicenses(tx, keys)).map((license) => [license.licenseKey, license]));
    const holders = await loadCompanies(tx, new Set([...known.values()].map(({ companyId }) => companyId)));
    refuseTaken(keys, known, holders);
    const company = toManualCompany(newId(), name);
    const licenses = licenseNumbers.map((licenseNumber, index): LicenseStep => {
      const before = known.get(keys[index] as string);
      const named = { companyId: company.id, namedByCompanyId: company.id };
      if (before !== undefined) return { kind: 'license.moved', before, after: { ...before, ...named } };
      const after = { ...toUnlisted(newId(), licenseNumber), ...named };
      return { kind: 'license.created', before, after };
    });
    const origin = { actor: toActor(principal), runId: null };
    const created = { kind: 'company.created', before: undefined, after: company } as const;
    await savePlannedRows(tx, tenantId, { ...NO_STEPS, companies: [created], licenses }, origin);
    await tellApart(tx, tenantId, company.id, [company.nameGroup], origin);
    return (await viewCompany(tx, tenantId, company.id, 'all')) as CompanyView;
  });

function refuseRepetition(keys: readonly string[]): void {
  const index = keys.findIndex((key, at) => keys.indexOf(key) !== at);
  if (index === -1) return;
  const error = { pointer: `/license_numbers/${index}`, detail: 'is in the list already' };
  throw new ServiceError('invalid_request', `${error.pointer}: ${error.detail}.`, { errors: [error] });
}

/** A license has one company: one that an active company holds, also while it is inactive, or that is named by hand. */
function refuseTaken(
  keys: readonly string[],
  known: ReadonlyMap<string, LicenseState>,
  holders: readonly CompanyState[],
): void {
  const active = new Set(holders.flatMap(({ id, archivedDatetime }) => (archivedDatetime === null ? id : [])));
  for (const [index, key] of keys.entries()) {
    const license = known.get(key);
    if (license === undefined || (!active.has(license.companyId) && license.namedByCompanyId === null)) continue;
    throw new ServiceError('license_taken', 'Another company has it. Name the numbers that are free.', {
      conflicting_id: license.companyId,
      errors: [{ pointer: `/license_numbers/${index}`, detail: 'is held by another company' }],
    });
  }
}

const toManualCompany = (id: string, name: string): CompanyState => ({
  id,
  origin: 'manual',
  sourceName: null,
  editedName: name,
  displayName: name,
  nameGroup: toNameGroup(name),
  ubi: null,
  ubiKey: null,
  isOwnCompany: false,
  archivedDatetime: null,
  supersededBy: null,
});

/** A license that a person names and the state has not listed yet, as far as the tenant knows. */
const toUnlisted = (id: string, licenseNumber: string): Omit<LicenseState, 'companyId' | 'namedByCompanyId'> => ({
  id,
  ownCompanyId: null,
  licenseKey: toLicenseKey(licenseNumber),
  licenseNumber,
  ubi: null,
  ubiKey: null,
  name: null,
  licenseType: null,
  licenseTypeRaw: null,
  activities: [],
  address: { line1: null, line2: null, city: null, state: null, zip: null },
  isLab: false,
  active: false,
  missingSinceDatetime: null,
  transactionIdOriginal: null,
  contentHash: '',
});
