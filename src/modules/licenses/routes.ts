import type { Static } from 'typebox';
import type { Db } from '../../db/database.js';
import { ERRORS } from '../../domain/service-error.js';
import { principalOf } from '../../http/auth.js';
import { listHeaders, sendList, toListReplies } from '../../http/list-etag.js';
import { operation } from '../../http/operation.js';
import type { Pager } from '../../http/pages.js';
import { sendEtag, toPrecondition } from '../../http/preconditions.js';
import { etagHeader, ItemParams, ifMatchHeader, locationHeader, TenantParams } from '../../http/primitives.js';
import type { App } from '../../http/server.js';
import { type AvailableLicenseView, type LicensePorts, listAvailableLicenses } from './available-licenses.js';
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
  MOST_IN_BULK,
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

const CHANGE_FAULTS = ['license_type_unknown', 'invalid_dates', 'credential_unknown'] as const;
const LIST_FAULTS = ['setup_incomplete', 'credential_unreadable', 'unknown_state', 'upstream_unavailable'] as const;
const BULK_LIMIT_BYTES = 1024 * 1024;

export interface LicensesDeps extends LicensePorts {
  readonly db: Db;
  readonly pager: Pager;
}

export function registerLicensesRoutes(app: App, { db, pager, ...ports }: LicensesDeps): void {
  app.get(
    '/v1/tenants/:tenant_id/available-licenses',
    {
      schema: operation({
        id: 'listAvailableLicenses',
        tag: 'Licenses',
        summary: "Step 3: the licenses that the state lists under the tenant's UBI",
        description:
          "Reads the state's mirrored list, which is fetched if it is missing or old. Needs a login. Created licenses that are no longer listed there are shown too, with the reason.",
        params: TenantParams,
        replies: { 200: { description: 'All of them.', schema: AvailableLicenseListSchema } },
        errors: ['not_found', ...LIST_FAULTS],
      }),
    },
    async (request) => {
      const licenses = await listAvailableLicenses(db, ports, request.params.tenant_id, principalOf(request));
      return { data: licenses.map(toAvailableLicenseReply), next_page: null };
    },
  );

  app.post(
    '/v1/tenants/:tenant_id/licenses',
    {
      schema: operation({
        id: 'createLicense',
        tag: 'Licenses',
        summary: 'Step 3: create a license',
        description: 'The first license that shall create companies starts the first sync.',
        params: TenantParams,
        body: LicenseBodySchema,
        replies: {
          201: { description: 'Created.', schema: LicenseSchema, headers: { ...etagHeader, ...locationHeader } },
        },
        errors: ['not_found', ...LIST_FAULTS, 'license_exists', 'license_not_available', ...CHANGE_FAULTS],
      }),
    },
    async (request, reply) => {
      const { params, body } = request;
      const view = await createLicense(db, ports, params.tenant_id, toInput(body), principalOf(request));
      sendEtag(reply, view.license.version)
        .code(201)
        .header('location', `/v1/tenants/${params.tenant_id}/licenses/${view.license.id}`);
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
        summary: 'Step 3: create many licenses',
        description: `At most ${MOST_IN_BULK} rows and 1 MiB. Each row has its own result: one that is refused leaves the others as they are.`,
        params: TenantParams,
        body: LicenseBulkBodySchema,
        replies: { 200: { description: 'What became of each row.', schema: LicenseBulkResultSchema } },
        errors: ['not_found', ...LIST_FAULTS],
      }),
    },
    async (request) => {
      const { params, body } = request;
      const inputs = body.licenses.map(toInput);
      return toBulkReply(await createLicenses(db, ports, params.tenant_id, inputs, principalOf(request)));
    },
  );

  app.get(
    '/v1/tenants/:tenant_id/licenses',
    {
      schema: operation({
        id: 'listLicenses',
        tag: 'Licenses',
        summary: 'The created licenses',
        params: TenantParams,
        querystring: LicenseListQuerySchema,
        headers: listHeaders,
        replies: toListReplies('A page, oldest first.', LicensePageSchema),
        errors: ['not_found', 'invalid_cursor'],
      }),
    },
    async (request, reply) => {
      const { params, query } = request;
      const path = `/v1/tenants/${params.tenant_id}/licenses`;
      const archived = query.archived ?? 'exclude';
      const page = await listLicenses(db, params.tenant_id, archived, pager.toPageRequest(path, query));
      return sendList(request, reply, {
        data: page.items.map(toLicenseReply),
        next_page: pager.toNextPage(path, query, page),
      });
    },
  );

  app.get(
    '/v1/tenants/:tenant_id/licenses/:id',
    {
      schema: operation({
        id: 'getLicense',
        tag: 'Licenses',
        summary: 'One created license',
        params: ItemParams,
        replies: { 200: { description: 'The license.', schema: LicenseSchema, headers: etagHeader } },
        errors: ['not_found'],
      }),
    },
    async ({ params }, reply) => {
      const view = await getLicense(db, params.tenant_id, params.id);
      sendEtag(reply, view.license.version);
      return toLicenseReply(view);
    },
  );

  app.patch(
    '/v1/tenants/:tenant_id/licenses/:id',
    {
      schema: operation({
        id: 'updateLicense',
        tag: 'Licenses',
        summary: 'Change a license, archive it or bring it back',
        params: ItemParams,
        headers: ifMatchHeader,
        body: LicensePatchSchema,
        replies: { 200: { description: 'Changed.', schema: LicenseSchema, headers: etagHeader } },
        errors: ['not_found', 'precondition_failed', 'precondition_required', ...CHANGE_FAULTS],
      }),
    },
    async (request, reply) => {
      const { params, body } = request;
      const view = await updateLicense(
        db,
        ports,
        params.tenant_id,
        params.id,
        toPatch(body),
        toPrecondition(request),
        principalOf(request),
      );
      sendEtag(reply, view.license.version);
      return toLicenseReply(view);
    },
  );

  app.delete(
    '/v1/tenants/:tenant_id/licenses/:id',
    {
      schema: operation({
        id: 'archiveLicense',
        tag: 'Licenses',
        summary: 'Take a license away',
        description: 'It is kept, archived, with all that was set; PATCH with `archived: false` brings it back.',
        params: ItemParams,
        headers: ifMatchHeader,
        replies: { 204: { description: 'Archived.' } },
        errors: ['not_found', 'precondition_failed', 'precondition_required'],
      }),
    },
    async (request, reply) => {
      const { params } = request;
      await archiveLicense(db, ports, params.tenant_id, params.id, toPrecondition(request), principalOf(request));
      return reply.code(204).send();
    },
  );
}

function toInput(body: Static<typeof LicenseBodySchema>): LicenseInput {
  const toDate = (text: string | undefined): Date | null => (text === undefined ? null : new Date(text));
  return {
    license_number: body.license_number,
    name: body.name ?? null,
    license_type: body.license_type ?? null,
    issue_datetime: toDate(body.issue_datetime),
    expiry_datetime: toDate(body.expiry_datetime),
    active: body.active ?? true,
    credential_id: body.credential_id ?? null,
    default_intake_location_id: body.default_intake_location_id ?? null,
    sync_enabled: body.sync_enabled ?? true,
    create_companies: body.create_companies ?? true,
    sync_rooms: body.sync_rooms ?? true,
    notify_on_change: body.notify_on_change ?? true,
    share_with_leaflink: body.share_with_leaflink ?? false,
  };
}

/** What is not told stays as it is. */
function toPatch({ issue_datetime, expiry_datetime, ...rest }: Static<typeof LicensePatchSchema>): Patch {
  const toDate = (text: string | null): Date | null => (text === null ? null : new Date(text));
  return {
    ...rest,
    ...(issue_datetime === undefined ? {} : { issue_datetime: toDate(issue_datetime) }),
    ...(expiry_datetime === undefined ? {} : { expiry_datetime: toDate(expiry_datetime) }),
  };
}

function toAvailableLicenseReply({ listed, missingSince, licenseId, conflict }: AvailableLicenseView) {
  return {
    license_number: listed.licenseNumber,
    name: listed.name,
    license_type: listed.licenseType,
    license_type_raw: listed.licenseTypeRaw,
    activities: [...listed.activities],
    address: { ...listed.address },
    ubi: listed.ubi,
    state: licenseId === undefined ? 'available' : conflict === undefined ? 'created' : 'conflict',
    license_id: licenseId ?? null,
    conflict: toConflictReply(conflict),
    active: !listed.isDeleted && missingSince === null && conflict?.reason !== 'missing',
    missing_since_datetime: missingSince?.toISOString() ?? null,
  };
}

const toConflictReply = (conflict: LicenseProblemView | undefined) =>
  conflict === undefined
    ? null
    : { reason: conflict.reason, detail: conflict.detail, since_datetime: conflict.since?.toISOString() ?? null };

function toLicenseReply({ license: row, missingSince, conflict }: LicenseView) {
  const { tenant_id, license_key, version, archived_datetime, ...license } = row;
  return {
    ...license,
    issue_datetime: license.issue_datetime?.toISOString() ?? null,
    expiry_datetime: license.expiry_datetime?.toISOString() ?? null,
    archived: archived_datetime !== null,
    archived_datetime: archived_datetime?.toISOString() ?? null,
    missing_since_datetime: missingSince?.toISOString() ?? null,
    conflict: toConflictReply(conflict),
    inserted_datetime: license.inserted_datetime.toISOString(),
    updated_datetime: license.updated_datetime.toISOString(),
  };
}

function toBulkReply(results: readonly RowResult[]) {
  const data = results.map((result, index) => {
    const { licenseNumber: license_number } = result;
    if ('view' in result) return { license_number, status: 201, license: toLicenseReply(result.view), problem: null };
    const { code, message: detail, extras } = result.fault;
    const { status, title } = ERRORS[code];
    const errors = (extras.errors ?? []).map(({ pointer, ...rest }) => ({
      pointer: `/licenses/${index}${pointer}`,
      ...rest,
    }));
    const { reason = null, conflicting_id = null } = extras;
    return { license_number, status, license: null, problem: { code, title, detail, reason, conflicting_id, errors } };
  });
  const created = results.filter((result) => 'view' in result).length;
  return { created, refused: results.length - created, data };
}
