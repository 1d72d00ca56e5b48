import type { Db } from '../../db/database.js';
import { principalOf } from '../../http/auth.js';
import { listHeaders, sendList, toListReplies } from '../../http/list-etag.js';
import { operation } from '../../http/operation.js';
import type { Pager } from '../../http/pages.js';
import { ItemParams, TenantParams } from '../../http/primitives.js';
import type { App } from '../../http/server.js';
import type { ConflictRow } from './repository.js';
import { ConflictListQuerySchema, ConflictPageSchema, ConflictSchema, ResolveBodySchema } from './schema.js';
import { type ConflictPorts, listConflicts, resolveConflict } from './service.js';

export interface ConflictsDeps extends ConflictPorts {
  readonly db: Db;
  readonly pager: Pager;
}

export function registerConflictsRoutes(app: App, { db, pager, ...ports }: ConflictsDeps): void {
  app.get(
    '/v1/tenants/:tenant_id/conflicts',
    {
      schema: operation({
        id: 'listConflicts',
        tag: 'Companies',
        summary: 'What a person must decide, and what was decided',
        description:
          'Several companies could stand for one vendor, because some were made by hand. They are kept apart until a person decides.',
        params: TenantParams,
        querystring: ConflictListQuerySchema,
        headers: listHeaders,
        replies: toListReplies('A page, newest first.', ConflictPageSchema),
        errors: ['not_found', 'invalid_cursor'],
      }),
    },
    async (request, reply) => {
      const { params, query } = request;
      const path = `/v1/tenants/${params.tenant_id}/conflicts`;
      const page = await listConflicts(db, params.tenant_id, query.status, pager.toPageRequest(path, query));
      return sendList(request, reply, {
        data: page.items.map(toConflictReply),
        next_page: pager.toNextPage(path, query, page),
      });
    },
  );

  app.post(
    '/v1/tenants/:tenant_id/conflicts/:id/resolve',
    {
      schema: operation({
        id: 'resolveConflict',
        tag: 'Companies',
        summary: 'Decide a conflict',
        description:
          'Carried out at once and remembered over syncs and switches. Another call changes the decision; nothing is lost by it.',
        params: ItemParams,
        body: ResolveBodySchema,
        replies: { 200: { description: 'Decided.', schema: ConflictSchema } },
        errors: ['not_found', 'conflict_decided', 'company_unknown'],
      }),
    },
    async (request) => {
      const { params, body } = request;
      const input = { decision: body.decision, companyId: body.company_id };
      const principal = principalOf(request);
      return toConflictReply(await resolveConflict(db, ports, params.tenant_id, params.id, input, principal));
    },
  );
}

const toConflictReply = (row: ConflictRow) => ({
  id: row.id,
  status: row.status,
  ubi: row.ubi,
  company_ids: row.company_ids,
  decision: row.decision,
  decided_company_id: row.decided_company_id,
  decided_by: row.decided_by,
  decided_datetime: row.decided_datetime?.toISOString() ?? null,
  run_id: row.run_id,
  inserted_datetime: row.inserted_datetime.toISOString(),
  updated_datetime: row.updated_datetime.toISOString(),
});
