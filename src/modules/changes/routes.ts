import type { Db } from '../../db/database.js';
import { CHANGE_KINDS } from '../../domain/change-kind.js';
import type { ListRoutes } from '../../http/list-route.js';
import { TenantParams } from '../../http/primitives.js';
import type { App } from '../../http/server.js';
import { parseWordList } from '../../http/word-list.js';
import type { Change } from './repository.js';
import { ChangeListQuerySchema, ChangePageSchema } from './schema.js';
import { findRevision, listChanges } from './service.js';

export interface ChangesDeps {
  readonly db: Db;
  readonly lists: ListRoutes;
}

export function registerChangesRoutes(app: App, { db, lists }: ChangesDeps): void {
  lists.registerCached(app, {
    path: '/v1/tenants/:tenant_id/changes',
    id: 'listChanges',
    tag: 'Companies',
    summary: 'List changes',
    description:
      'The feed of companies and licenses. Without `page[after]`, it begins with a snapshot: every company and license, then what has changed since, the oldest first. Follow `next_page` until it is null, then keep `cursor` and send it as `page[after]` to read later changes. Applying all entries in this order gives the current data, even if it changes meanwhile. `feed_expired` and `feed_rewound`: begin again without `page[after]`. With a filter, the feed has no snapshot: it begins with the oldest change that is kept, and only contains the changes that match all filters. It shows what happened, but the current data cannot be built from it. A page can then be empty although `next_page` is not null.',
    params: TenantParams,
    querystring: ChangeListQuerySchema,
    schema: ChangePageSchema,
    pageDescription: 'A page of the feed.',
    errors: ['feed_rewound', 'feed_expired'],
    findRevision: ({ params }) => findRevision(db, params.tenant_id),
    list: async ({ params, query, page }) => {
      const { kind, company_id: companyId, run_id: runId } = query;
      const filters = { kinds: parseWordList('kind', kind, CHANGE_KINDS), companyId, runId };
      return listChanges(db, params.tenant_id, filters, page);
    },
    toReply: toChangeReply,
    toFields: ({ position, epoch }, toCursor) => ({ cursor: toCursor(position), epoch }),
  });
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
