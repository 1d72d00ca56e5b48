import type { Client, components } from '#client';
import { PAGE_SIZE } from './api-client.js';

export type ListedCompany = components['schemas']['Company'];

const MAX_LISTED_COMPANIES = 20;

export interface CompanyCount {
  readonly companies: number;
  /** Active licenses of these companies. */
  readonly licenses: number;
  readonly first: readonly ListedCompany[];
}

export async function countCompanies(client: Client, tenantId: string): Promise<CompanyCount> {
  const first: ListedCompany[] = [];
  let companies = 0;
  let licenses = 0;
  const params = { path: { tenant_id: tenantId }, query: { 'page[size]': PAGE_SIZE } };
  for await (const company of client.paginate('/v1/tenants/{tenant_id}/companies', { params })) {
    companies += 1;
    licenses += company.licenses.length;
    if (first.length < MAX_LISTED_COMPANIES) first.push(company);
  }
  return { companies, licenses, first };
}
