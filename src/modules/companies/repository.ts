import { type SelectQueryBuilder, sql } from 'kysely';
import type { Tx } from '../../db/database.js';
import type { DB } from '../../db/tables.js';
import type { Strategy } from '../../domain/strategy.js';

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

export async function findStrategy(tx: Tx): Promise<Strategy | undefined> {
  return (await tx.selectFrom('creation_preferences').select('strategy').executeTakeFirst())?.strategy;
}

/** In the order of ids, which is that of creation; one more than `size` tells that there is another page. */
export const listCompanyRows = (
  tx: Tx,
  filters: CompanyFilters,
  size: number,
  after: string | undefined,
): Promise<CompanyRow[]> =>
  filtered(selectCompanies(tx), filters)
    .$if(after !== undefined, (query) => query.where('id', '>', after as string))
    .orderBy('id')
    .limit(size + 1)
    .execute();

type Query = SelectQueryBuilder<DB, 'companies', CompanyRow>;

function filtered(query: Query, filters: CompanyFilters): Query {
  const { name, ubiKey, licenseKey, city, origin, archived, updatedFrom, updatedTo } = filters;
  let narrowed = query;
  if (name !== undefined) {
    narrowed = narrowed.where((eb) =>
      eb(eb.fn.coalesce('edited_name', 'source_name'), 'ilike', `%${toLikeText(name)}%`),
    );
  }
  if (ubiKey !== undefined) narrowed = narrowed.where('ubi_key', '=', ubiKey);
  if (origin !== undefined) narrowed = narrowed.where('origin', '=', origin);
  if (archived === 'exclude') narrowed = narrowed.where('archived_datetime', 'is', null);
  if (archived === 'only') narrowed = narrowed.where('archived_datetime', 'is not', null);
  if (updatedFrom !== undefined) narrowed = narrowed.where('updated_datetime', '>=', updatedFrom);
  if (updatedTo !== undefined) narrowed = narrowed.where('updated_datetime', '<', updatedTo);
  if (licenseKey !== undefined) {
    narrowed = narrowed.where('id', 'in', (eb) =>
      eb.selectFrom('company_licenses').select('company_id').where('license_key', '=', licenseKey),
    );
  }
  if (city !== undefined) {
    narrowed = narrowed.where('id', 'in', (eb) =>
      eb
        .selectFrom('company_licenses')
        .select('company_id')
        .where('active', '=', true)
        .where(sql`lower(city)`, '=', city.toLowerCase()),
    );
  }
  return narrowed;
}

/** Text that LIKE takes literally. */
const toLikeText = (text: string): string => text.replace(/[\\%_]/g, '\\$&');

export const selectLicensesOf = (tx: Tx, companyIds: readonly string[], which: 'active' | 'all') =>
  tx
    .selectFrom('company_licenses')
    .selectAll()
    .where('company_id', 'in', companyIds)
    .$if(which === 'active', (query) => query.where('active', '=', true))
    .orderBy('license_key')
    .execute();

export type CompanyLicenseRow = Awaited<ReturnType<typeof selectLicensesOf>>[number];
