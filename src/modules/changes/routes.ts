import type { Db } from '../../db/database.js';
import { listHeaders, type SendMarkedList, toListReplies } from '../../http/list-etag.js';
import { operation } from '../../http/operation.js';
import type { Pager } from '../../http/pages.js';
import { TenantParams } from '../../http/primitives.js';
import type { App } from '../../http/server.js';
import type { ChangeRow } from './repository.js';
import { ChangeListQuery, ChangePage } from './schema.js';
import { findMark, listChanges } from './service.js';

export interface ChangesDeps {
  readonly db: Db;
  readonly pager: Pager;
  readonly sendMarkedList: SendMarkedList;
}

export function useChanges(app: App, { db, pager, sendMarkedList }: ChangesDeps): void {
  app.get(
    '/v1/tenants/:tenant_id/changes',
    {
      schema: operation({
        id: 'listChanges',
        tag: 'Companies',
        summary: 'What happened to companies and their licenses, in order',
        description: 'Replayed from the beginning it gives the present state; it is never rewritten.',
        params: TenantParams,
        querystring: ChangeListQuery,
        headers: listHeaders,
        replies: toListReplies('A page, oldest first.', ChangePage),
        faults: ['not_found', 'invalid_cursor'],
      }),
    },
    async (request, reply) => {
      const { params, query } = request;
      const path = `/v1/tenants/${params.tenant_id}/changes`;
      const position = pager.toPageRequest(path, query);
      return sendMarkedList(request, reply, {
        toEtag: (mark) => pager.toEtag(path, query, mark),
        findMark: () => findMark(db, params.tenant_id),
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
