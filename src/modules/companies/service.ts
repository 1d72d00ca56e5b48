import type { Db, Tx } from '../../db/database.js';
import { notFound } from '../../domain/fault.js';
import { type PageOf, type PageRequest, toPage } from '../../domain/page.js';
import { inTenant } from '../tenants/index.js';
import {
  type CompanyFilters,
  type CompanyLicenseRow,
  type CompanyRow,
  findCompany,
  listCompanyRows,
  selectLicensesOf,
} from './repository.js';

export interface CompanyView {
  readonly company: CompanyRow;
  readonly licenses: readonly CompanyLicenseRow[];
}

export type LicensesShown = 'active' | 'all';

export const listCompanies = (
  db: Db,
  tenantId: string,
  filters: CompanyFilters,
  { size, after }: PageRequest,
  shown: LicensesShown,
): Promise<PageOf<CompanyView>> =>
  inTenant(db, tenantId, async (tx) => {
    const { items, nextAfter } = toPage(await listCompanyRows(tx, filters, size, after), size);
    return { items: await withLicenses(tx, items, shown), nextAfter };
  });

export const getCompany = (db: Db, tenantId: string, id: string, shown: LicensesShown): Promise<CompanyView> =>
  inTenant(db, tenantId, (tx) => viewCompany(tx, id, shown));

export async function viewCompany(tx: Tx, id: string, shown: LicensesShown): Promise<CompanyView> {
  const company = await findCompany(tx, id);
  if (company === undefined) throw notFound('company');
  const [view] = await withLicenses(tx, [company], shown);
  return view as CompanyView;
}

async function withLicenses(tx: Tx, companies: readonly CompanyRow[], shown: LicensesShown): Promise<CompanyView[]> {
  if (companies.length === 0) return [];
  const ids = companies.map(({ id }) => id);
  const byCompany = new Map<string, CompanyLicenseRow[]>(ids.map((id) => [id, []]));
  for (const license of await selectLicensesOf(tx, ids, shown)) byCompany.get(license.company_id)?.push(license);
  return companies.map((company) => ({ company, licenses: byCompany.get(company.id) ?? [] }));
}
