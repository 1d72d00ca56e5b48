import { BiotrackError } from '../../biotrack/index.js';
import type { Db, Tx } from '../../db/database.js';
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
  ListShrunkError,
  selectLicensesOfUbi,
  selectListings,
} from '../directory/index.js';
import { inTenant, type Tenant } from '../tenants/index.js';
import { requireUbi } from '../ubi/index.js';
import { findLicenseProblem, type LicenseProblemView } from './problem.js';
import { type LicenseRow, selectAllLicenses } from './repository.js';

export interface LicensePorts extends CredentialPorts {
  readonly directories: DirectoryService;
  readonly syncIntervalSeconds: number;
  /** Aborted when this process is about to end. */
  readonly shutdown: AbortSignal;
}

export interface AvailableLicenseView {
  readonly listed: ListedLicense;
  readonly missingSince: Date | null;
  /** The created license, if there is one. */
  readonly licenseId: string | undefined;
  /** Why the created license is not what it was created as. */
  readonly conflict: LicenseProblemView | undefined;
}

/**
 * The licenses that the state lists under the tenant's UBI (no call of BioTrack lists a login's own), and the created
 * ones that it does not list there any more.
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
      ...new Set([...own, ...created.map(toKeyed)].map(({ licenseKey }) => licenseKey)),
    ]);
    const byKey = new Map(created.map((license) => [license.license_key, license]));
    const ground = { isPublished: directory.version > 0, ubiKey };
    const known = new Set(listings.map(({ licenseKey }) => licenseKey));
    return [
      ...listings.map((listing) => {
        const license = byKey.get(listing.licenseKey);
        return {
          listed: listing,
          missingSince: listing.missingSince,
          licenseId: license?.id,
          conflict: license === undefined ? undefined : findLicenseProblem(license, listing, ground),
        };
      }),
      ...created
        .filter(({ license_key }) => !known.has(license_key))
        .map((license) => ({
          listed: toUnlisted(license),
          missingSince: null,
          licenseId: license.id,
          conflict: findLicenseProblem(license, undefined, ground),
        })),
    ].sort((a, b) => (a.listed.licenseKey < b.listed.licenseKey ? -1 : 1));
  });
}

const toKeyed = ({ license_key }: LicenseRow) => ({ licenseKey: license_key });

/** All that is known of a license that the state never listed, such as one of its other data set. */
const toUnlisted = (license: LicenseRow): ListedLicense => ({
  licenseKey: license.license_key,
  licenseNumber: license.license_number,
  ubi: null,
  ubiKey: null,
  name: license.name,
  licenseType: license.license_type,
  licenseTypeRaw: null,
  activities: [],
  address: { line1: null, line2: null, city: null, state: null, zip: null },
  isDeleted: false,
  isLab: false,
  transactionIdOriginal: null,
  contentHash: '',
});

export async function loadOwnLicenses(tx: Tx, tenant: Tenant): Promise<ListedLicense[]> {
  const { ubiKey } = await requireUbi(tx, tenant.id);
  const directory = await findDirectory(tx, tenant.state, tenant.environment);
  return directory === undefined ? [] : selectLicensesOfUbi(tx, directory.id, ubiKey);
}

/** What a caller waits for the state's list, at the most: shorter than the server lets a request take. */
const PATIENCE_MS = 25_000;

/** Sees to it that the state's directory is there and not old, with a login that the caller may use. */
export async function ensureDirectory(
  db: Db,
  ports: LicensePorts,
  tenantId: string,
  principal: Principal,
): Promise<void> {
  const patience = AbortSignal.any([ports.shutdown, AbortSignal.timeout(PATIENCE_MS)]);
  let usable: UsableCredential | undefined;
  try {
    usable = await getUsableCredential(db, ports, tenantId, { userId: toUserId(principal) });
    const { tenant, login } = usable;
    const target = { state: tenant.state, environment: tenant.environment };
    const request = { target, login, includeLabs: false, force: false, signal: patience };
    await ports.directories.ensureFresh(db, { ...request, ...toLoginPorts(db, ports, usable) });
  } catch (error) {
    throw toDirectoryFault(tenantId, usable, error, patience);
  }
}

function toDirectoryFault(
  tenantId: string,
  usable: UsableCredential | undefined,
  error: unknown,
  { aborted }: AbortSignal,
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
      'The list is much shorter than before; an operator has to look at it.',
      {
        reason: 'list_shrunk',
        cause: error,
      },
    );
  }
  if (!aborted) return error;
  return new ServiceError('upstream_unavailable', "The state's list is not there yet. Ask again in a moment.", {
    reason: 'upstream_timeout',
    cause: error,
  });
}
