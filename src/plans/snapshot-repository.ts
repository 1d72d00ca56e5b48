import { sql } from 'kysely';
import type { Tx } from '../db/database.js';
import { fromListingRow, LISTING_COLUMN_NAMES } from '../db/license-columns.js';
import { namesOf, toSelectList } from '../domain/snake-case.js';
import type { Activity } from '../domain/vendor.js';
import { mapAsync } from '../domain/yielding.js';
import type {
  CompanyState,
  LicenseState,
  Scope,
  ScopeQuery,
  ScopeRows,
  Snapshot,
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

/** These companies with their active licenses. */
export async function loadActive(
  tx: Tx,
  ids: Iterable<string>,
): Promise<{ readonly companies: CompanyState[]; readonly licenses: LicenseState[] }> {
  const companies = await loadCompanies(tx, ids);
  const rows = await selectLicenseStates(tx)
    .where('company_id', '=', anyId(ids))
    .where('active', '=', true)
    .orderBy('license_key')
    .execute();
  return { companies, licenses: rows.map(toLicenseState) };
}

/** The active companies of these name groups, with the active licenses that their display names are made from. */
export async function loadNamesakes(
  tx: Tx,
  nameGroups: Iterable<string>,
): Promise<{ readonly companies: CompanyState[]; readonly licenses: LicenseState[] }> {
  const { companies } = await loadScopeRows(tx, { kind: 'namesakes', nameGroups: [...nameGroups] });
  return loadActive(
    tx,
    companies.map(({ id }) => id),
  );
}

/** The rows that the search for a scope needs next. */
export async function loadScopeRows(tx: Tx, query: ScopeQuery): Promise<ScopeRows> {
  const columns = ['id', 'name_group as nameGroup'] as const;
  if (query.kind === 'namesakes') {
    const companies = await tx
      .selectFrom('companies')
      .select(columns)
      .where('archived_datetime', 'is', null)
      .where('name_group', '=', anyText(query.nameGroups))
      .execute();
    return { licenses: [], companies, vendorCompanies: [] };
  }
  const { licenseKeys, companyIds, ubiKeys } = query;
  const ids = anyId(companyIds);
  const ubis = anyText(ubiKeys);
  const companies = await tx.selectFrom('companies').select(columns).where('id', '=', ids).execute();
  const licenses = await tx
    .selectFrom('company_licenses')
    .select([
      'license_key as licenseKey',
      'license_number as licenseNumber',
      'name',
      'ubi_key as ubiKey',
      'company_id as companyId',
      'own_company_id as ownCompanyId',
      'named_by_company_id as namedByCompanyId',
    ])
    .where((eb) =>
      eb.or([
        eb('license_key', '=', anyText(licenseKeys)),
        eb('company_id', '=', ids),
        eb('own_company_id', '=', ids),
        eb('named_by_company_id', '=', ids),
        eb('ubi_key', '=', ubis),
      ]),
    )
    .execute();
  const vendorCompanies = await selectVendorCompanies(tx)
    .where((eb) => eb.or([eb('company_id', '=', ids), eb('ubi_key', '=', ubis)]))
    .execute();
  const decisions = (await selectDecisions(tx)).flatMap(({ ubiKey, companyId }) =>
    companyId !== null && (companyIds.includes(companyId) || ubiKeys.includes(ubiKey)) ? { ubiKey, companyId } : [],
  );
  return { licenses, companies, vendorCompanies: [...vendorCompanies, ...decisions] };
}

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

interface Totals {
  readonly companies: number;
  readonly activeCompanies: number;
  readonly activeLicenses: number;
  /** The tenant's licenses that the state lists. */
  readonly listedLicenses: number;
}

export async function countAll(tx: Tx): Promise<Totals> {
  const companies = await tx
    .selectFrom('companies')
    .select((eb) => [
      eb.fn.countAll<number>().as('all'),
      eb.fn.countAll<number>().filterWhere('archived_datetime', 'is', null).as('active'),
    ])
    .executeTakeFirstOrThrow();
  const licenses = await tx
    .selectFrom('company_licenses')
    .select((eb) => [
      eb.fn.countAll<number>().filterWhere('active', '=', true).as('active'),
      eb.fn
        .countAll<number>()
        .filterWhere('missing_since_datetime', 'is', null)
        // A license that a manual company names has no content until the state lists it.
        .filterWhere('content_hash', '!=', '')
        .as('listed'),
    ])
    .executeTakeFirstOrThrow();
  return {
    companies: companies.all,
    activeCompanies: companies.active,
    activeLicenses: licenses.active,
    listedLicenses: licenses.listed,
  };
}

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
