import type { Static } from 'typebox';
import type { Db } from '../../db/database.js';
import { DEFAULT_SETTINGS, type LicenseSettings, SETTING_NAMES } from '../../domain/license.js';
import { SHOWN_LISTING_FIELDS, toLicenseTypeLabel } from '../../domain/license-fields.js';
import { ERRORS, type ServiceError } from '../../domain/service-error.js';
import { fromSnakeCaseFields, toFieldPairs, toSnakeCaseFields } from '../../domain/snake-case.js';
import { principalOf } from '../../http/auth.js';
import { toEtag } from '../../http/etag.js';
import type { ListRoutes } from '../../http/list-route.js';
import { operation } from '../../http/operation.js';
import { toPrecondition } from '../../http/preconditions.js';
import { ifMatchHeader, locationHeader, TenantParams, toItemParams } from '../../http/primitives.js';
import type { App } from '../../http/server.js';
import { type LicensePorts, listAvailableLicenses } from './available-licenses.js';
import type { OwnLicense, OwnList } from './own-list.js';
import type { LicenseProblemView } from './problem.js';
import {
  AvailableLicenseListSchema,
  LicenseBodySchema,
  LicenseBulkBodySchema,
  LicenseBulkResultSchema,
  LicenseListQuerySchema,
  LicensePageSchema,
  LicensePatchSchema,
  LicenseSchema,
  MAX_BULK_LICENSES,
} from './schema.js';
import {
  archiveLicense,
  createLicense,
  createLicenses,
  getLicense,
  type LicenseInput,
  type LicenseView,
  listLicenses,
  type LicensePatch as Patch,
  type RowResult,
  updateLicense,
} from './service.js';

const CHANGE_ERRORS = ['license_type_unknown', 'invalid_dates', 'credential_unknown'] as const;
const LIST_ERRORS = [
  'setup_incomplete',
  'credential_unreadable',
  'unknown_state',
  'list_loading',
  'upstream_unavailable',
] as const;
const BULK_LIMIT_BYTES = 1024 * 1024;

export interface LicensesDeps extends LicensePorts {
  readonly db: Db;
  readonly lists: ListRoutes;
}

export function registerLicensesRoutes(app: App, { db, lists, ...ports }: LicensesDeps): void {
  app.get(
    '/v1/tenants/:tenant_id/available-licenses',
    {
      schema: operation({
        id: 'listAvailableLicenses',
        tag: 'Licenses',
        summary: 'List available licenses',
        description:
          "Returns all licenses that the state lists under the tenant's UBI, and those of the tenant's licenses that it no longer lists there. `problem` says why a license cannot be created or no longer matches the list. If the list offers no license at all, `list.problem` says why. Fetches the state's list first if the mirrored copy is missing or old, which requires a usable credential. If the state needs more than 5 seconds, the fetch continues in the background: the response shows the mirrored copy, or is 503 `list_loading` while there is none; if that fetch fails, the next call returns the failure. If the list was refused because it is much shorter than before, the response shows the mirrored copy.",
        params: TenantParams,
        replies: { 200: { description: 'All available licenses.', schema: AvailableLicenseListSchema } },
        errors: ['not_found', ...LIST_ERRORS],
      }),
    },
    async (request) => {
      return toListReply(await listAvailableLicenses(db, ports, request.params.tenant_id, principalOf(request)));
    },
  );

  app.post(
    '/v1/tenants/:tenant_id/licenses',
    {
      schema: operation({
        id: 'createLicense',
        tag: 'Licenses',
        summary: 'Create a license',
        description:
          'Creates one of the available licenses. The first license with `create_companies` starts the first sync. Returns 409 `license_exists` if the license was already created, even if it is archived, and 422 `license_not_available` if the state does not list it under the UBI of the tenant, or lists it as deleted (`reason` is `deleted`).',
        params: TenantParams,
        body: LicenseBodySchema,
        replies: {
          201: {
            description: 'The created license.',
            schema: LicenseSchema,
            headers: locationHeader,
          },
        },
        errors: ['not_found', ...LIST_ERRORS, 'license_exists', 'license_not_available', ...CHANGE_ERRORS],
      }),
    },
    async (request, reply) => {
      const { params, body } = request;
      const view = await createLicense(db, ports, params.tenant_id, toInput(body), principalOf(request));
      reply.code(201).header('location', `/v1/tenants/${params.tenant_id}/licenses/${view.license.id}`);
      return toLicenseReply(view);
    },
  );

  app.post(
    '/v1/tenants/:tenant_id/licenses/bulk',
    {
      schema: operation({
        id: 'createLicenses',
        bodyLimitBytes: BULK_LIMIT_BYTES,
        tag: 'Licenses',
        summary: 'Create licenses in bulk',
        description: `Creates up to ${MAX_BULK_LICENSES} licenses in one request of up to 1 MiB. Each license has its own result: a rejected one does not affect the others.`,
        params: TenantParams,
        body: LicenseBulkBodySchema,
        replies: { 200: { description: 'The result of each license.', schema: LicenseBulkResultSchema } },
        errors: ['not_found', ...LIST_ERRORS],
      }),
    },
    async (request) => {
      const { params, body } = request;
      const inputs = body.licenses.map(toInput);
      return toBulkReply(await createLicenses(db, ports, params.tenant_id, inputs, principalOf(request)));
    },
  );

  lists.register(app, {
    path: '/v1/tenants/:tenant_id/licenses',
    id: 'listLicenses',
    tag: 'Licenses',
    summary: 'List licenses',
    description: 'Created licenses, the oldest first. Archived licenses are excluded by default.',
    params: TenantParams,
    querystring: LicenseListQuerySchema,
    schema: LicensePageSchema,
    pageDescription: 'A page of licenses.',
    list: ({ params, query, page }) => listLicenses(db, params.tenant_id, query.archived ?? 'exclude', page),
    toReply: toLicenseReply,
  });

  app.get(
    '/v1/tenants/:tenant_id/licenses/:id',
    {
      schema: operation({
        id: 'getLicense',
        tag: 'Licenses',
        summary: 'Get a license',
        description: 'Also returns archived licenses.',
        params: toItemParams('license'),
        replies: { 200: { description: 'The license.', schema: LicenseSchema } },
        errors: ['not_found'],
      }),
    },
    async ({ params }) => toLicenseReply(await getLicense(db, params.tenant_id, params.id)),
  );

  app.patch(
    '/v1/tenants/:tenant_id/licenses/:id',
    {
      schema: operation({
        id: 'updateLicense',
        tag: 'Licenses',
        summary: 'Update a license',
        description: 'Also archives or restores the license, with `archived`. Omitted fields keep their values.',
        params: toItemParams('license'),
        headers: ifMatchHeader,
        body: LicensePatchSchema,
        replies: { 200: { description: 'The updated license.', schema: LicenseSchema } },
        errors: ['not_found', 'precondition_failed', 'precondition_required', ...CHANGE_ERRORS],
      }),
    },
    async (request) => {
      const { params, body } = request;
      return toLicenseReply(
        await updateLicense(db, ports, params.tenant_id, {
          id: params.id,
          patch: toPatch(body),
          precondition: toPrecondition(request),
          principal: principalOf(request),
        }),
      );
    },
  );

  app.delete(
    '/v1/tenants/:tenant_id/licenses/:id',
    {
      schema: operation({
        id: 'archiveLicense',
        tag: 'Licenses',
        summary: 'Archive a license',
        description: 'The license and its settings are kept. To restore it, PATCH it with `"archived": false`.',
        params: toItemParams('license'),
        headers: ifMatchHeader,
        replies: { 204: { description: 'The license is archived.' } },
        errors: ['not_found', 'precondition_failed', 'precondition_required'],
      }),
    },
    async (request, reply) => {
      const { params } = request;
      await archiveLicense(db, ports, params.tenant_id, {
        id: params.id,
        precondition: toPrecondition(request),
        principal: principalOf(request),
      });
      return reply.code(204).send();
    },
  );
}

const toInput = ({ license_number: licenseNumber, ...body }: Static<typeof LicenseBodySchema>): LicenseInput => ({
  ...DEFAULT_SETTINGS,
  ...toSettings(body),
  licenseNumber,
});

const toPatch = ({ archived, ...body }: Static<typeof LicensePatchSchema>): Patch => ({
  ...toSettings(body),
  ...(archived === undefined ? {} : { archived }),
});

function toSettings({ issue_datetime, expiry_datetime, ...body }: Omit<Static<typeof LicensePatchSchema>, 'archived'>) {
  return fromSnakeCaseFields<Partial<LicenseSettings>>(
    { ...body, issue_datetime: toDate(issue_datetime), expiry_datetime: toDate(expiry_datetime) },
    SETTING_FIELDS,
  );
}

const SETTING_FIELDS = toFieldPairs(SETTING_NAMES);

const toDate = (text: string | null | undefined) => (typeof text === 'string' ? new Date(text) : text);

const LISTING_FIELDS = toFieldPairs(SHOWN_LISTING_FIELDS);

const toListReply = ({ ageSeconds, problem, licenses }: OwnList) => ({
  data: licenses.map(toAvailableLicenseReply),
  list: toDirectoryStatusReply({ ageSeconds, problem }),
  next_page: null,
});

export const toDirectoryStatusReply = ({ ageSeconds, problem }: Pick<OwnList, 'ageSeconds' | 'problem'>) => ({
  // Negative if the Postgres clock was set back.
  age_seconds: ageSeconds === null ? null : Math.max(0, Math.floor(ageSeconds)),
  problem: problem ?? null,
});

function toAvailableLicenseReply({ listed, isActive, missingSince, licenseId, problem }: OwnLicense) {
  return {
    ...toSnakeCaseFields(listed, LISTING_FIELDS),
    license_type: toLicenseTypeLabel(listed),
    state: toState(licenseId, problem),
    license_id: licenseId ?? null,
    problem: toProblemReply(problem),
    active: isActive,
    missing_since_datetime: missingSince?.toISOString() ?? null,
  } as const;
}

function toState(licenseId: string | undefined, problem: LicenseProblemView | undefined) {
  if (licenseId === undefined) return problem === undefined ? 'available' : 'unavailable';
  return problem === undefined ? 'created' : 'problem';
}

const toProblemReply = (problem: LicenseProblemView | undefined) =>
  problem === undefined
    ? null
    : { reason: problem.reason, message: problem.message, since_datetime: problem.since?.toISOString() ?? null };

const SHOWN_FIELDS = toFieldPairs([
  'id',
  'licenseNumber',
  ...SETTING_NAMES,
  'archivedDatetime',
  'insertedDatetime',
  'updatedDatetime',
]);

export const toLicenseReply = ({ license, missingSince, problem }: LicenseView) => ({
  ...toSnakeCaseFields(license, SHOWN_FIELDS),
  archived: license.archivedDatetime !== null,
  missing_since_datetime: missingSince?.toISOString() ?? null,
  problem: toProblemReply(problem),
  etag: toEtag(license.version),
});

function toBulkReply(results: readonly RowResult[]) {
  const data = results.map((result, index) => {
    const { licenseNumber: license_number } = result;
    if ('view' in result) return { license_number, status: 201, license: toLicenseReply(result.view), problem: null };
    return { license_number, license: null, ...toRowProblem(result.error, index) };
  });
  const created = results.filter((result) => 'view' in result).length;
  return { created, rejected: results.length - created, data };
}

function toRowProblem({ code, message: detail, extras }: ServiceError, index: number) {
  const { status, title } = ERRORS[code];
  const { reason = null, conflicting_id = null } = extras;
  const errors = (extras.errors ?? []).map((error) => ({
    pointer: `/licenses/${index}${error.pointer}`,
    detail: error.detail,
  }));
  return { status, problem: { code, title, detail, reason, conflicting_id, errors } };
}
