import type { Db } from '../../db/database.js';
import { type PageOf, toJsonBytes, toPage } from '../../domain/page.js';
import { notFound } from '../../domain/service-error.js';
import { findRevision } from '../tenants/index.js';
import { type CompanyListing, findCompanyPage, toPosition } from './list-repository.js';
import { type CompanyView, findCompanyView, type LicensesShown } from './repository.js';

export { findRevision };

/** A page with the tenant's revision that it was read at. */
export interface RevisionedPage<T> extends PageOf<T> {
  readonly revision: string;
  /** The number of items on all pages, if it was requested. */
  readonly total: number | undefined;
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
  const { items, nextAfter } = toPage(found.rows, listing.page.size, toBytes);
  const last = nextAfter === undefined ? undefined : items.at(-1);
  return { items, nextAfter: last && toPosition(last), revision: found.revision, total: found.total };
}

export async function getCompany(db: Db, tenantId: string, id: string, shown: LicensesShown): Promise<CompanyView> {
  const company = await findCompanyView(db, tenantId, id, shown);
  if (company !== undefined) return company;
  throw notFound((await findRevision(db, tenantId)) === undefined ? 'tenant' : 'company');
}
