import type { Static } from 'typebox';
import type { Db } from '../../db/database.js';
import { toLicenseKey, toUbiKey } from '../../domain/key.js';
import { principalOf } from '../../http/auth.js';
import { listHeaders, type SendCachedList, toListReplies } from '../../http/list-etag.js';
import { operation } from '../../http/operation.js';
import type { Pager } from '../../http/pages.js';
import { sendEtag, toPrecondition } from '../../http/preconditions.js';
import { etagHeader, ItemParams, ifMatchHeader, locationHeader, TenantParams } from '../../http/primitives.js';
import { parseDatetimeRange } from '../../http/ranges.js';
import type { App } from '../../http/server.js';
import { createCompany, editCompany } from './edit-service.js';
import { type Decided, type Explanation, explainCompany } from './explain-service.js';
import { getHistory, type History } from './history-service.js';
import type { CompanyFilters, CompanyLicenseView, CompanyView } from './repository.js';
import {
  CompanyBodySchema,
  CompanyExplanationSchema,
  CompanyHistorySchema,
  CompanyListQuerySchema,
  CompanyPageSchema,
  CompanyPatchSchema,
  CompanyQuerySchema,
  CompanySchema,
} from './schema.js';
import { findRevision, getCompany, listCompanies } from './service.js';

export interface CompaniesDeps {
  readonly db: Db;
  readonly pager: Pager;
  readonly sendCachedList: SendCachedList;
  readonly newId: () => string;
}

export function registerCompaniesRoutes(app: App, { db, pager, sendCachedList, newId }: CompaniesDeps): void {
  app.get(
    '/v1/tenants/:tenant_id/companies',
    {
      schema: operation({
        id: 'listCompanies',
        tag: 'Companies',
        summary: 'The companies, each with its licenses',
        params: TenantParams,
        querystring: CompanyListQuerySchema,
        headers: listHeaders,
        replies: toListReplies('A page, oldest first.', CompanyPageSchema),
        errors: ['not_found', 'invalid_cursor'],
      }),
    },
    async (request, reply) => {
      const { params, query } = request;
      const path = `/v1/tenants/${params.tenant_id}/companies`;
      const listing = {
        filters: toFilters(query),
        page: pager.toPageRequest(path, query),
        shown: query.licenses ?? 'active',
      };
      return sendCachedList(request, reply, {
        toEtag: (revision) => pager.toEtag(path, query, revision),
        findRevision: () => findRevision(db, params.tenant_id),
        read: () => listCompanies(db, params.tenant_id, listing),
        toReply: (page) => ({
          data: page.items.map(toCompanyReply),
          next_page: pager.toNextPage(path, query, page),
        }),
      });
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
        querystring: CompanyQuerySchema,
        replies: { 200: { description: 'The company.', schema: CompanySchema, headers: etagHeader } },
        errors: ['not_found'],
      }),
    },
    async ({ params, query }, reply) => {
      const company = await getCompany(db, params.tenant_id, params.id, query.licenses ?? 'active');
      sendEtag(reply, company.version);
      return toCompanyReply(company);
    },
  );

  app.post(
    '/v1/tenants/:tenant_id/companies',
    {
      schema: operation({
        id: 'createCompany',
        tag: 'Companies',
        summary: 'Make a company by hand',
        description:
          'Licenses that it names come to it as soon as the state lists them, and stay with it under either strategy.',
        params: TenantParams,
        body: CompanyBodySchema,
        replies: {
          201: { description: 'Made.', schema: CompanySchema, headers: { ...etagHeader, ...locationHeader } },
        },
        errors: ['not_found', 'license_taken'],
      }),
    },
    async (request, reply) => {
      const { params, body } = request;
      const input = { name: body.name, licenseNumbers: body.license_numbers ?? [] };
      const company = await createCompany(db, newId, params.tenant_id, input, principalOf(request));
      sendEtag(reply, company.version)
        .code(201)
        .header('location', `/v1/tenants/${params.tenant_id}/companies/${company.id}`);
      return toCompanyReply(company);
    },
  );

  app.patch(
    '/v1/tenants/:tenant_id/companies/:id',
    {
      schema: operation({
        id: 'updateCompany',
        tag: 'Companies',
        summary: 'Edit a company',
        description:
          'An edit wins over BioTrack across syncs, switches of the strategy, archive and return, until null takes it back.',
        params: ItemParams,
        headers: ifMatchHeader,
        body: CompanyPatchSchema,
        replies: { 200: { description: 'Edited.', schema: CompanySchema, headers: etagHeader } },
        errors: ['not_found', 'precondition_failed', 'precondition_required'],
      }),
    },
    async (request, reply) => {
      const { params, body } = request;
      const precondition = toPrecondition(request);
      const company = await editCompany(db, params.tenant_id, params.id, body, precondition, principalOf(request));
      sendEtag(reply, company.version);
      return toCompanyReply(company);
    },
  );

  app.get(
    '/v1/tenants/:tenant_id/companies/:id/explain',
    {
      schema: operation({
        id: 'getCompanyExplanation',
        tag: 'Companies',
        summary: 'Why a company exists, and why it holds its licenses',
        description: 'Told by the very rules that a sync applies, with normalised keys and the companies that lost.',
        params: ItemParams,
        replies: { 200: { description: 'As it is now.', schema: CompanyExplanationSchema } },
        errors: ['not_found'],
      }),
    },
    async ({ params }) => toExplanationReply(await explainCompany(db, params.tenant_id, params.id)),
  );

  app.get(
    '/v1/tenants/:tenant_id/companies/:id/history',
    {
      schema: operation({
        id: 'getCompanyHistory',
        tag: 'Companies',
        summary: 'Its names, its licenses, and who held those',
        params: ItemParams,
        replies: { 200: { description: 'From the beginning to now.', schema: CompanyHistorySchema } },
        errors: ['not_found'],
      }),
    },
    async ({ params }) => toHistoryReply(await getHistory(db, params.tenant_id, params.id)),
  );
}

const toDecidedReply = (decided: Decided | undefined) =>
  decided === undefined
    ? null
    : { reason: decided.reason, actor: decided.actor, run_id: decided.runId, datetime: decided.at.toISOString() };

function toExplanationReply({ company, strategy, created, ownOf, standsFor, licenses }: Explanation) {
  return {
    id: company.id,
    origin: company.origin,
    archived: company.archived_datetime !== null,
    superseded_by: company.superseded_by,
    strategy,
    created: toDecidedReply(created),
    own_company_of: ownOf?.licenseNumber ?? null,
    stands_for_ubi: standsFor?.ubiKey ?? null,
    vendor_candidates: (standsFor?.candidates ?? []).map((candidate) => ({
      license_number: candidate.licenseNumber,
      transaction_id_original: candidate.transactionIdOriginal,
      company_id: candidate.companyId,
      verdict: candidate.verdict,
    })),
    licenses: licenses.map(({ license, holding, decided }) => ({
      license_number: license.licenseNumber,
      license_key: license.licenseKey,
      ubi: license.ubi,
      ubi_key: license.ubiKey,
      active: license.active,
      rule: holding.rule,
      rejected: holding.rejected.map(({ companyId, reason }) => ({ company_id: companyId, reason })),
      decided: toDecidedReply(decided),
    })),
  };
}

const toHistoryReply = ({ names, licenses, owners, isCut }: History) => ({
  names: names.map(({ name, since, until, actor, runId }) => ({
    name,
    since_datetime: since.toISOString(),
    until_datetime: until?.toISOString() ?? null,
    actor,
    run_id: runId,
  })),
  licenses: licenses.map((period) => ({
    license_id: period.licenseId,
    license_number: period.licenseNumber,
    since_datetime: period.since.toISOString(),
    since_reason: period.reason,
    from_company_id: period.fromCompanyId,
    until_datetime: period.until?.toISOString() ?? null,
    until_reason: period.untilReason,
    to_company_id: period.toCompanyId,
  })),
  owners: owners.map(({ licenseNumber, ubi, until }) => ({
    license_number: licenseNumber,
    ubi,
    until_datetime: until?.toISOString() ?? null,
  })),
  cut: isCut,
});

function toFilters(query: Static<typeof CompanyListQuerySchema>): CompanyFilters {
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

export function toCompanyReply(company: CompanyView) {
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
    custom_data: company.custom_data,
    overrides: Object.entries(EDITABLE).flatMap(([field, column]) => (company[column] === null ? [] : field)),
    licenses: company.licenses.map(toCompanyLicenseReply),
    inserted_datetime: company.inserted_datetime.toISOString(),
    updated_datetime: company.updated_datetime.toISOString(),
  };
}

function toCompanyLicenseReply(license: CompanyLicenseView) {
  return {
    id: license.id,
    license_number: license.license_number,
    name: license.name,
    license_type: license.license_type,
    license_type_raw: license.license_type_raw,
    activities: license.activities,
    address: {
      line1: license.line1,
      line2: license.line2,
      city: license.city,
      state: license.state,
      zip: license.zip,
    },
    ubi: license.ubi,
    active: license.active,
    missing_since_datetime: toInstant(license.missing_since_datetime),
  };
}

/** Postgres writes times into JSON in its session's time zone. */
const toInstant = (text: string | null): string | null => (text === null ? null : new Date(text).toISOString());
