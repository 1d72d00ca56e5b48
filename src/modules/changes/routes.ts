import type { Db } from '../../db/database.js';
import { operation } from '../../http/operation.js';
import type { Pager } from '../../http/pages.js';
import { TenantParams } from '../../http/primitives.js';
import type { App } from '../../http/server.js';
import type { ChangeRow } from './repository.js';
import { ChangeListQuery, ChangePage } from './schema.js';
import { listChanges } from './service.js';

export interface ChangesDeps {
  readonly db: Db;
  readonly pager: Pager;
}

export function useChanges(app: App, { db, pager }: ChangesDeps): void {
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
        replies: { 200: { description: 'A page, oldest first.', schema: ChangePage } },
        faults: ['not_found', 'invalid_cursor'],
      }),
    },
    async ({ params, query }) => {
      const path = `/v1/tenants/${params.tenant_id}/changes`;
      const request = pager.toPageRequest(path, query);
      const page = await listChanges(db, params.tenant_id, query.after_seq ?? 0, request);
      return { data: page.items.map(toChangeReply), next_page: pager.toNextPage(path, query, page) };
    },
  );
}

const toChangeReply = (row: ChangeRow) => ({
  seq: row.seq,
  kind: row.kind,
  reason: row.reason,
  company_id: row.company_id,
  license_id: row.license_id,
  before: row.before as Record<string, unknown> | null,
  after: row.after as Record<string, unknown> | null,
  actor: row.actor,
  run_id: row.run_id,
  inserted_datetime: row.inserted_datetime.toISOString(),
});
