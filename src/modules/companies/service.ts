import type { Db } from '../../db/database.js';
import { notFound } from '../../domain/fault.js';
import { type PageOf, type PageRequest, toPage } from '../../domain/page.js';
import { findMark } from '../tenants/index.js';
import {
  type CompanyFilters,
  type CompanyView,
  findCompanyPage,
  type LicensesShown,
  readCompany,
} from './repository.js';

export { findMark };

export interface CompanyListing {
  readonly filters: CompanyFilters;
  readonly page: PageRequest;
  readonly shown: LicensesShown;
}

/** A page, with the mark of the state that it is of. */
export interface MarkedPage<T> extends PageOf<T> {
  readonly mark: string;
}

export async function listCompanies(
  db: Db,
  tenantId: string,
  { filters, page: { size, after }, shown }: CompanyListing,
): Promise<MarkedPage<CompanyView>> {
  const found = await findCompanyPage(db, tenantId, filters, size, after, shown);
  if (found === undefined) throw notFound('tenant');
  return { ...toPage(found.rows, size), mark: found.mark };
}

export async function getCompany(db: Db, tenantId: string, id: string, shown: LicensesShown): Promise<CompanyView> {
  const company = await readCompany(db, tenantId, id, shown);
  if (company !== undefined) return company;
  throw notFound((await findMark(db, tenantId)) === undefined ? 'tenant' : 'company');
}
