import { type RawBuilder, sql } from 'kysely';
import type { Tx } from '../db/database.js';
import { fromListingRow, LISTING_COLUMN_NAMES } from '../db/license-columns.js';
import { type Lookup, lookUp } from '../db/lookup.js';
import { namesOf, toSelectList, toSnakeCase } from '../domain/snake-case.js';
import type { Activity } from '../domain/vendor.js';
import { mapAsync } from '../domain/yielding.js';
import type {
  CompanyState,
  LicenseState,
  Namesakes,
  NamingLicense,
  Scope,
  ScopeLicense,
  ScopeQuery,
  ScopeRows,
  Snapshot,
  VendorCompany,
  VendorDecision,
} from '../mapping/index.js';
import { PLACEMENT_FIELDS, PLANNED_FIELDS } from './fields.js';

export const selectCompanyStates = (tx: Tx) =>
  tx
    .selectFrom('companies')
    .select(toSelectList(namesOf(PLANNED_FIELDS)))
    .orderBy('id');
export const selectLicenseStates = (tx: Tx) =>
  tx.selectFrom('company_licenses').select([...toSelectList(namesOf(PLACEMENT_FIELDS)), ...LISTING_COLUMN_NAMES]);
const selectVendorCompanies = (tx: Tx) =>
  tx.selectFrom('vendor_companies').select(['ubi_key as ubiKey', 'company_id as companyId']).orderBy('ubi_key');

const anyId = (ids: Iterable<string>) => sql<string>`any(${[...ids]}::uuid[])`;
const anyText = (texts: Iterable<string>) => sql<string>`any(${[...texts]}::text[])`;

/** All companies and licenses of the tenant. Read it in the transaction that locked the tenant. */
export async function loadSnapshot(tx: Tx, ownUbiKey: string | null): Promise<Snapshot> {
  return {
    companies: await mapAsync(await selectCompanyStates(tx).execute(), toCompanyState),
    licenses: await mapAsync(await selectLicenseStates(tx).orderBy('license_key').execute(), toLicenseState),
    vendorCompanies: await selectVendorCompanies(tx).execute(),
    decisions: await selectDecisions(tx),
    ownUbiKey,
  };
}

/** The part of the snapshot that is in the scope. */
export async function loadPart(tx: Tx, ownUbiKey: string | null, scope: Scope): Promise<Snapshot> {
  const { licenseKeys, companyIds, ubiKeys } = scope;
  return {
    companies: await loadCompanies(tx, companyIds),
    licenses: await loadLicenses(tx, licenseKeys),
    vendorCompanies: await selectVendorCompanies(tx).where('ubi_key', '=', anyText(ubiKeys)).execute(),
    decisions: await selectDecisions(tx),
    ownUbiKey,
  };
}

export async function loadCompanies(tx: Tx, ids: Iterable<string>): Promise<CompanyState[]> {
  const rows = await selectCompanyStates(tx).where('id', '=', anyId(ids)).execute();
  return rows.map(toCompanyState);
}

/** The licenses with these keys that the tenant has. */
export async function loadLicenses(tx: Tx, licenseKeys: Iterable<string>): Promise<LicenseState[]> {
  const rows = await selectLicenseStates(tx)
    .where('license_key', '=', anyText(licenseKeys))
    .orderBy('license_key')
    .execute();
  return rows.map(toLicenseState);
}

/** The active companies of these name groups, with what their display names are made from. */
export async function loadNamesakes(tx: Tx, nameGroups: Iterable<string>): Promise<Namesakes> {
  const selectNamesakes = (
    columns: RawBuilder<unknown>,
  ) => sql`unnest(${[...new Set(nameGroups)]}::text[]) as wanted (name_group)
    cross join lateral (
      select ${columns} from companies
       where left(name_group, 200) = left(wanted.name_group, 200) and name_group = wanted.name_group
         and archived_datetime is null offset 0) as namesake`;
  const columns = sql.join(
    namesOf(PLANNED_FIELDS).map((name) => sql`${sql.ref(toSnakeCase(name))} as ${sql.ref(name)}`),
  );
  const companies = await sql<CompanyRow>`select namesake.* from ${selectNamesakes(columns)} order by id`.execute(tx);
  const licenses = await sql<Omit<NamingLicense, 'address'> & { city: string | null }>`
    select license.* from ${selectNamesakes(sql`id`)} cross join lateral (
      select company_id as "companyId", license_key as "licenseKey", license_number as "licenseNumber", city,
             transaction_id_original as "transactionIdOriginal"
        from company_licenses where company_id = namesake.id and active offset 0) as license`.execute(tx);
  return {
    companies: companies.rows.map(toCompanyState),
    licenses: licenses.rows.map(({ city, ...license }) => ({ ...license, address: { city } })),
  };
}

/** The rows that the search for a scope needs next. */
export async function loadScopeRows(tx: Tx, { licenseKeys, companyIds, ubiKeys }: ScopeQuery): Promise<ScopeRows> {
  const byId = (column: string): Lookup => ({ column, type: 'uuid', values: companyIds });
  const byUbi: Lookup = { column: 'ubi_key', type: 'text', values: ubiKeys };
  const companies = await lookUp<ScopeCompany>(tx, 'companies', SCOPE_COMPANY, [byId('id')]);
  const licenses = await lookUp<ScopeLicense>(tx, 'company_licenses', SCOPE_LICENSE, [
    { column: 'license_key', type: 'text', values: licenseKeys },
    byId('company_id'),
    byId('own_company_id'),
    byId('named_by_company_id'),
    byUbi,
  ]);
  const vendorCompanies = await lookUp<VendorCompany>(tx, 'vendor_companies', VENDOR_COMPANY, [
    byId('company_id'),
    byUbi,
  ]);
  const decisions = (await selectDecisions(tx)).flatMap(({ ubiKey, companyId }) =>
    companyId !== null && (companyIds.includes(companyId) || ubiKeys.includes(ubiKey)) ? { ubiKey, companyId } : [],
  );
  return { licenses, companies, vendorCompanies: [...vendorCompanies, ...decisions] };
}

type ScopeCompany = ScopeRows['companies'][number];
const SCOPE_COMPANY = sql`id, name_group as "nameGroup"`;
const SCOPE_LICENSE = sql`license_key as "licenseKey", license_number as "licenseNumber", name, ubi_key as "ubiKey",
  company_id as "companyId", own_company_id as "ownCompanyId", named_by_company_id as "namedByCompanyId"`;
const VENDOR_COMPANY = sql`ubi_key as "ubiKey", company_id as "companyId"`;

const selectDecisions = (tx: Tx): Promise<VendorDecision[]> =>
  tx
    .selectFrom('conflicts')
    .select([
      'ubi_key as ubiKey',
      'decided_company_id as companyId',
      sql<string[]>`coalesce(decided_company_ids, '{}')`.as('companyIds'),
    ])
    .where('decision', 'is not', null)
    .orderBy('ubi_key')
    .execute();

type CompanyRow = Awaited<ReturnType<ReturnType<typeof selectCompanyStates>['executeTakeFirstOrThrow']>>;
type LicenseRow = Awaited<ReturnType<ReturnType<typeof selectLicenseStates>['executeTakeFirstOrThrow']>>;

export const toCompanyState = (row: CompanyRow): CompanyState => ({
  ...row,
  archivedDatetime: row.archivedDatetime?.toISOString() ?? null,
});

export const toLicenseState = (row: LicenseRow): LicenseState =>
  Object.assign(fromListingRow<Activity>(row), {
    id: row.id,
    companyId: row.companyId,
    ownCompanyId: row.ownCompanyId,
    namedByCompanyId: row.namedByCompanyId,
    namingUbiKey: row.namingUbiKey,
    active: row.active,
    missingSinceDatetime: row.missingSinceDatetime?.toISOString() ?? null,
  });
