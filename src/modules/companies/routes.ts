import type { Static } from 'typebox';
import type { Db } from '../../db/database.js';
import { toLicenseKey, toUbiKey } from '../../domain/key.js';
import { SHOWN_LISTING_FIELDS, type ShownListing, toLicenseTypeLabel } from '../../domain/license-fields.js';
import { fromSnakeCaseFields, toFieldPairs, toSnakeCaseFields } from '../../domain/snake-case.js';
import { principalOf } from '../../http/auth.js';
import { toEtag } from '../../http/etag.js';
import type { ListRoutes } from '../../http/list-route.js';
import { operation } from '../../http/operation.js';
import { toPrecondition } from '../../http/preconditions.js';
import { ifMatchHeader, locationHeader, TenantParams, toItemParams } from '../../http/primitives.js';
import { parseDatetimeRange } from '../../http/ranges.js';
import type { App } from '../../http/server.js';
import { type CompanyEdits, EDITABLE_FIELDS } from './company.js';
import { createCompany, editCompany, type ManualCompanyPorts } from './edit-service.js';
import { type Decided, type Explanation, explainCompany } from './explain-service.js';
import { getHistory, type History } from './history-service.js';
import type { CompanyFilters } from './list-repository.js';
import type { CompanyLicenseView, CompanyView } from './repository.js';
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
import { parseIds, parseSearch } from './search.js';
import { findRevision, getCompany, listCompanies, type RevisionedPage } from './service.js';

export interface CompaniesDeps extends ManualCompanyPorts {
  readonly db: Db;
  readonly lists: ListRoutes;
}

export function registerCompaniesRoutes(app: App, { db, lists, ...ports }: CompaniesDeps): void {
  lists.registerCached(app, {
    path: '/v1/tenants/:tenant_id/companies',
    id: 'listCompanies',
    tag: 'Companies',
    summary: 'List companies',
    description:
      'Companies with their licenses, by default the oldest first. Archived companies are excluded by default. All filters must match. A filter over licenses must match one of the shown licenses (see `licenses`); different filters can match different licenses.',
    params: TenantParams,
    querystring: CompanyListQuerySchema,
    schema: CompanyPageSchema,
    pageDescription: 'A page of companies.',
    findRevision: ({ params }) => findRevision(db, params.tenant_id),
    list: ({ params, query, page }) =>
      listCompanies(db, params.tenant_id, {
        filters: toFilters(query),
        page,
        shown: query.licenses ?? 'active',
        sort: query.sort,
        isDescending: query.direction === 'desc',
        withTotal: query.include === 'total',
      }),
    toReply: toCompanyReply,
    toFields: ({ total }: RevisionedPage<CompanyView>) => (total === undefined ? {} : { total }),
  });

  app.get(
    '/v1/tenants/:tenant_id/companies/:id',
    {
      schema: operation({
        id: 'getCompany',
        tag: 'Companies',
        summary: 'Get a company',
        description: 'Also returns archived companies.',
        params: toItemParams('company'),
        querystring: CompanyQuerySchema,
        replies: { 200: { description: 'The company.', schema: CompanySchema } },
        errors: ['not_found'],
      }),
    },
    async ({ params, query }) =>
      toCompanyReply(await getCompany(db, params.tenant_id, params.id, query.licenses ?? 'active')),
  );

  app.post(
    '/v1/tenants/:tenant_id/companies',
    {
      schema: operation({
        id: 'createCompany',
        tag: 'Companies',
        summary: 'Create a manual company',
        description:
          'A manual company holds the licenses in `license_numbers` under either strategy. A license that the state does not list yet joins the company once it is listed. A license that the state no longer lists moves here from its archived company at once. Returns 409 `license_taken` if another company holds one of them.',
        params: TenantParams,
        body: CompanyBodySchema,
        replies: {
          201: {
            description: 'The created company.',
            schema: CompanySchema,
            headers: locationHeader,
          },
        },
        errors: ['not_found', 'license_taken'],
      }),
    },
    async (request, reply) => {
      const { params, body } = request;
      const input = { name: body.name, licenseNumbers: body.license_numbers ?? [] };
      const company = await createCompany(db, ports, params.tenant_id, input, principalOf(request));
      reply.code(201).header('location', `/v1/tenants/${params.tenant_id}/companies/${company.id}`);
      return toCompanyReply(company);
    },
  );

  app.patch(
    '/v1/tenants/:tenant_id/companies/:id',
    {
      schema: operation({
        id: 'updateCompany',
        tag: 'Companies',
        summary: 'Update a company',
        description:
          'Saves edits, which syncs and strategy switches never overwrite. Omitted fields keep their values; null deletes an edit. An edited `name` overrides the name from BioTrack until it is set to null.',
        params: toItemParams('company'),
        headers: ifMatchHeader,
        body: CompanyPatchSchema,
        replies: { 200: { description: 'The updated company.', schema: CompanySchema } },
        errors: [
          'not_found',
          'leaflink_customer_taken',
          'not_one_license',
          'precondition_failed',
          'precondition_required',
        ],
      }),
    },
    async (request) => {
      const { params, body } = request;
      const precondition = toPrecondition(request);
      const edits = toEdits(body);
      const principal = principalOf(request);
      return toCompanyReply(
        await editCompany(db, params.tenant_id, {
          id: params.id,
          edits,
          leaflinkCustomerId: body.leaflink_customer_id,
          precondition,
          principal,
        }),
      );
    },
  );

  app.get(
    '/v1/tenants/:tenant_id/companies/:id/explain',
    {
      schema: operation({
        id: 'getCompanyExplanation',
        tag: 'Companies',
        summary: 'Explain a company and its licenses',
        description:
          'Returns why the company exists and which rule gives it each of its licenses, with the normalized keys and the companies that were rejected. Applies the same rules as a sync.',
        params: toItemParams('company'),
        replies: { 200: { description: 'The explanation.', schema: CompanyExplanationSchema } },
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
        summary: 'Get the history of a company',
        description:
          'Returns the names of the company, the licenses that it held and the vendors that held those licenses. Based on the latest 2,000 entries of the change feed about the company.',
        params: toItemParams('company'),
        replies: { 200: { description: 'The history.', schema: CompanyHistorySchema } },
        errors: ['not_found'],
      }),
    },
    async ({ params }) => toHistoryReply(await getHistory(db, params.tenant_id, params.id)),
  );
}

const toDecided = ({ reason, actor, runId, at }: Decided) => ({
  reason,
  actor,
  run_id: runId,
  datetime: at.toISOString(),
});

function toExplanationReply({ company, strategy, created, ownOf, vendorCompanyOf, licenses, names }: Explanation) {
  const nameOf = (id: string | null): string | null => (id === null ? null : (names.get(id) ?? null));
  return {
    id: company.id,
    origin: company.origin,
    archived: company.archivedDatetime !== null,
    superseded_by: company.supersededBy,
    superseded_by_name: nameOf(company.supersededBy),
    strategy,
    created: toDecided(created),
    own_company_of: ownOf?.licenseNumber ?? null,
    vendor_company_of: vendorCompanyOf?.ubiKey ?? null,
    vendor_candidates: (vendorCompanyOf?.candidates ?? []).map((candidate) => ({
      license_number: candidate.licenseNumber,
      transaction_id_original: candidate.transactionIdOriginal,
      company_id: candidate.companyId,
      company_name: nameOf(candidate.companyId),
      verdict: candidate.verdict,
    })),
    licenses: licenses.map(({ license, holding, decided }) => ({
      license_number: license.licenseNumber,
      license_key: license.licenseKey,
      ubi: license.ubi,
      ubi_key: license.ubiKey,
      active: license.active,
      rule: holding.rule,
      rejected: holding.rejected.map(({ companyId, reason }) => ({
        company_id: companyId,
        company_name: nameOf(companyId),
        reason,
      })),
      decided: decided === undefined ? null : toDecided(decided),
    })),
  };
}

const toHistoryReply = ({ names, licenses, owners, completeFrom, companyNames }: History) => ({
  names: names.map(({ name, since, until, actor, runId }) => ({
    name,
    since_datetime: since?.toISOString() ?? null,
    until_datetime: until?.toISOString() ?? null,
    actor,
    run_id: runId,
  })),
  licenses: licenses.map((period) => ({
    license_id: period.licenseId,
    license_number: period.licenseNumber,
    since_datetime: period.since?.toISOString() ?? null,
    since_reason: period.reason,
    from_company_id: period.fromCompanyId,
    from_company_name: companyNames.get(period.fromCompanyId ?? '') ?? null,
    until_datetime: period.until?.toISOString() ?? null,
    until_reason: period.untilReason,
    to_company_id: period.toCompanyId,
    to_company_name: companyNames.get(period.toCompanyId ?? '') ?? null,
  })),
  owners: owners.map(({ licenseNumber, ubi, until }) => ({
    license_number: licenseNumber,
    ubi,
    until_datetime: until?.toISOString() ?? null,
  })),
  complete_from_datetime: completeFrom?.toISOString() ?? null,
});

function toFilters(query: Static<typeof CompanyListQuerySchema>): CompanyFilters {
  const { name, ubi, license_number: licenseNumber, city, origin, archived, updated_datetime: updated } = query;
  const range = updated === undefined ? undefined : parseDatetimeRange('updated_datetime', updated);
  return {
    words: parseSearch(query.q),
    name,
    ubiKey: ubi === undefined ? undefined : (toUbiKey(ubi) ?? undefined),
    licenseKey: licenseNumber === undefined ? undefined : toLicenseKey(licenseNumber),
    city,
    licenseType: query.license_type,
    activity: query.activity,
    origin,
    isOwnCompany: query.is_own_company,
    hasConflict: query.has_conflict,
    ids: parseIds(query.ids),
    archived: archived ?? 'exclude',
    updatedFrom: range?.from,
    updatedTo: range?.to,
  };
}

const toEdits = (body: Static<typeof CompanyPatchSchema>): CompanyEdits => fromSnakeCaseFields(body, EDITABLE_FIELDS);

/** That of its only active license. */
function findLeaflinkCustomer({ licenses }: CompanyView): string | null {
  const [license, ...others] = licenses.filter(({ active }) => active);
  return license === undefined || others.length > 0 ? null : license.leaflinkCustomerId;
}

function toOverrides(company: CompanyView): string[] {
  const overrides: string[] = [];
  for (const [field, snakeCase] of EDITABLE_FIELDS) {
    if (company[field === 'name' ? 'editedName' : field] !== null) overrides.push(snakeCase);
  }
  if (findLeaflinkCustomer(company) !== null) overrides.push('leaflink_customer_id');
  return overrides;
}

export const toCompanyReply = (company: CompanyView) => ({
  id: company.id,
  name: company.name,
  source_name: company.sourceName,
  display_name: company.displayName,
  legal_business_name: company.legalBusinessName,
  ubi: company.ubi,
  origin: company.origin,
  is_own_company: company.isOwnCompany,
  archived: company.archivedDatetime !== null,
  superseded_by: company.supersededBy,
  relationship_type: company.relationshipType,
  leaflink_customer_id: findLeaflinkCustomer(company),
  custom_data: company.customData,
  overrides: toOverrides(company),
  licenses: company.licenses.map(toCompanyLicenseReply),
  etag: toEtag(company.version),
  inserted_datetime: company.insertedDatetime.toISOString(),
  updated_datetime: company.updatedDatetime.toISOString(),
});

const isPlain = (name: keyof ShownListing): name is Exclude<keyof ShownListing, 'address'> => name !== 'address';
const LICENSE_REPLY_FIELDS = toFieldPairs([
  'id',
  ...SHOWN_LISTING_FIELDS.filter(isPlain),
  'active',
  'leaflinkCustomerId',
]);

function toCompanyLicenseReply(license: CompanyLicenseView) {
  const { line1, line2, city, state, zip, missingSinceDatetime } = license;
  return Object.assign(toSnakeCaseFields(license, LICENSE_REPLY_FIELDS), {
    license_type: toLicenseTypeLabel(license),
    address: { line1, line2, city, state, zip },
    missing_since_datetime: missingSinceDatetime === null ? null : new Date(missingSinceDatetime).toISOString(),
  });
}
