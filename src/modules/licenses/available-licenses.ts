import { BiotrackError, type BiotrackTarget } from '../../biotrack/index.js';
import { type Db, withoutEffect } from '../../db/database.js';
import { type Principal, toActor, toUserId } from '../../domain/principal.js';
import { ServiceError } from '../../domain/service-error.js';
import {
  type CredentialPorts,
  getUsableCredential,
  isRefusal,
  LoginRefusedError,
  openSession,
  toRefusedError,
  toUpstreamError,
  type UsableCredential,
} from '../credentials/index.js';
import { type DirectoryService, findDirectorySummary, ListShrunkError } from '../directory/index.js';
import { inTenant } from '../tenants/index.js';
import { requireUbi } from '../ubi/index.js';
import type { ListFailures } from './list-failures.js';
import { loadOwnList, type OwnList } from './own-list.js';

export interface LicensePorts extends CredentialPorts {
  readonly directories: DirectoryService;
  readonly listFailures: ListFailures;
  readonly syncIntervalSeconds: number;
  /** Aborted when this process shuts down. */
  readonly shutdown: AbortSignal;
}

/** The state's list, as far as it concerns the tenant. Refreshes the list first if it is missing or old. */
export async function listAvailableLicenses(
  db: Db,
  ports: LicensePorts,
  tenantId: string,
  principal: Principal,
): Promise<OwnList> {
  await ensureDirectory(db, ports, tenantId, principal);
  return inTenant(db, tenantId, async (tx, tenant) => loadOwnList(tx, tenant, (await requireUbi(tx, tenantId)).ubiKey));
}

/** How long a caller waits for the state's list. The fetch goes on after that, for the next caller. */
const LIST_WAIT_MS = 5_000;

/**
 * Refreshes the state's directory if it is missing or old, with a credential that the caller may use. A published
 * directory is good enough if the state takes long to send a newer one, or if the newer one was refused because it is much
 * shorter.
 * @throws ServiceError `list_loading` if the state's first list has not arrived within five seconds. If it fails later, the
 *   caller's next call throws that failure.
 */
export async function ensureDirectory(
  db: Db,
  ports: LicensePorts,
  tenantId: string,
  principal: Principal,
): Promise<void> {
  let usable: UsableCredential | undefined;
  try {
    const credential = await getUsableCredential(db, ports, tenantId, toUserId(principal));
    usable = credential;
    const { tenant } = usable;
    const target = { state: tenant.state, environment: tenant.environment };
    const caller = toCallerKey(usable, principal);
    const failure = ports.listFailures.take(caller);
    if (failure !== undefined && !(await isPublished(db, target))) throw failure;
    // The fetch outlives the request, so what it writes is no effect of the request.
    const refresh = withoutEffect(() =>
      ports.directories.ensureFresh(db, {
        target,
        includeLabs: false,
        force: false,
        signal: ports.shutdown,
        openSession: (signal) => openSession(db, ports, credential, signal),
      }),
    );
    if (await isSettledWithin(refresh, LIST_WAIT_MS)) return;
    if (await isPublished(db, target)) return;
    refresh.catch((error: Error) => ports.listFailures.save(caller, error));
    throw toLoadingError(ports.directories.getPendingSeconds(target));
  } catch (error) {
    // Its published list stays in use until an operator has reviewed the new one.
    if (error instanceof ListShrunkError) return;
    throw toDirectoryError(tenantId, usable, error, ports.shutdown);
  }
}

/** With another login, the failure may no longer apply. */
const toCallerKey = ({ tenant, credential: { id, secretVersion } }: UsableCredential, principal: Principal): string =>
  [tenant.id, id, secretVersion, toActor(principal)].join('/');

/** Rejects if the promise does, but not later. */
async function isSettledWithin(promise: Promise<unknown>, ms: number): Promise<boolean> {
  promise.catch(() => undefined);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  try {
    return await Promise.race([promise.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}

async function isPublished(db: Db, { state, environment }: BiotrackTarget): Promise<boolean> {
  const directory = await findDirectorySummary(db, state, environment);
  return directory !== undefined && directory.version > 0;
}

const toLoadingError = (seconds: number): ServiceError =>
  new ServiceError(
    'list_loading',
    `BioTrack has been preparing the state's list for ${seconds} seconds. The list is fetched in the background. Retry in a few seconds.`,
    { retryAfterSeconds: LIST_WAIT_MS / 1000 },
  );

function toDirectoryError(
  tenantId: string,
  usable: UsableCredential | undefined,
  error: unknown,
  shutdown: AbortSignal,
): unknown {
  if (error instanceof LoginRefusedError) {
    return toRefusedError(tenantId, error.refused.credential, error.reason, error.message);
  }
  if (error instanceof BiotrackError) {
    const { reason, advice } = error;
    const isOfLogin = usable !== undefined && isRefusal(reason);
    return isOfLogin ? toRefusedError(tenantId, usable.credential, reason, advice) : toUpstreamError(error);
  }
  if (!shutdown.aborted) return error;
  return new ServiceError('upstream_unavailable', 'This process is shutting down. Retry in a moment.', {
    cause: error,
  });
}
