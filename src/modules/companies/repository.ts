import { clientOf, type Db, type Tx } from '../../db/database.js';
import { queryAsTenant, type Statement, TENANT_REVISION } from '../../db/single-statement.js';

export interface CompanyFilters {
  readonly name?: string;
  readonly ubiKey?: string;
  readonly licenseKey?: string;
  readonly city?: string;
  readonly origin?: 'biotrack' | 'manual';
  readonly archived: 'exclude' | 'include' | 'only';
  readonly updatedFrom?: Date;
  readonly updatedTo?: Date;
}

const selectCompanies = (tx: Tx) =>
  tx
    .selectFrom('companies')
    .selectAll()
    .select((eb) => eb.fn.coalesce('edited_name', 'source_name').$castTo<string>().as('name'));

export type CompanyRow = Awaited<ReturnType<ReturnType<typeof selectCompanies>['executeTakeFirstOrThrow']>>;

export const findCompany = (tx: Tx, id: string): Promise<CompanyRow | undefined> =>
  selectCompanies(tx).where('id', '=', id).executeTakeFirst();

export type LicensesShown = 'active' | 'all';

/** A license as it stands in the JSON of its company's row. */
export interface CompanyLicenseView {
  readonly id: string;
  readonly license_number: string;
  readonly name: string | null;
  readonly license_type: string | null;
  readonly license_type_raw: string | null;
  readonly activities: readonly string[];
  readonly line1: string | null;
  readonly line2: string | null;
  readonly city: string | null;
  readonly state: string | null;
  readonly zip: string | null;
  readonly ubi: string | null;
  readonly active: boolean;
  readonly missing_since_datetime: string | null;
}

/** A company as it is shown. */
export interface CompanyView {
  readonly id: string;
  readonly name: string;
  readonly source_name: string | null;
  readonly display_name: string;
  readonly edited_name: string | null;
  readonly legal_business_name: string | null;
  readonly relationship_type: string | null;
  readonly leaflink_customer_id: string | null;
  readonly custom_data: Readonly<Record<string, unknown>> | null;
  readonly ubi: string | null;
  readonly origin: 'biotrack' | 'manual';
  readonly is_own_company: boolean;
  readonly archived_datetime: Date | null;
  readonly superseded_by: string | null;
  readonly version: number;
  readonly inserted_datetime: Date;
  readonly updated_datetime: Date;
  readonly licenses: readonly CompanyLicenseView[];
}

/** The hot reads: their text is put together once for each set of filters in words, and never holds a value. */
const COMPANY = `c.id, coalesce(c.edited_name, c.source_name) as name, c.source_name, c.display_name, c.edited_name,
  c.legal_business_name, c.relationship_type, c.leaflink_customer_id, c.custom_data, c.ubi, c.origin, c.is_own_company,
  c.archived_datetime, c.superseded_by, c.version, c.inserted_datetime, c.updated_datetime`;

const toLicenses = (shown: LicensesShown): string => `
  (select coalesce(json_agg(l order by l.license_key), '[]') from (
     select id, license_number, name, license_type, license_type_raw, activities, address_line1 as line1,
            address_line2 as line2, city, address_state as state, zip, ubi, active, missing_since_datetime, license_key
       from company_licenses
      where tenant_id = $1 and company_id = c.id${shown === 'active' ? ' and active' : ''}) l) as licenses`;

export const toCompanyStatement = (tenantId: string, id: string, shown: LicensesShown): Statement => ({
  text: `select ${COMPANY}, ${toLicenses(shown)} from companies c where c.tenant_id = $1 and c.id = $2`,
  values: [tenantId, id],
});

export async function readCompany(
  db: Db,
  tenantId: string,
  id: string,
  shown: LicensesShown,
): Promise<CompanyView | undefined> {
  const [row] = await queryAsTenant<CompanyView>(db, tenantId, toCompanyStatement(tenantId, id, shown));
  return row;
}

/** The same inside of a transaction, as it stands there. */
export async function viewCompany(
  tx: Tx,
  tenantId: string,
  id: string,
  shown: LicensesShown,
): Promise<CompanyView | undefined> {
  const { text, values } = toCompanyStatement(tenantId, id, shown);
  const { rows } = await clientOf(tx).query<CompanyView>(text, [...values]);
  return rows[0];
}

/**
 * In the order of ids, which is that of creation; one more than `size` tells that there is another page. Together with
 * the tenant's revision, so that both are of one state; a tenant without companies has one row, with nulls for a company.
 */
export function toPageStatement(
  tenantId: string,
  filters: CompanyFilters,
  size: number,
  after: string | undefined,
  shown: LicensesShown,
): Statement {
  const values: (string | null)[] = [tenantId];
  const place = (value: string): string => {
    values.push(value);
    return `$${values.length}`;
  };
  const conditions = ['c.tenant_id = $1', ...toConditions(filters, place)];
  if (after !== undefined) conditions.push(`c.id > ${place(after)}::uuid`);
  const page = `select ${COMPANY} from companies c where ${conditions.join(' and ')} order by c.id limit ${place(String(size + 1))}`;
  return {
    text: `select t.revision, c.*, ${toLicenses(shown)}
       from (${TENANT_REVISION}) t left join lateral (${page}) c on true order by c.id`,
    values,
  };
}

export interface CompanyPageRows {
  readonly revision: string;
  readonly rows: readonly CompanyView[];
}

/** Undefined for a tenant that does not exist. */
export async function findCompanyPage(
  db: Db,
  tenantId: string,
  filters: CompanyFilters,
  size: number,
  after: string | undefined,
  shown: LicensesShown,
): Promise<CompanyPageRows | undefined> {
  const statement = toPageStatement(tenantId, filters, size, after, shown);
  const rows = await queryAsTenant<CompanyView & { revision: string }>(db, tenantId, statement);
  const [first] = rows;
  return first === undefined ? undefined : { revision: first.revision, rows: first.id === null ? [] : rows };
}

function* toConditions(filters: CompanyFilters, place: (value: string) => string): Generator<string> {
  const { name, ubiKey, licenseKey, city, origin, archived, updatedFrom, updatedTo } = filters;
  if (name !== undefined) yield `coalesce(c.edited_name, c.source_name) ilike ${place(`%${toLikeText(name)}%`)}`;
  if (ubiKey !== undefined) yield `c.ubi_key = ${place(ubiKey)}`;
  if (origin !== undefined) yield `c.origin = ${place(origin)}`;
  if (archived === 'exclude') yield 'c.archived_datetime is null';
  if (archived === 'only') yield 'c.archived_datetime is not null';
  if (updatedFrom !== undefined) yield `c.updated_datetime >= ${place(updatedFrom.toISOString())}::timestamptz`;
  if (updatedTo !== undefined) yield `c.updated_datetime < ${place(updatedTo.toISOString())}::timestamptz`;
  const holds = (condition: string): string =>
    `c.id in (select company_id from company_licenses where tenant_id = $1 and ${condition})`;
  if (licenseKey !== undefined) yield holds(`license_key = ${place(licenseKey)}`);
  if (city !== undefined) yield holds(`active and lower(city) = ${place(city.toLowerCase())}`);
}

/** Text that LIKE takes literally. */
const toLikeText = (text: string): string => text.replace(/[\\%_]/g, '\\$&');
