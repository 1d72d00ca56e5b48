import { type Biotrack, BiotrackError } from '../../biotrack/index.js';
import type { Db, Tx } from '../../db/database.js';
import { Fault, notFound } from '../../domain/fault.js';
import { toLicenseKey } from '../../domain/key.js';
import type { ListedLicense } from '../../domain/listed-license.js';
import { type PageOf, type PageRequest, toPage } from '../../domain/page.js';
import { type Principal, toActor } from '../../domain/principal.js';
import { setupIncomplete } from '../../domain/setup.js';
import { requireCreationPreference } from '../creation-preference/index.js';
import {
  type CredentialPorts,
  getUsableCredential,
  isRefusal,
  LoginRefusedError,
  toLoginPorts,
  toUpstreamFault,
} from '../credentials/index.js';
import { type Directories, findDirectory, ListShrunkError, selectLicensesOfUbi } from '../directory/index.js';
import { beginSchedule } from '../schedules/index.js';
import { queueRun } from '../syncs/index.js';
import { inLockedTenant, inTenant, type Tenant } from '../tenants/index.js';
import { requireUbi } from '../ubi/index.js';
import {
  credentialExists,
  findLicense,
  findLicenseByKey,
  insertLicense,
  type LicenseRow,
  loadLicenseIds,
  type NewLicense,
  selectLicenses,
} from './repository.js';

export interface LicensePorts extends CredentialPorts {
  readonly directories: Directories;
  readonly syncIntervalSeconds: number;
  /** Aborted when this process is about to end. */
  readonly shutdown: AbortSignal;
}

export interface AvailableLicense {
  readonly listed: ListedLicense;
  /** The created license, if there is one. */
  readonly licenseId: string | undefined;
}

/** The licenses that the state lists under the tenant's UBI: no call of BioTrack lists a login's own. */
export async function listAvailableLicenses(
  db: Db,
  ports: LicensePorts,
  tenantId: string,
): Promise<AvailableLicense[]> {
  await ensureDirectory(db, ports, tenantId);
  return inTenant(db, tenantId, async (tx, tenant) => {
    const licenseIds = await loadLicenseIds(tx);
    const listed = await loadOwnLicenses(tx, tenant);
    return listed.map((license) => ({ listed: license, licenseId: licenseIds.get(license.licenseKey) }));
  });
}

export type LicenseInput = Omit<NewLicense, 'id' | 'license_key'>;

/** Creates a license; the first one that shall create companies starts the first sync. */
export async function createLicense(
  db: Db,
  ports: LicensePorts,
  tenantId: string,
  input: LicenseInput,
  principal: Principal,
): Promise<LicenseRow> {
  if (
    input.issue_datetime !== null &&
    input.expiry_datetime !== null &&
    input.expiry_datetime <= input.issue_datetime
  ) {
    throw new Fault('invalid_dates', 'A license expires after it was issued.', {
      errors: [{ pointer: '/expiry_datetime', detail: 'must be after issue_datetime' }],
    });
  }
  await inTenant(db, tenantId, async (tx) => {
    await requireUbi(tx, tenantId);
    await requireCreationPreference(tx, tenantId);
  });
  await ensureDirectory(db, ports, tenantId);
  return inLockedTenant(db, tenantId, async (tx, tenant) => {
    const { strategy } = await requireCreationPreference(tx, tenantId);
    const licenseKey = toLicenseKey(input.license_number);
    const present = await findLicenseByKey(tx, licenseKey);
    if (present !== undefined) {
      throw new Fault('license_exists', 'It is created already.', { conflicting_id: present.id });
    }
    const listed = (await loadOwnLicenses(tx, tenant)).find((license) => license.licenseKey === licenseKey);
    if (listed === undefined) {
      throw new Fault('license_not_available', 'GET …/available-licenses lists those that are.', {
        errors: [{ pointer: '/license_number', detail: "is not listed under the tenant's UBI" }],
      });
    }
    checkLicenseType(ports.biotrack, tenant, input.license_type);
    if (input.credential_id !== null && !(await credentialExists(tx, input.credential_id))) {
      throw new Fault('credential_unknown', 'GET …/credentials lists them.', {
        errors: [{ pointer: '/credential_id', detail: 'is no credential of this tenant' }],
      });
    }
    const license = await insertLicense(tx, tenantId, {
      ...input,
      id: ports.newId(),
      license_key: licenseKey,
      license_number: listed.licenseNumber,
      name: input.name ?? listed.name,
      license_type: input.license_type ?? listed.licenseType,
    });
    if (license.create_companies && tenant.firstSyncedAt === null) {
      // The seed of the product: companies are created by themselves once the three steps are done.
      const request = {
        trigger: 'setup_completed',
        mode: 'full',
        refresh: 'auto',
        requestedBy: toActor(principal),
      } as const;
      await queueRun(tx, ports.newId, tenantId, { ...request, strategy });
    }
    if (license.create_companies && tenant.firstSyncedAt !== null) {
      await beginSchedule(tx, tenantId, ports.syncIntervalSeconds);
    }
    return license;
  });
}

export const getLicense = (db: Db, tenantId: string, id: string): Promise<LicenseRow> =>
  inTenant(db, tenantId, async (tx) => {
    const license = await findLicense(tx, id);
    if (license === undefined) throw notFound('license');
    return license;
  });

export const listLicenses = (db: Db, tenantId: string, { size, after }: PageRequest): Promise<PageOf<LicenseRow>> =>
  inTenant(db, tenantId, async (tx) => toPage(await selectLicenses(tx, size, after), size));

/** What a caller waits for the state's list, at the most: shorter than the server lets a request take. */
const PATIENCE_MS = 25_000;

/** Sees to it that the state's directory is there and not old, with the tenant's own login. */
async function ensureDirectory(db: Db, ports: LicensePorts, tenantId: string): Promise<void> {
  const patience = AbortSignal.any([ports.shutdown, AbortSignal.timeout(PATIENCE_MS)]);
  try {
    const usable = await getUsableCredential(db, ports, tenantId);
    const { tenant, login } = usable;
    const target = { state: tenant.state, environment: tenant.environment };
    const request = { target, login, includeLabs: false, force: false, signal: patience };
    await ports.directories.ensureFresh(db, { ...request, ...toLoginPorts(db, usable) });
  } catch (error) {
    throw toDirectoryFault(tenantId, error, patience);
  }
}

function toDirectoryFault(tenantId: string, error: unknown, { aborted }: AbortSignal): unknown {
  if (error instanceof LoginRefusedError) return setupIncomplete(tenantId, 'credentials', error.message);
  if (error instanceof BiotrackError) {
    const { reason, advice } = error;
    return isRefusal(reason) ? setupIncomplete(tenantId, 'credentials', advice) : toUpstreamFault(error);
  }
  if (error instanceof ListShrunkError) {
    return new Fault('upstream_unavailable', 'The list is much shorter than before; an operator has to look at it.', {
      reason: 'list_shrunk',
      cause: error,
    });
  }
  if (!aborted) return error;
  return new Fault('upstream_unavailable', "The state's list is not there yet. Ask again in a moment.", {
    reason: 'upstream_timeout',
    cause: error,
  });
}

async function loadOwnLicenses(tx: Tx, tenant: Tenant): Promise<ListedLicense[]> {
  const { ubiKey } = await requireUbi(tx, tenant.id);
  const directory = await findDirectory(tx, tenant.state, tenant.environment);
  return directory === undefined ? [] : selectLicensesOfUbi(tx, directory.id, ubiKey);
}

/** Only where the state's types are known: elsewhere any word is as good as another. */
function checkLicenseType(biotrack: Biotrack, tenant: Tenant, licenseType: string | null): void {
  const known = Object.values(biotrack.findState(tenant.state)?.licenseTypes ?? {});
  if (licenseType === null || known.length === 0 || known.includes(licenseType)) return;
  throw new Fault('license_type_unknown', "GET /v1/states lists the state's types.", {
    errors: [{ pointer: '/license_type', detail: 'is not a type of this state' }],
  });
}
