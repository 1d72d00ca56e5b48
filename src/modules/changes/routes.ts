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
          'The feed of companies and licenses. Without `page[after]`, it begins with a snapshot: every company and license, then what has changed since, the oldest first. Follow `next_page` until it is null, then keep `cursor` and send it as `page[after]` to read later changes. Applying all entries in this order gives the current data, even if it changes meanwhile. `feed_expired` and `feed_rewound`: begin again without `page[after]`.',
        params: TenantParams,
        querystring: ChangeListQuerySchema,
        headers: listHeaders,
        replies: toListReplies('A page of the feed.', ChangePageSchema),
        errors: ['not_found', 'invalid_cursor', 'feed_rewound', 'feed_expired'],
      }),
    },
    async (request, reply) => {
      const { params, query } = request;
      const path = `/v1/tenants/${params.tenant_id}/changes`;
      const position = pager.toPageRequest(path, query);
      return sendCachedList(request, reply, {
        toEtag: (revision) => pager.toEtag(path, query, revision),
        findRevision: () => findRevision(db, params.tenant_id),
        read: () => listChanges(db, params.tenant_id, position),
        toReply: (page) => ({
          data: page.items.map(toChangeReply),
          next_page: pager.toNextPage(path, query, page),
          cursor: pager.toCursor(path, query, page.position),
          epoch: page.epoch,
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
