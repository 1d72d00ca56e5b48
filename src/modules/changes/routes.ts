import type { Db } from '../../db/database.js';
import { listHeaders, type SendCachedList, toListReplies } from '../../http/list-etag.js';
import { operation } from '../../http/operation.js';
import type { Pager } from '../../http/pages.js';
import { TenantParams } from '../../http/primitives.js';
import type { App } from '../../http/server.js';
import type { ChangeRow } from './repository.js';
import { ChangeListQuerySchema, ChangePageSchema } from './schema.js';
import { findRevision, listChanges } from './service.js';

export interface ChangesDeps {
  readonly db: Db;
  readonly pager: Pager;
  readonly sendCachedList: SendCachedList;
}

export function registerChangesRoutes(app: App, { db, pager, sendCachedList }: ChangesDeps): void {
  app.get(
    '/v1/tenants/:tenant_id/changes',
    {
      schema: operation({
        id: 'listChanges',
        tag: 'Companies',
        summary: 'What happened to companies and their licenses, in order',
        description: 'Replayed from the beginning it gives the present state; it is never rewritten.',
        params: TenantParams,
        querystring: ChangeListQuerySchema,
        headers: listHeaders,
        replies: toListReplies('A page, oldest first.', ChangePageSchema),
        errors: ['not_found', 'invalid_cursor'],
      }),
    },
    async (request, reply) => {
      const { params, query } = request;
      const path = `/v1/tenants/${params.tenant_id}/changes`;
      const position = pager.toPageRequest(path, query);
      return sendCachedList(request, reply, {
        toEtag: (revision) => pager.toEtag(path, query, revision),
        findRevision: () => findRevision(db, params.tenant_id),
        read: () => listChanges(db, params.tenant_id, query.after_seq ?? 0, position),
        toReply: (page) => ({
          data: page.items.map(toChangeReply),
          next_page: pager.toNextPage(path, query, page),
        }),
      });
    },
  );
}

const toChangeReply = (row: ChangeRow) => ({
  seq: row.seq,
  kind: row.kind,
  reason: row.reason,
  company_id: row.company_id,
  license_id: row.license_id,
  before: row.before,
  after: row.after,
  actor: row.actor,
  run_id: row.run_id,
  inserted_datetime: row.inserted_datetime.toISOString(),
});
