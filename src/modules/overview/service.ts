import type { Db } from '../../db/database.js';
import { type PageOf, toPage } from '../../domain/page.js';
import { type Principal, toUserId } from '../../domain/principal.js';
import { type ConflictView, loadConflictPage } from '../conflicts/index.js';
import { type Coverage, type CredentialView, findCoverage, loadCredentialPage } from '../credentials/index.js';
import { type LicenseView, loadLicensePage } from '../licenses/index.js';
import { type LoadedSetup, loadSetup, type SetupPorts } from '../setup/index.js';
import { type SyncRun, selectRuns } from '../syncs/index.js';
import { inTenant, type Tenant } from '../tenants/index.js';

export const MAX_CREDENTIALS = 100;
export const MAX_LICENSES = 500;
export const MAX_REVIEWS = 20;
export const MAX_CONFLICTS = 20;

/** What a settings page shows of a tenant. */
export interface Overview {
  readonly tenant: Tenant;
  readonly setup: LoadedSetup;
  readonly credentials: PageOf<CredentialView>;
  /** Of the calling user; undefined for an API key. */
  readonly ownCoverage: Coverage | undefined;
  /** Without archived ones. */
  readonly licenses: PageOf<LicenseView>;
  readonly reviews: readonly SyncRun[];
  readonly conflicts: readonly ConflictView[];
}

/** Reads everything at the same point in time, and nothing whose size grows with the number of companies. */
export const getOverview = (db: Db, ports: SetupPorts, tenantId: string, principal: Principal): Promise<Overview> =>
  inTenant(
    db,
    tenantId,
    async (tx, tenant) => {
      const firstOf = (size: number) => ({ size, after: undefined });
      const userId = toUserId(principal);
      const reviews = await selectRuns(tx, { statuses: ['needs_review'] }, MAX_REVIEWS, undefined);
      return {
        tenant,
        setup: await loadSetup(tx, ports, tenant, principal),
        credentials: await loadCredentialPage(tx, tenantId, firstOf(MAX_CREDENTIALS), principal),
        ownCoverage: userId === undefined ? undefined : await findCoverage(tx, ports, tenant, userId),
        licenses: await loadLicensePage(tx, tenant, 'exclude', firstOf(MAX_LICENSES)),
        reviews: toPage(reviews, MAX_REVIEWS).items,
        conflicts: (await loadConflictPage(tx, 'open', firstOf(MAX_CONFLICTS))).items,
      };
    },
    { isSnapshot: true },
  );
