import type { Biotrack } from '../../biotrack/index.js';
import type { Db, Tx } from '../../db/database.js';
import { type PageOf, type PageRequest, toJsonBytes, toPage } from '../../domain/page.js';
import { type Principal, toActor, toUserId } from '../../domain/principal.js';
import { notFound, ServiceError } from '../../domain/service-error.js';
import type { Vault } from '../../vault/index.js';
import { requireCreationPreference } from '../creation-preference/index.js';
import { requireUsableCredential } from '../credentials/index.js';
import { inLockedTenant, inTenant } from '../tenants/index.js';
import { requireUbi } from '../ubi/index.js';
import { toReasonMessage } from './messages.js';
import {
  countOpenPreviews,
  findActiveRun,
  findRun,
  forceRefresh,
  insertRun,
  type RunFilters,
  type RunTrigger,
  retryNow,
  type SyncRun,
  secondsUntilForceable,
  selectRuns,
  supersedeReviews,
} from './repository.js';

export interface StartSyncInput {
  readonly mode: SyncRun['mode'];
  readonly refresh: SyncRun['refresh'];
  readonly principal: Principal;
}

export interface StartSyncPorts {
  readonly biotrack: Biotrack;
  readonly vault: Vault;
  readonly newId: () => string;
  /** Minimum time between two forced refreshes of a tenant. */
  readonly forcedRefreshSeconds: number;
}

/** Starts a run. A tenant has one full run at a time: if one is queued or running, returns that one. */
export const startSync = (
  db: Db,
  ports: StartSyncPorts,
  tenantId: string,
  { mode, refresh, principal }: StartSyncInput,
): Promise<SyncRun> =>
  inLockedTenant(db, tenantId, async (tx, tenant) => {
    await requireUbi(tx, tenantId);
    const { strategy } = await requireCreationPreference(tx, tenantId);
    await requireUsableCredential(tx, ports, tenant, toUserId(principal));
    const waitSeconds = refresh === 'force' ? await secondsUntilForceable(tx, ports.forcedRefreshSeconds) : 0;
    const joinsActive = waitSeconds > 0 && mode === 'full' && (await findActiveRun(tx)) !== undefined;
    if (waitSeconds > 0 && !joinsActive) {
      const detail = `The list was just fetched. The next forced refresh is possible in ${waitSeconds} seconds.`;
      throw tooMany(detail, waitSeconds);
    }
    if (mode === 'preview' && (await countOpenPreviews(tx)) >= MAX_OPEN_PREVIEWS)
      throw tooMany('Wait until a preview has finished.', PREVIEW_RETRY_SECONDS);
    return queueRun(tx, ports.newId, tenantId, {
      trigger: 'request',
      mode,
      // Too early to force the active run, which is only joined.
      refresh: joinsActive ? 'auto' : refresh,
      strategy,
      requestedBy: toActor(principal),
    });
  });

const tooMany = (detail: string, retryAfterSeconds: number): ServiceError =>
  new ServiceError('rate_limited', detail, { retryAfterSeconds });

/** Queued or running previews of a tenant. */
const MAX_OPEN_PREVIEWS = 3;
const PREVIEW_RETRY_SECONDS = 5;

export interface RunRequest {
  readonly trigger: RunTrigger;
  readonly mode: SyncRun['mode'];
  readonly refresh: SyncRun['refresh'];
  readonly strategy: SyncRun['strategy'];
  readonly requestedBy: string;
}

/**
 * Queues a run, or returns the active full run. Supersedes runs in review. Previews are always new runs. The tenant
 * must be locked, so that two concurrent requests cannot both find no active run.
 */
export async function queueRun(tx: Tx, newId: () => string, tenantId: string, request: RunRequest): Promise<SyncRun> {
  const active = request.mode === 'full' ? await findActiveRun(tx) : undefined;
  if (active !== undefined) {
    if (request.refresh === 'force') await forceRefresh(tx, active.id);
    if (request.trigger !== 'schedule') await retryNow(tx, tenantId, active.id);
    return (await findRun(tx, active.id)) ?? active;
  }
  if (request.mode === 'full') await supersedeReviews(tx, toReasonMessage('superseded'));
  return insertRun(tx, tenantId, { id: newId(), includeLabs: null, ...request });
}

export const getSync = (db: Db, tenantId: string, id: string): Promise<SyncRun> =>
  inTenant(db, tenantId, async (tx) => {
    const run = await findRun(tx, id);
    if (run === undefined) throw notFound('sync run');
    return run;
  });

export const listSyncs = (
  db: Db,
  tenantId: string,
  filters: RunFilters,
  { size, after }: PageRequest,
): Promise<PageOf<SyncRun>> =>
  inTenant(db, tenantId, async (tx) => toPage(await selectRuns(tx, filters, size, after), size, toJsonBytes));
