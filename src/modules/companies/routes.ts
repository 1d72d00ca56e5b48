import type { Static } from 'typebox';
import type { Db } from '../../db/database.js';
import { toLicenseKey, toUbiKey } from '../../domain/key.js';
import { operation } from '../../http/operation.js';
import type { Pager } from '../../http/pages.js';
import { sendEtag } from '../../http/preconditions.js';
import { etagHeader, ItemParams, TenantParams } from '../../http/primitives.js';
import { parseDatetimeRange } from '../../http/ranges.js';
import type { App } from '../../http/server.js';
import type { CompanyFilters, CompanyLicenseRow } from './repository.js';
import { Company, CompanyListQuery, CompanyPage, CompanyQuery } from './schema.js';
import { type CompanyView, getCompany, listCompanies } from './service.js';

export interface CompaniesDeps {
  readonly db: Db;
  readonly pager: Pager;
}

export function useCompanies(app: App, { db, pager }: CompaniesDeps): void {
  app.get(
    '/v1/tenants/:tenant_id/companies',
    {
      schema: operation({
        id: 'listCompanies',
        tag: 'Companies',
        summary: 'The companies, each with its licenses',
        params: TenantParams,
        querystring: CompanyListQuery,
        replies: { 200: { description: 'A page, oldest first.', schema: CompanyPage } },
        faults: ['not_found', 'invalid_cursor'],
      }),
    },
    async ({ params, query }) => {
      const path = `/v1/tenants/${params.tenant_id}/companies`;
      const request = pager.toPageRequest(path, query);
      const page = await listCompanies(db, params.tenant_id, toFilters(query), request, query.licenses ?? 'active');
      return { data: page.items.map(toCompanyReply), next_page: pager.toNextPage(path, query, page) };
    },
  );

  app.get(
    '/v1/tenants/:tenant_id/companies/:id',
    {
      schema: operation({
        id: 'getCompany',
        tag: 'Companies',
        summary: 'One company; an archived one answers too',
        params: ItemParams,
        querystring: CompanyQuery,
        replies: { 200: { description: 'The company.', schema: Company, headers: etagHeader } },
        faults: ['not_found'],
      }),
    },
    async ({ params, query }, reply) => {
      const view = await getCompany(db, params.tenant_id, params.id, query.licenses ?? 'active');
      sendEtag(reply, view.company.version);
      return toCompanyReply(view);
    },
  );
}

function toFilters(query: Static<typeof CompanyListQuery>): CompanyFilters {
  const { name, ubi, license_number: licenseNumber, city, origin, archived, updated_datetime: updated } = query;
  const range = updated === undefined ? undefined : parseDatetimeRange('updated_datetime', updated);
  return {
    name,
    ubiKey: ubi === undefined ? undefined : (toUbiKey(ubi) ?? undefined),
    licenseKey: licenseNumber === undefined ? undefined : toLicenseKey(licenseNumber),
    city,
    origin,
    archived: archived ?? 'exclude',
    updatedFrom: range?.from,
    updatedTo: range?.to,
  };
}

/** Where a person's word is kept: the fields of a company that are his alone, or his instead of BioTrack's. */
const EDITABLE = {
  name: 'edited_name',
  legal_business_name: 'legal_business_name',
  relationship_type: 'relationship_type',
  leaflink_customer_id: 'leaflink_customer_id',
  custom_data: 'custom_data',
} as const;

function toCompanyReply({ company, licenses }: CompanyView) {
  return {
    id: company.id,
    name: company.name,
    source_name: company.source_name,
    display_name: company.display_name,
    legal_business_name: company.legal_business_name,
    ubi: company.ubi,
    origin: company.origin,
    is_own_company: company.is_own_company,
    archived: company.archived_datetime !== null,
    superseded_by: company.superseded_by,
    relationship_type: company.relationship_type,
    leaflink_customer_id: company.leaflink_customer_id,
    custom_data: company.custom_data as Record<string, unknown> | null,
    overrides: Object.entries(EDITABLE).flatMap(([field, column]) => (company[column] === null ? [] : field)),
    licenses: licenses.map(toCompanyLicenseReply),
    inserted_datetime: company.inserted_datetime.toISOString(),
    updated_datetime: company.updated_datetime.toISOString(),
  };
}

function toCompanyLicenseReply(license: CompanyLicenseRow) {
  return {
    id: license.id,
    license_number: license.license_number,
    name: license.name,
    license_type: license.license_type,
    license_type_raw: license.license_type_raw,
    activities: license.activities,
    address: {
      line1: license.address_line1,
      line2: license.address_line2,
      city: license.city,
      state: license.address_state,
      zip: license.zip,
    },
    ubi: license.ubi,
    active: license.active,
    missing_since_datetime: license.missing_since_datetime?.toISOString() ?? null,
  };
}
