import type { Db } from '../../db/database.js';
import { listHeaders, type SendCachedList, toListReplies } from '../../http/list-etag.js';
import { operation } from '../../http/operation.js';
import type { Pager } from '../../http/pages.js';
import { TenantParams } from '../../http/primitives.js';
import type { App } from '../../http/server.js';
import type { Change } from './repository.js';
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
        summary: 'List changes',
        description:
          'Changes of companies and licenses, oldest first. Entries are never modified. Replaying all of them gives the current data.',
        params: TenantParams,
        querystring: ChangeListQuerySchema,
        headers: listHeaders,
        replies: toListReplies('A page of changes, oldest first.', ChangePageSchema),
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

const toChangeReply = (change: Change) => ({
  seq: change.seq,
  kind: change.kind,
  reason: change.reason,
  company_id: change.companyId,
  license_id: change.licenseId,
  before: change.before,
  after: change.after,
  actor: change.actor,
  run_id: change.runId,
  inserted_datetime: change.insertedAt.toISOString(),
});
