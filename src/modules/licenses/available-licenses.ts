import { BiotrackError, type BiotrackTarget } from '../../biotrack/index.js';
import { type Db, type Tx, withoutBeforeCommit } from '../../db/database.js';
import type { License } from '../../domain/license.js';
import { toUnlistedLicense } from '../../domain/license-fields.js';
import type { ListedLicense } from '../../domain/listed-license.js';
import { type Principal, toUserId } from '../../domain/principal.js';
import { ServiceError } from '../../domain/service-error.js';
import {
  type CredentialPorts,
  getUsableCredential,
  isRefusal,
  LoginRefusedError,
  toLoginPorts,
  toRefusedError,
  toUpstreamError,
  type UsableCredential,
} from '../credentials/index.js';
import {
  type DirectoryService,
  findDirectory,
  findDirectorySummary,
  ListShrunkError,
  selectLicensesOfUbi,
  selectListings,
} from '../directory/index.js';
import { inTenant, type Tenant } from '../tenants/index.js';
import { requireUbi } from '../ubi/index.js';
import { findLicenseProblem, type LicenseProblemView } from './problem.js';
import { selectAllLicenses } from './repository.js';

export interface LicensePorts extends CredentialPorts {
  readonly directories: DirectoryService;
  readonly syncIntervalSeconds: number;
  /** Aborted when this process shuts down. */
  readonly shutdown: AbortSignal;
}

export interface AvailableLicenseView {
  readonly listed: ListedLicense;
  readonly missingSince: Date | null;
  /** The id of the created license. Undefined if it was not created. */
  readonly licenseId: string | undefined;
  readonly problem: LicenseProblemView | undefined;
}

/**
 * The licenses that the state lists under the tenant's UBI, and created licenses that it no longer lists there. BioTrack
 * has no call that returns the licenses of a login.
 */
export async function listAvailableLicenses(
  db: Db,
  ports: LicensePorts,
  tenantId: string,
  principal: Principal,
): Promise<AvailableLicenseView[]> {
  await ensureDirectory(db, ports, tenantId, principal);
  return inTenant(db, tenantId, async (tx, tenant) => {
    const { ubiKey } = await requireUbi(tx, tenantId);
    const directory = await findDirectory(tx, tenant.state, tenant.environment);
    if (directory === undefined) return [];
    const created = await selectAllLicenses(tx);
    const own = await selectLicensesOfUbi(tx, directory.id, ubiKey);
    const listings = await selectListings(tx, directory.id, [
      ...new Set([...own, ...created].map(({ licenseKey }) => licenseKey)),
    ]);
    const createdByKey = new Map(created.map((license) => [license.licenseKey, license]));
    const context = { isPublished: directory.version > 0, ubiKey };
    const known = new Set(listings.map(({ licenseKey }) => licenseKey));
    return [
      ...listings.map((listing) => {
        const license = createdByKey.get(listing.licenseKey);
        return {
          listed: listing,
          missingSince: listing.missingSince,
          licenseId: license?.id,
          problem: license === undefined ? undefined : findLicenseProblem(license, listing, context),
        };
      }),
      ...created
        .filter(({ licenseKey }) => !known.has(licenseKey))
        .map((license) => ({
          listed: toUnlisted(license),
          missingSince: null,
          licenseId: license.id,
          problem: findLicenseProblem(license, undefined, context),
        })),
    ].sort((a, b) => (a.listed.licenseKey < b.listed.licenseKey ? -1 : 1));
  });
}

/** For a license that this directory never listed, such as one of the state's other environment. */
const toUnlisted = ({ licenseKey, licenseNumber, name, licenseType }: License): ListedLicense => ({
  ...toUnlistedLicense(licenseKey, licenseNumber),
  name,
  licenseType,
});

export async function loadOwnLicenses(tx: Tx, tenant: Tenant): Promise<ListedLicense[]> {
  const { ubiKey } = await requireUbi(tx, tenant.id);
  const directory = await findDirectory(tx, tenant.state, tenant.environment);
  return directory === undefined ? [] : selectLicensesOfUbi(tx, directory.id, ubiKey);
}

/** How long a caller waits for the state's list. The fetch goes on after that, for the next caller. */
const LIST_WAIT_MS = 5_000;

/**
 * Refreshes the state's directory if it is missing or old, with a credential that the caller may use. A published
 * directory is good enough if the state takes long to send a newer one.
 * @throws ServiceError `list_loading` if the state's first list has not arrived within five seconds
 */
export async function ensureDirectory(
  db: Db,
  ports: LicensePorts,
  tenantId: string,
  principal: Principal,
): Promise<void> {
  let usable: UsableCredential | undefined;
  try {
    usable = await getUsableCredential(db, ports, tenantId, { userId: toUserId(principal) });
    const { tenant, login } = usable;
    const target = { state: tenant.state, environment: tenant.environment };
    const loginPorts = toLoginPorts(db, ports, usable);
    // The fetch outlives the request, so what it writes is no effect of the request.
    const refresh = withoutBeforeCommit(() =>
      ports.directories.ensureFresh(db, {
        target,
        login,
        includeLabs: false,
        force: false,
        signal: ports.shutdown,
        ...loginPorts,
      }),
    );
    if (await isSettledWithin(refresh, LIST_WAIT_MS)) return;
    if (await isPublished(db, target)) return;
    throw toLoadingError(ports.directories.getPendingSeconds(target));
  } catch (error) {
    throw toDirectoryError(tenantId, usable, error, ports.shutdown);
  }
}

/** Rejects if the promise does. If it rejects later, its error is ignored: the next caller meets it. */
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
  const { directory } = await findDirectorySummary(db, state, environment);
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
    return toRefusedError(tenantId, error.credential, error.reason, error.message);
  }
  if (error instanceof BiotrackError) {
    const { reason, advice } = error;
    const isOfLogin = usable !== undefined && isRefusal(reason);
    return isOfLogin ? toRefusedError(tenantId, usable.credential, reason, advice) : toUpstreamError(error);
  }
  if (error instanceof ListShrunkError) {
    return new ServiceError(
      'upstream_unavailable',
      'The state returned a much shorter list than before. An operator must review it.',
      { reason: 'list_shrunk', cause: error },
    );
  }
  if (!shutdown.aborted) return error;
  return new ServiceError('upstream_unavailable', 'This process is shutting down. Retry in a moment.', {
    cause: error,
  });
}
