import type { ApiClient } from './api.js';
import type { components } from './generated/v1.js';
import { listAll } from './pages.js';

export type ListedCompany = components['schemas']['Company'];

const MAX_LISTED_COMPANIES = 20;

export interface CompanyCount {
  readonly companies: number;
  /** Active licenses of these companies. */
  readonly licenses: number;
  readonly first: readonly ListedCompany[];
}

export async function countCompanies(api: ApiClient, tenantId: string): Promise<CompanyCount> {
  const path = { tenant_id: tenantId };
  const first: ListedCompany[] = [];
  let companies = 0;
  let licenses = 0;
  const pages = listAll((query) =>
    api.call((client) => client.GET('/v1/tenants/{tenant_id}/companies', { params: { path, query } })),
  );
  for await (const company of pages) {
    companies += 1;
    licenses += company.licenses.length;
    if (first.length < MAX_LISTED_COMPANIES) first.push(company);
  }
  return { companies, licenses, first };
}
