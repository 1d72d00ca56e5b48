import type { ExpressionBuilder } from 'kysely';
import { clientOf, type Db, type Tx } from '../../db/database.js';
import { toListingSelect } from '../../db/license-columns.js';
import { runStatement, type Statement } from '../../db/single-statement.js';
import type { DB } from '../../db/tables.js';
import { SHOWN_LISTING_FIELDS, type ShownListing } from '../../domain/license-fields.js';
import { toSelectList, toSnakeCase } from '../../domain/snake-case.js';
import type { PostalAddress } from '../../domain/vendor.js';
import { COMPANY_FIELDS, type Company } from './company.js';

export type LicensesShown = 'active' | 'all';

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
export const COMPANY = [
  'coalesce(c.edited_name, c.source_name) as name',
  ...COMPANY_FIELDS.map((field) => `c.${toSnakeCase(field)} as "${field}"`),
].join(', ');

const LICENSE = `id, ${toListingSelect(SHOWN_LISTING_FIELDS)}, active, leaflink_customer_id as "leaflinkCustomerId",
  missing_since_datetime as "missingSinceDatetime"`;

export const toLicenses = (shown: LicensesShown): string => `
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
