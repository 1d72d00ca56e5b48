import type { Db } from '../../db/database.js';
import { type PageOf, type PageRequest, toPage } from '../../domain/page.js';
import { notFound } from '../../domain/service-error.js';
import { findRevision } from '../tenants/index.js';
import {
  type CompanyFilters,
  type CompanyView,
  findCompanyPage,
  type LicensesShown,
  readCompany,
} from './repository.js';

export { findRevision };

export interface CompanyListing {
  readonly filters: CompanyFilters;
  readonly page: PageRequest;
  readonly shown: LicensesShown;
}

/** A page, with the revision of the state that it is of. */
export interface RevisionedPage<T> extends PageOf<T> {
  readonly revision: string;
}

export async function listCompanies(
  db: Db,
  tenantId: string,
  { filters, page: { size, after }, shown }: CompanyListing,
): Promise<RevisionedPage<CompanyView>> {
  const found = await findCompanyPage(db, tenantId, filters, size, after, shown);
  if (found === undefined) throw notFound('tenant');
  return { ...toPage(found.rows, size), revision: found.revision };
}

export async function getCompany(db: Db, tenantId: string, id: string, shown: LicensesShown): Promise<CompanyView> {
  const company = await readCompany(db, tenantId, id, shown);
  if (company !== undefined) return company;
  throw notFound((await findRevision(db, tenantId)) === undefined ? 'tenant' : 'company');
}
