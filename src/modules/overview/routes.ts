import type { Db } from '../../db/database.js';
import type { Principal } from '../../domain/principal.js';
import { principalOf } from '../../http/auth.js';
import { operation } from '../../http/operation.js';
import { TenantParams } from '../../http/primitives.js';
import type { App } from '../../http/server.js';
import { toConflictReply } from '../conflicts/index.js';
import { toPreferenceReply } from '../creation-preference/index.js';
import { toCoverageReply, toCredentialReply } from '../credentials/index.js';
import { toDirectoryStatusReply, toLicenseReply } from '../licenses/index.js';
import { toScheduleReply } from '../schedules/index.js';
import { type SetupPorts, toSetupReply } from '../setup/index.js';
import { toSyncRunReply } from '../syncs/index.js';
import { toTenantReply } from '../tenants/index.js';
import { toUbiReply } from '../ubi/index.js';
import { OverviewSchema } from './schema.js';
import { getOverview, type Overview } from './service.js';

export interface OverviewDeps extends SetupPorts {
  readonly db: Db;
  readonly syncIntervalSeconds: number;
}

export function registerOverviewRoutes(app: App, { db, syncIntervalSeconds, ...ports }: OverviewDeps): void {
  app.get(
    '/v1/tenants/:tenant_id/overview',
    {
      schema: operation({
        id: 'getOverview',
        tag: 'Setup',
        summary: 'Get everything that a settings page shows',
        description:
          'Returns the settings, the checklist and the state of the syncs of a tenant, all as of the same point in time. Each part is what its own operation returns to the caller; a part that is not set yet is null. Never contacts BioTrack. The response changes with the age of the list, so its ETag does too.',
        params: TenantParams,
        replies: { 200: { description: 'The overview.', schema: OverviewSchema } },
        errors: ['not_found'],
      }),
    },
    async (request) => {
      const principal = principalOf(request);
      const overview = await getOverview(db, ports, request.params.tenant_id, principal);
      return toOverviewReply(overview, principal, syncIntervalSeconds);
    },
  );
}

function toOverviewReply(
  { tenant, setup, credentials, ownCoverage, licenses, reviews, conflicts }: Overview,
  principal: Principal,
  syncIntervalSeconds: number,
) {
  const { ubi, preference, list, schedule, lastRun, activeRun, openConflicts } = setup;
  return {
    tenant: toTenantReply(tenant),
    ubi: ubi === undefined ? null : toUbiReply(ubi),
    company_creation_preference: preference === undefined ? null : toPreferenceReply(preference),
    credentials: credentials.items.map(toCredentialReply),
    credentials_truncated: credentials.nextAfter !== undefined,
    own_coverage: ownCoverage === undefined ? null : toCoverageReply(ownCoverage),
    licenses: licenses.items.map(toLicenseReply),
    licenses_truncated: licenses.nextAfter !== undefined,
    list: list === undefined ? null : toDirectoryStatusReply(list),
    setup: toSetupReply(setup),
    schedule: toScheduleReply(schedule, syncIntervalSeconds),
    last_synced_datetime: schedule?.syncedAt?.toISOString() ?? null,
    last_sync: lastRun === undefined ? null : toSyncRunReply(lastRun, principal),
    active_sync: activeRun === undefined ? null : toSyncRunReply(activeRun, principal),
    reviews: reviews.map((run) => toSyncRunReply(run, principal)),
    open_conflicts: conflicts.map(toConflictReply),
    open_conflicts_count: openConflicts,
  };
}
