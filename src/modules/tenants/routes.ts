import type { Db, Tx } from '../../db/database.js';
import { listHeaders, sendList, toListReplies } from '../../http/list-etag.js';
import { operation } from '../../http/operation.js';
import type { Pager } from '../../http/pages.js';
import { sendEtag, toPrecondition } from '../../http/preconditions.js';
import { Body, etagHeader, ifMatchHeader, pageQuery, putHeaders, TenantParams } from '../../http/primitives.js';
import type { App } from '../../http/server.js';
import type { Tenant as TenantRow } from './repository.js';
import { TenantBodySchema, TenantPageSchema, TenantSchema } from './schema.js';
import { deleteTenant, getTenant, listTenants, putTenant, type TenantPorts } from './service.js';

export interface TenantsDeps extends TenantPorts {
  /** See `plans/`, which imports this module. */
  readonly deleteAllCompanies: (tx: Tx) => Promise<void>;
  readonly db: Db;
  readonly pager: Pager;
  /** Called after a tenant was deleted. */
  readonly onTenantDeleted: (tenantId: string) => void;
}

export function registerTenantsRoutes(
  app: App,
  { db, pager, onTenantDeleted, deleteAllCompanies, ...ports }: TenantsDeps,
): void {
  app.get(
    '/v1/tenants',
    {
      schema: operation({
        id: 'listTenants',
        tag: 'Tenants',
        summary: 'List tenants',
        querystring: Body(pageQuery),
        headers: listHeaders,
        replies: toListReplies('A page of tenants, ordered by id.', TenantPageSchema),
        errors: ['invalid_cursor'],
      }),
    },
    async (request, reply) => {
      const { query } = request;
      const page = await listTenants(db, pager.toPageRequest('/v1/tenants', query));
      return sendList(request, reply, {
        data: page.items.map(toTenantReply),
        next_page: pager.toNextPage('/v1/tenants', query, page),
      });
    },
  );

  app.put(
    '/v1/tenants/:tenant_id',
    {
      schema: operation({
        id: 'putTenant',
        tag: 'Tenants',
        summary: 'Create or update a tenant',
        description:
          'The caller chooses the id, so a repeated request creates no second tenant. After the first sync, `state` and `environment` cannot change. Before the first sync, changing them makes the credentials and the UBI `unverified`.',
        params: TenantParams,
        headers: putHeaders,
        body: TenantBodySchema,
        replies: {
          200: { description: 'Updated.', schema: TenantSchema, headers: etagHeader },
          201: { description: 'Created.', schema: TenantSchema, headers: etagHeader },
        },
        errors: ['unknown_state', 'fixed_after_first_sync', 'precondition_failed', 'precondition_required'],
      }),
    },
    async (request, reply) => {
      const { params, body } = request;
      const result = await putTenant(db, ports, params.tenant_id, body, toPrecondition(request));
      sendEtag(reply, result.tenant.version).code(result.created ? 201 : 200);
      return toTenantReply(result.tenant);
    },
  );

  app.get(
    '/v1/tenants/:tenant_id',
    {
      schema: operation({
        id: 'getTenant',
        tag: 'Tenants',
        summary: 'Get a tenant',
        params: TenantParams,
        replies: { 200: { description: 'The tenant.', schema: TenantSchema, headers: etagHeader } },
        errors: ['not_found'],
      }),
    },
    async ({ params }, reply) => {
      const tenant = await getTenant(db, params.tenant_id);
      sendEtag(reply, tenant.version);
      return toTenantReply(tenant);
    },
  );

  app.delete(
    '/v1/tenants/:tenant_id',
    {
      schema: operation({
        id: 'deleteTenant',
        tag: 'Tenants',
        summary: 'Delete a tenant',
        description:
          'Permanently deletes the tenant with its API keys, credentials, licenses, companies and history; only the audit is kept for a time. This cannot be undone. Takes some seconds for a tenant of 100,000 licenses.',
        params: TenantParams,
        headers: ifMatchHeader,
        replies: { 204: { description: 'Deleted.' } },
        errors: ['not_found', 'precondition_failed', 'precondition_required'],
      }),
    },
    async (request, reply) => {
      await deleteTenant(db, deleteAllCompanies, request.params.tenant_id, toPrecondition(request));
      onTenantDeleted(request.params.tenant_id);
      return reply.code(204).send();
    },
  );
}

function toTenantReply({ id, name, state, environment, insertedAt, updatedAt }: TenantRow) {
  return {
    id,
    name,
    state,
    environment,
    inserted_datetime: insertedAt.toISOString(),
    updated_datetime: updatedAt.toISOString(),
  };
}
