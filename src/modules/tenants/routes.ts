import type { Db, Tx } from '../../db/database.js';
import { toEtag } from '../../http/etag.js';
import { type ListRoutes, PageQuerySchema } from '../../http/list-route.js';
import { operation } from '../../http/operation.js';
import { toPrecondition } from '../../http/preconditions.js';
import { Body, ifMatchHeader, putHeaders, TenantParams } from '../../http/primitives.js';
import type { App } from '../../http/server.js';
import type { Tenant as TenantRow } from './repository.js';
import { TenantBodySchema, TenantPageSchema, TenantSchema } from './schema.js';
import { deleteTenant, getTenant, listTenants, putTenant, type TenantPorts } from './service.js';

export interface TenantsDeps extends TenantPorts {
  /** See `plans/`, which imports this module. */
  readonly deleteAllCompanies: (tx: Tx) => Promise<void>;
  readonly db: Db;
  readonly lists: ListRoutes;
  /** Called after a tenant was deleted. */
  readonly onTenantDeleted: (tenantId: string) => void;
}

export function registerTenantsRoutes(
  app: App,
  { db, lists, onTenantDeleted, deleteAllCompanies, ...ports }: TenantsDeps,
): void {
  lists.register(app, {
    path: '/v1/tenants',
    id: 'listTenants',
    tag: 'Tenants',
    summary: 'List tenants',
    params: Body({}),
    querystring: PageQuerySchema,
    schema: TenantPageSchema,
    pageDescription: 'A page of tenants, ordered by id.',
    list: ({ page }) => listTenants(db, page),
    toReply: toTenantReply,
  });

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
          200: { description: 'Updated.', schema: TenantSchema },
          201: { description: 'Created.', schema: TenantSchema },
        },
        errors: ['unknown_state', 'fixed_after_first_sync', 'precondition_failed', 'precondition_required'],
      }),
    },
    async (request, reply) => {
      const { params, body } = request;
      const result = await putTenant(db, ports, params.tenant_id, body, toPrecondition(request));
      reply.code(result.created ? 201 : 200);
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
        replies: { 200: { description: 'The tenant.', schema: TenantSchema } },
        errors: ['not_found'],
      }),
    },
    async ({ params }) => toTenantReply(await getTenant(db, params.tenant_id)),
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

export function toTenantReply({ id, name, state, environment, version, insertedAt, updatedAt }: TenantRow) {
  return {
    id,
    name,
    state,
    environment,
    etag: toEtag(version),
    inserted_datetime: insertedAt.toISOString(),
    updated_datetime: updatedAt.toISOString(),
  };
}
