import type { ExpressionBuilder } from 'kysely';
import { clientOf, type Db, type Tx } from '../../db/database.js';
import { toListingSelect } from '../../db/license-columns.js';
import { runStatement, type Statement, TENANT_REVISION } from '../../db/single-statement.js';
import type { DB } from '../../db/tables.js';
import { SHOWN_LISTING_FIELDS, type ShownListing } from '../../domain/license-fields.js';
import type { PageRequest } from '../../domain/page.js';
import { toSelectList, toSnakeCase } from '../../domain/snake-case.js';
import type { PostalAddress } from '../../domain/vendor.js';
import { COMPANY_FIELDS, type Company } from './company.js';

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

export type LicensesShown = 'active' | 'all';

export interface CompanyListing {
  readonly filters: CompanyFilters;
  readonly page: PageRequest;
  readonly shown: LicensesShown;
}

/** A license as the JSON of its company's row holds it. */
export interface CompanyLicenseView extends Omit<ShownListing, 'address'>, PostalAddress {
  readonly id: string;
  readonly active: boolean;
  readonly leaflinkCustomerId: string | null;
  /** RFC 3339, in the time zone of the database session. */
  readonly missingSinceDatetime: string | null;
}

/** A company with its licenses. */
export interface CompanyView extends Company {
  readonly licenses: readonly CompanyLicenseView[];
}

/** A company without its licenses, with the field that groups companies of the same name. */
export interface StoredCompany extends Company {
  readonly nameGroup: string;
}

const toSelection = (eb: ExpressionBuilder<DB, 'companies'>) =>
  [
    ...toSelectList(COMPANY_FIELDS),
    'name_group as nameGroup',
    eb.fn.coalesce('edited_name', 'source_name').as('name'),
  ] as const;

export const findCompany = (tx: Tx, id: string): Promise<StoredCompany | undefined> =>
  tx.selectFrom('companies').select(toSelection).where('id', '=', id).$castTo<StoredCompany>().executeTakeFirst();

// The texts of the frequent reads are assembled from constants. Values are always passed as parameters.
const COMPANY = [
  'coalesce(c.edited_name, c.source_name) as name',
  ...COMPANY_FIELDS.map((field) => `c.${toSnakeCase(field)} as "${field}"`),
].join(', ');

const LICENSE = `id, ${toListingSelect(SHOWN_LISTING_FIELDS)}, active, leaflink_customer_id as "leaflinkCustomerId",
  missing_since_datetime as "missingSinceDatetime"`;

const toLicenses = (shown: LicensesShown): string => `
  (select coalesce(json_agg(l order by l.license_key), '[]') from (
     select ${LICENSE}, license_key
       from company_licenses
      where tenant_id = $1 and company_id = c.id${shown === 'active' ? ' and active' : ''}) l) as licenses`;

export const toCompanyStatement = (tenantId: string, id: string, shown: LicensesShown): Statement => ({
  text: `select ${COMPANY}, ${toLicenses(shown)} from companies c where c.tenant_id = $1 and c.id = $2`,
  values: [tenantId, id],
});

export async function findCompanyView(
  db: Db,
  tenantId: string,
  id: string,
  shown: LicensesShown,
): Promise<CompanyView | undefined> {
  const [row] = await runStatement<CompanyView>(db, tenantId, toCompanyStatement(tenantId, id, shown));
  return row;
}

/** As this transaction sees it. The company must exist. */
export async function getCompanyView(tx: Tx, tenantId: string, id: string, shown: LicensesShown): Promise<CompanyView> {
  const { text, values } = toCompanyStatement(tenantId, id, shown);
  const [row] = (await clientOf(tx).query<CompanyView>(text, [...values])).rows;
  if (row === undefined) throw new Error(`company ${id} does not exist`);
  return row;
}

/**
 * Companies in the order of their ids, which is the order of creation, with one more than `size` if there is another
 * page. Every row also has the tenant's revision, read from the same snapshot. For a tenant without companies there is
 * one row whose company columns are null.
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

/** Undefined if the tenant does not exist. */
export async function findCompanyPage(
  db: Db,
  tenantId: string,
  { filters, page: { size, after }, shown }: CompanyListing,
): Promise<CompanyPageRows | undefined> {
  const statement = toPageStatement(tenantId, filters, size, after, shown);
  const rows = await runStatement<CompanyView & { revision: string }>(db, tenantId, statement);
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

/** Escapes what has a meaning in a LIKE pattern. */
const toLikeText = (text: string): string => text.replace(/[\\%_]/g, '\\$&');
