import type { Db } from '../../db/database.js';
import { principalOf } from '../../http/auth.js';
import type { ListRoutes } from '../../http/list-route.js';
import { operation } from '../../http/operation.js';
import { TenantParams, toItemParams } from '../../http/primitives.js';
import type { App } from '../../http/server.js';
import { ConflictListQuerySchema, ConflictPageSchema, ConflictSchema, ResolveBodySchema } from './schema.js';
import { type ConflictPorts, type ConflictView, listConflicts, resolveConflict } from './service.js';

export interface ConflictsDeps extends ConflictPorts {
  readonly db: Db;
  readonly lists: ListRoutes;
}

export function registerConflictsRoutes(app: App, { db, lists, ...ports }: ConflictsDeps): void {
  lists.register(app, {
    path: '/v1/tenants/:tenant_id/conflicts',
    id: 'listConflicts',
    tag: 'Companies',
    summary: 'List conflicts',
    description:
      'A conflict means that several companies claim one vendor, because some of them are manual companies. They are kept apart until a user resolves the conflict.',
    params: TenantParams,
    querystring: ConflictListQuerySchema,
    schema: ConflictPageSchema,
    pageDescription: 'A page of conflicts, newest first.',
    list: ({ params, query, page }) => listConflicts(db, params.tenant_id, query.status, page),
    toReply: toConflictReply,
  });

  app.post(
    '/v1/tenants/:tenant_id/conflicts/:id/resolve',
    {
      schema: operation({
        id: 'resolveConflict',
        tag: 'Companies',
        summary: 'Resolve a conflict',
        description:
          'Applies the decision immediately. It remains in effect across syncs and strategy switches. Call again to change the decision; no company is deleted.',
        params: toItemParams('conflict'),
        body: ResolveBodySchema,
        replies: { 200: { description: 'The resolved conflict.', schema: ConflictSchema } },
        errors: ['not_found', 'conflict_closed', 'company_unknown'],
      }),
    },
    async (request) => {
      const { params, body } = request;
      const input = { decision: body.decision, companyId: body.company_id, principal: principalOf(request) };
      return toConflictReply(await resolveConflict(db, ports, params.tenant_id, params.id, input));
    },
  );
}

export const toConflictReply = (conflict: ConflictView) => ({
  id: conflict.id,
  status: conflict.status,
  ubi: conflict.ubi,
  company_ids: [...conflict.companyIds],
  companies: conflict.companies.map(({ id, name, ubi, licenseNumbers }) => ({
    id,
    name,
    ubi,
    license_numbers: [...licenseNumbers],
  })),
  decision: conflict.decision,
  decided_company_id: conflict.decidedCompanyId,
  decided_company_name: conflict.decidedCompanyName,
  decided_by: conflict.decidedBy,
  decided_datetime: conflict.decidedAt?.toISOString() ?? null,
  run_id: conflict.runId,
  inserted_datetime: conflict.insertedAt.toISOString(),
  updated_datetime: conflict.updatedAt.toISOString(),
});
