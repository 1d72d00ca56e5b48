import type { Db } from '../../db/database.js';
import { type PageOf, toJsonBytes, toPage } from '../../domain/page.js';
import { notFound } from '../../domain/service-error.js';
import { findRevision } from '../tenants/index.js';
import {
  type CompanyListing,
  type CompanyView,
  findCompanyPage,
  findCompanyView,
  type LicensesShown,
} from './repository.js';

export { findRevision };

/** A page with the tenant's revision that it was read at. */
export interface RevisionedPage<T> extends PageOf<T> {
  readonly revision: string;
}

const BYTES_PER_OBJECT = 1_000;

const toBytes = ({ customData, licenses }: CompanyView): number =>
  BYTES_PER_OBJECT * (1 + licenses.length) + (customData === null ? 0 : toJsonBytes(customData));

export async function listCompanies(
  db: Db,
  tenantId: string,
  listing: CompanyListing,
): Promise<RevisionedPage<CompanyView>> {
  const found = await findCompanyPage(db, tenantId, listing);
  if (found === undefined) throw notFound('tenant');
  return { ...toPage(found.rows, listing.page.size, toBytes), revision: found.revision };
}

export async function getCompany(db: Db, tenantId: string, id: string, shown: LicensesShown): Promise<CompanyView> {
  const company = await findCompanyView(db, tenantId, id, shown);
  if (company !== undefined) return company;
  throw notFound((await findRevision(db, tenantId)) === undefined ? 'tenant' : 'company');
}
