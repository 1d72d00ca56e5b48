import { sql } from 'kysely';
import type { Tx } from '../../db/database.js';
import { fromListingRow, LISTING_COLUMN_NAMES } from '../../db/license-columns.js';
import type { Activity } from '../../domain/vendor.js';
import { mapAsync } from '../../domain/yielding.js';
import type {
  CompanyState,
  LicenseState,
  Scope,
  ScopeAnswer,
  ScopeQuestion,
  Snapshot,
  VendorDecision,
} from '../../mapping/index.js';

const COMPANY_COLUMNS = [
  'id',
  'origin',
  'source_name',
  'edited_name',
  'display_name',
  'name_group',
  'ubi',
  'ubi_key',
  'is_own_company',
  'archived_datetime',
  'superseded_by',
] as const;

const LICENSE_COLUMNS = [
  'id',
  'company_id',
  'own_company_id',
  'named_by_company_id',
  'active',
  'missing_since_datetime',
  ...LISTING_COLUMN_NAMES,
] as const;

const selectCompanies = (tx: Tx) => tx.selectFrom('companies').select(COMPANY_COLUMNS).orderBy('id');
const selectLicenses = (tx: Tx) => tx.selectFrom('company_licenses').select(LICENSE_COLUMNS).orderBy('license_key');
const selectVendorCompanies = (tx: Tx) =>
  tx.selectFrom('vendor_companies').select(['ubi_key as ubiKey', 'company_id as companyId']).orderBy('ubi_key');

const anyId = (ids: Iterable<string>) => sql<string>`any(${[...ids]}::uuid[])`;
const anyText = (texts: Iterable<string>) => sql<string>`any(${[...texts]}::text[])`;

/** What the tenant has now. To be read in the transaction that locked the tenant. */
export async function loadSnapshot(tx: Tx, ownUbiKey: string | null): Promise<Snapshot> {
  return {
    companies: await mapAsync(await selectCompanies(tx).execute(), toCompanyState),
    licenses: await mapAsync(await selectLicenses(tx).execute(), toLicenseState),
    vendorCompanies: await selectVendorCompanies(tx).execute(),
    decisions: await selectDecisions(tx),
    ownUbiKey,
  };
}

/** The part of it that is in the scope. */
export async function loadPart(tx: Tx, ownUbiKey: string | null, scope: Scope): Promise<Snapshot> {
  const { licenseKeys, companyIds, ubiKeys } = scope;
  return {
    companies: await loadCompanies(tx, companyIds),
    licenses: (await selectLicenses(tx).where('license_key', '=', anyText(licenseKeys)).execute()).map(toLicenseState),
    vendorCompanies: await selectVendorCompanies(tx).where('ubi_key', '=', anyText(ubiKeys)).execute(),
    decisions: await selectDecisions(tx),
    ownUbiKey,
  };
}

export async function loadCompanies(tx: Tx, ids: Iterable<string>): Promise<CompanyState[]> {
  const rows = await selectCompanies(tx).where('id', '=', anyId(ids)).execute();
  return rows.map(toCompanyState);
}

/** These companies with their active licenses. */
export async function loadActive(
  tx: Tx,
  ids: Iterable<string>,
): Promise<{ readonly companies: CompanyState[]; readonly licenses: LicenseState[] }> {
  const companies = await loadCompanies(tx, ids);
  const rows = await selectLicenses(tx).where('company_id', '=', anyId(ids)).where('active', '=', true).execute();
  return { companies, licenses: rows.map(toLicenseState) };
}

/** The active companies of these name groups, and the active licenses that tell them apart. */
export async function loadNamesakes(
  tx: Tx,
  nameGroups: Iterable<string>,
): Promise<{ readonly companies: CompanyState[]; readonly licenses: LicenseState[] }> {
  const { companies } = await loadScopeAnswer(tx, { kind: 'namesakes', nameGroups: [...nameGroups] });
  return loadActive(
    tx,
    companies.map(({ id }) => id),
  );
}

/** Answers what the search for a scope asks. */
export async function loadScopeAnswer(tx: Tx, question: ScopeQuestion): Promise<ScopeAnswer> {
  const columns = ['id', 'name_group as nameGroup'] as const;
  if (question.kind === 'namesakes') {
    const companies = await tx
      .selectFrom('companies')
      .select(columns)
      .where('archived_datetime', 'is', null)
      .where('name_group', '=', anyText(question.nameGroups))
      .execute();
    return { licenses: [], companies, vendorCompanies: [] };
  }
  const { licenseKeys, companyIds, ubiKeys } = question;
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

async function selectDecisions(tx: Tx): Promise<VendorDecision[]> {
  const rows = await tx
    .selectFrom('conflicts')
    .select(['ubi_key', 'decided_company_id', 'decided_company_ids'])
    .where('decision', 'is not', null)
    .orderBy('ubi_key')
    .execute();
  return rows.map(({ ubi_key, decided_company_id, decided_company_ids }) => ({
    ubiKey: ubi_key,
    companyId: decided_company_id,
    companyIds: decided_company_ids ?? [],
  }));
}

export interface Totals {
  readonly companies: number;
  readonly activeLicenses: number;
  /** Licenses that the state lists and the tenant has. */
  readonly listedLicenses: number;
}

export async function countAll(tx: Tx): Promise<Totals> {
  const { companies } = await tx
    .selectFrom('companies')
    .select((eb) => eb.fn.countAll<number>().as('companies'))
    .executeTakeFirstOrThrow();
  const licenses = await tx
    .selectFrom('company_licenses')
    .select((eb) => [
      eb.fn.countAll<number>().filterWhere('active', '=', true).as('active'),
      eb.fn
        .countAll<number>()
        .filterWhere('missing_since_datetime', 'is', null)
        // A license that was only named by hand has no content yet.
        .filterWhere('content_hash', '!=', '')
        .as('listed'),
    ])
    .executeTakeFirstOrThrow();
  return { companies, activeLicenses: licenses.active, listedLicenses: licenses.listed };
}

type CompanyRow = Awaited<ReturnType<ReturnType<typeof selectCompanies>['executeTakeFirstOrThrow']>>;
type LicenseRow = Awaited<ReturnType<ReturnType<typeof selectLicenses>['executeTakeFirstOrThrow']>>;

const toCompanyState = (row: CompanyRow): CompanyState => ({
  id: row.id,
  origin: row.origin,
  sourceName: row.source_name,
  editedName: row.edited_name,
  displayName: row.display_name,
  nameGroup: row.name_group,
  ubi: row.ubi,
  ubiKey: row.ubi_key,
  isOwnCompany: row.is_own_company,
  archivedDatetime: row.archived_datetime?.toISOString() ?? null,
  supersededBy: row.superseded_by,
});

// Assigned, not spread: adding to a spread object takes forty times as long, and what it gives is read slowly too.
export const toLicenseState = (row: LicenseRow): LicenseState =>
  Object.assign(fromListingRow<Activity>(row), {
    id: row.id,
    companyId: row.company_id,
    ownCompanyId: row.own_company_id,
    namedByCompanyId: row.named_by_company_id,
    active: row.active,
    missingSinceDatetime: row.missing_since_datetime?.toISOString() ?? null,
  });
