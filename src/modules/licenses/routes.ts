import type { Static } from 'typebox';
import type { Db } from '../../db/database.js';
import { principalOf } from '../../http/auth.js';
import { operation } from '../../http/operation.js';
import type { Pager } from '../../http/pages.js';
import { sendEtag } from '../../http/preconditions.js';
import { Body, etagHeader, ItemParams, locationHeader, pageQuery, TenantParams } from '../../http/primitives.js';
import type { App } from '../../http/server.js';
import type { LicenseRow } from './repository.js';
import { AvailableLicenseList, License, LicenseBody, LicensePage } from './schema.js';
import {
  type AvailableLicense,
  createLicense,
  getLicense,
  type LicenseInput,
  type LicensePorts,
  listAvailableLicenses,
  listLicenses,
} from './service.js';

export interface LicensesDeps extends LicensePorts {
  readonly db: Db;
  readonly pager: Pager;
}

export function useLicenses(app: App, { db, pager, ...ports }: LicensesDeps): void {
  app.get(
    '/v1/tenants/:tenant_id/available-licenses',
    {
      schema: operation({
        id: 'listAvailableLicenses',
        tag: 'Licenses',
        summary: "Step 3: the licenses that the state lists under the tenant's UBI",
        description: "Reads the state's mirrored list, which is fetched if it is missing or old. Needs a login.",
        params: TenantParams,
        replies: { 200: { description: 'All of them.', schema: AvailableLicenseList } },
        faults: ['not_found', 'setup_incomplete', 'credential_unreadable', 'upstream_unavailable'],
      }),
    },
    async ({ params }) => {
      const licenses = await listAvailableLicenses(db, ports, params.tenant_id);
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
        body: LicenseBody,
        replies: { 201: { description: 'Created.', schema: License, headers: { ...etagHeader, ...locationHeader } } },
        faults: [
          'not_found',
          'setup_incomplete',
          'license_exists',
          'license_not_available',
          'license_type_unknown',
          'invalid_dates',
          'credential_unknown',
          'credential_unreadable',
          'upstream_unavailable',
        ],
      }),
    },
    async (request, reply) => {
      const { params, body } = request;
      const license = await createLicense(db, ports, params.tenant_id, toInput(body), principalOf(request));
      sendEtag(reply, license.version)
        .code(201)
        .header('location', `/v1/tenants/${params.tenant_id}/licenses/${license.id}`);
      return toLicenseReply(license);
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
        querystring: Body(pageQuery),
        replies: { 200: { description: 'A page, oldest first.', schema: LicensePage } },
        faults: ['not_found', 'invalid_cursor'],
      }),
    },
    async ({ params, query }) => {
      const path = `/v1/tenants/${params.tenant_id}/licenses`;
      const page = await listLicenses(db, params.tenant_id, pager.toPageRequest(path, query));
      return { data: page.items.map(toLicenseReply), next_page: pager.toNextPage(path, query, page) };
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
        replies: { 200: { description: 'The license.', schema: License, headers: etagHeader } },
        faults: ['not_found'],
      }),
    },
    async ({ params }, reply) => {
      const license = await getLicense(db, params.tenant_id, params.id);
      sendEtag(reply, license.version);
      return toLicenseReply(license);
    },
  );
}

function toInput(body: Static<typeof LicenseBody>): LicenseInput {
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

function toAvailableLicenseReply({ listed, licenseId }: AvailableLicense) {
  return {
    license_number: listed.licenseNumber,
    name: listed.name,
    license_type: listed.licenseType,
    license_type_raw: listed.licenseTypeRaw,
    activities: [...listed.activities],
    address: { ...listed.address },
    ubi: listed.ubi,
    state: licenseId === undefined ? 'available' : 'created',
    license_id: licenseId ?? null,
    active: !listed.isDeleted,
  };
}

function toLicenseReply({ tenant_id, license_key, version, ...license }: LicenseRow) {
  return {
    ...license,
    issue_datetime: license.issue_datetime?.toISOString() ?? null,
    expiry_datetime: license.expiry_datetime?.toISOString() ?? null,
    inserted_datetime: license.inserted_datetime.toISOString(),
    updated_datetime: license.updated_datetime.toISOString(),
  };
}
