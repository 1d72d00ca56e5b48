import type { Biotrack } from '../../biotrack/index.js';
import type { Db, Tx } from '../../db/database.js';
import { toLicenseKey } from '../../domain/key.js';
import type { License, LicenseSettings } from '../../domain/license.js';
import { type PageOf, type PageRequest, toPage } from '../../domain/page.js';
import { checkPrecondition, type Precondition } from '../../domain/precondition.js';
import { type Principal, toActor, toUserId } from '../../domain/principal.js';
import { notFound, ServiceError } from '../../domain/service-error.js';
import { findCreationPreference, requireCreationPreference } from '../creation-preference/index.js';
import { findUsableCredential } from '../credentials/index.js';
import { type DirectoryEntry, findDirectory, selectListings } from '../directory/index.js';
import { ensureSchedule } from '../schedules/index.js';
import { queueRun } from '../syncs/index.js';
import { inLockedTenant, inTenant, type Tenant } from '../tenants/index.js';
import { findUbi, requireUbi } from '../ubi/index.js';
import { ensureDirectory, type LicensePorts } from './available-licenses.js';
import { recordChange } from './feed.js';
import { loadOffer, type Offer, requireOffered } from './offer.js';
import { findLicenseProblem, type LicenseProblemView } from './problem.js';
import {
  type ArchivedShown,
  companyCredentialExists,
  findLicense,
  findLicenseByKey,
  insertLicense,
  type LicenseChange,
  saveLicenseChange,
  selectAllLicenses,
  selectLicenses,
} from './repository.js';

/** A created license, compared with what the state lists now. */
export interface LicenseView {
  readonly license: License;
  readonly missingSince: Date | null;
  readonly problem: LicenseProblemView | undefined;
}

export type LicenseInput = LicenseSettings & Pick<License, 'licenseNumber'>;

/** The first license with `createCompanies` also starts the first sync. */
export async function createLicense(
  db: Db,
  ports: LicensePorts,
  tenantId: string,
  input: LicenseInput,
  principal: Principal,
): Promise<LicenseView> {
  checkDates(input);
  await checkSetup(db, ports, tenantId, principal);
  return inLockedTenant(db, tenantId, async (tx, tenant) => {
    const license = await addLicense(tx, ports, await loadOffer(tx, tenant), input, principal);
    return toView(tx, tenant, license);
  });
}

/** The result of one row of a bulk request. */
export type RowResult =
  | { readonly licenseNumber: string; readonly view: LicenseView }
  | { readonly licenseNumber: string; readonly error: ServiceError };

/** Creates each license independently: an invalid row does not affect the others. */
export async function createLicenses(
  db: Db,
  ports: LicensePorts,
  tenantId: string,
  inputs: readonly LicenseInput[],
  principal: Principal,
): Promise<RowResult[]> {
  await checkSetup(db, ports, tenantId, principal);
  return inLockedTenant(db, tenantId, async (tx, tenant) => {
    const offer = await loadOffer(tx, tenant);
    const results: RowResult[] = [];
    for (const input of inputs) {
      const { licenseNumber } = input;
      try {
        // `addLicense` throws before it writes, so the transaction can go on.
        const license = await addLicense(tx, ports, offer, input, principal);
        results.push({ licenseNumber, view: await toView(tx, tenant, license) });
      } catch (error) {
        if (!(error instanceof ServiceError)) throw error;
        results.push({ licenseNumber, error });
      }
    }
    return results;
  });
}

/** Requires the earlier setup steps, and refreshes the state's list. */
async function checkSetup(db: Db, ports: LicensePorts, tenantId: string, principal: Principal): Promise<void> {
  await inTenant(db, tenantId, async (tx) => {
    await requireUbi(tx, tenantId);
    await requireCreationPreference(tx, tenantId);
  });
  await ensureDirectory(db, ports, tenantId, principal);
}

type AddPorts = Pick<LicensePorts, 'biotrack' | 'vault' | 'newId' | 'syncIntervalSeconds'>;

/**
 * The tenant must be locked.
 * @throws ServiceError before anything is written
 */
export async function addLicense(
  tx: Tx,
  ports: AddPorts,
  offer: Offer,
  input: LicenseInput,
  principal: Principal,
): Promise<License> {
  checkDates(input);
  const licenseKey = toLicenseKey(input.licenseNumber);
  const present = await findLicenseByKey(tx, licenseKey);
  if (present !== undefined) {
    const isArchived = present.archivedDatetime !== null;
    const detail = isArchived
      ? 'The license is archived. To restore it, PATCH it with "archived": false.'
      : 'To change the license, PATCH it.';
    throw new ServiceError('license_exists', detail, {
      conflicting_id: present.id,
      ...(isArchived ? { reason: 'archived' } : {}),
    });
  }
  const listed = requireOffered(offer, licenseKey);
  const { tenant } = offer;
  checkLicenseType(ports.biotrack, tenant, input.licenseType);
  await checkCredential(tx, input.credentialId);
  const license = await insertLicense(tx, tenant.id, {
    ...input,
    id: ports.newId(),
    licenseKey,
    licenseNumber: listed.licenseNumber,
    name: input.name ?? listed.name,
    licenseType: input.licenseType ?? listed.licenseType,
  });
  await recordChange(tx, tenant.id, { before: undefined, after: license, principal });
  if (license.createCompanies) await startFirstSync(tx, ports, tenant, principal);
  return license;
}

/** Queues the first sync if setup is complete. Syncs run on a schedule from now on. */
async function startFirstSync(tx: Tx, ports: AddPorts, tenant: Tenant, principal: Principal): Promise<void> {
  const { newId, syncIntervalSeconds } = ports;
  await ensureSchedule(tx, tenant.id, syncIntervalSeconds);
  if (tenant.firstSyncedAt !== null) return;
  const preference = await findCreationPreference(tx);
  if (preference === undefined || (await findUsableCredential(tx, ports, tenant, toUserId(principal))) === undefined)
    return;
  const request = {
    trigger: 'setup_completed',
    mode: 'full',
    refresh: 'auto',
    requestedBy: toActor(principal),
  } as const;
  await queueRun(tx, newId, tenant.id, { ...request, strategy: preference.strategy });
}

/** A null `name` or `licenseType` is replaced by the value that the state lists. */
export type LicensePatch = LicenseChange;

export interface LicenseUpdate {
  readonly id: string;
  readonly patch: LicensePatch;
  readonly precondition: Precondition;
  readonly principal: Principal;
}

export const updateLicense = (
  db: Db,
  ports: LicensePorts,
  tenantId: string,
  { id, patch, precondition, principal }: LicenseUpdate,
): Promise<LicenseView> =>
  inLockedTenant(db, tenantId, async (tx, tenant) => {
    const license = await requireLicense(tx, id);
    checkPrecondition(precondition, license.version);
    return toView(tx, tenant, await applyLicensePatch(tx, ports, tenant, { license, patch, principal }));
  });

/** Changes, archives or restores a license. The tenant must be locked. */
export async function applyLicensePatch(
  tx: Tx,
  ports: AddPorts,
  tenant: Tenant,
  {
    license: before,
    patch,
    principal,
  }: { readonly license: License; readonly patch: LicensePatch; readonly principal: Principal },
): Promise<License> {
  checkDates({ ...before, ...patch });
  checkLicenseType(ports.biotrack, tenant, patch.licenseType ?? null);
  await checkCredential(tx, patch.credentialId ?? null);
  const wasArchived = before.archivedDatetime !== null;
  const { archived, ...settings } = patch;
  const isArchivedChanged = archived !== undefined && archived !== wasArchived;
  // Archiving an archived license must not change when it was archived.
  if (!isArchivedChanged && Object.keys(settings).length === 0) return before;
  const change = await withListedValues(tx, tenant, before, isArchivedChanged ? patch : settings);
  const after = await saveLicenseChange(tx, before.id, change);
  await recordChange(tx, tenant.id, { before, after, principal });
  const isArchived = after.archivedDatetime !== null;
  const isNew = !before.createCompanies || wasArchived || (after.syncEnabled && !before.syncEnabled);
  if (after.createCompanies && isNew && !isArchived) await startFirstSync(tx, ports, tenant, principal);
  return after;
}

/** Replaces null by the value that the state lists. */
async function withListedValues(tx: Tx, tenant: Tenant, license: License, patch: LicensePatch): Promise<LicenseChange> {
  if (patch.name !== null && patch.licenseType !== null) return patch;
  const listing = (await loadListings(tx, tenant, [license.licenseKey])).get(license.licenseKey);
  return {
    ...patch,
    ...(patch.name === null ? { name: listing?.name ?? null } : {}),
    ...(patch.licenseType === null ? { licenseType: listing?.licenseType ?? null } : {}),
  };
}

/** Archives a license. Companies and licenses that were created from it stay. */
export const archiveLicense = (
  db: Db,
  ports: LicensePorts,
  tenantId: string,
  { id, precondition, principal }: Omit<LicenseUpdate, 'patch'>,
): Promise<void> =>
  inLockedTenant(db, tenantId, async (tx, tenant) => {
    const license = await requireLicense(tx, id);
    checkPrecondition(precondition, license.version);
    if (license.archivedDatetime !== null) return;
    await applyLicensePatch(tx, ports, tenant, { license, patch: { archived: true }, principal });
  });

export const getLicense = (db: Db, tenantId: string, id: string): Promise<LicenseView> =>
  inTenant(db, tenantId, async (tx, tenant) => toView(tx, tenant, await requireLicense(tx, id)));

export const listLicenses = (
  db: Db,
  tenantId: string,
  archived: ArchivedShown,
  page: PageRequest,
): Promise<PageOf<LicenseView>> => inTenant(db, tenantId, (tx, tenant) => loadLicensePage(tx, tenant, archived, page));

/** The oldest first. */
export async function loadLicensePage(
  tx: Tx,
  tenant: Tenant,
  archived: ArchivedShown,
  { size, after }: PageRequest,
): Promise<PageOf<LicenseView>> {
  const { items, nextAfter } = toPage(await selectLicenses(tx, archived, size, after), size);
  return { items: await toViews(tx, tenant, items), nextAfter };
}

/** All created licenses, including archived ones. */
export const loadLicenseViews = async (tx: Tx, tenant: Tenant): Promise<LicenseView[]> =>
  toViews(tx, tenant, await selectAllLicenses(tx));

async function toView(tx: Tx, tenant: Tenant, license: License): Promise<LicenseView> {
  const [view] = await toViews(tx, tenant, [license]);
  return view as LicenseView;
}

async function toViews(tx: Tx, tenant: Tenant, licenses: readonly License[]): Promise<LicenseView[]> {
  const keys = licenses.map(({ licenseKey }) => licenseKey);
  const listings = await loadListings(tx, tenant, keys);
  const directory = await findDirectory(tx, tenant.state, tenant.environment);
  const context = { isPublished: (directory?.version ?? 0) > 0, ubiKey: (await findUbi(tx))?.ubiKey };
  return licenses.map((license) => {
    const listing = listings.get(license.licenseKey);
    return {
      license,
      missingSince: listing?.missingSince ?? null,
      problem: findLicenseProblem(license, listing, context),
    };
  });
}

async function loadListings(tx: Tx, tenant: Tenant, keys: readonly string[]): Promise<Map<string, DirectoryEntry>> {
  const directory = await findDirectory(tx, tenant.state, tenant.environment);
  const listings = directory === undefined ? [] : await selectListings(tx, directory.id, keys);
  return new Map(listings.map((listing) => [listing.licenseKey, listing]));
}

async function requireLicense(tx: Tx, id: string): Promise<License> {
  const license = await findLicense(tx, id);
  if (license === undefined) throw notFound('license');
  return license;
}

function checkDates({
  issueDatetime,
  expiryDatetime,
}: Pick<LicenseSettings, 'issueDatetime' | 'expiryDatetime'>): void {
  if (issueDatetime === null || expiryDatetime === null || expiryDatetime > issueDatetime) return;
  throw new ServiceError('invalid_dates', 'expiry_datetime must be after issue_datetime.', {
    errors: [{ pointer: '/expiry_datetime', detail: 'must be after issue_datetime' }],
  });
}

async function checkCredential(tx: Tx, credentialId: string | null): Promise<void> {
  if (credentialId === null || (await companyCredentialExists(tx, credentialId))) return;
  throw new ServiceError(
    'credential_unknown',
    'credential_id must be the id of a company credential. GET …/credentials returns them.',
    { errors: [{ pointer: '/credential_id', detail: 'must be the id of a company credential of this tenant' }] },
  );
}

/** Accepts any type in a state whose license types are not configured. */
function checkLicenseType(biotrack: Biotrack, tenant: Tenant, licenseType: string | null): void {
  const known = Object.values(biotrack.findState(tenant.state)?.licenseTypes ?? {});
  if (licenseType === null || known.length === 0 || known.includes(licenseType)) return;
  throw new ServiceError('license_type_unknown', "GET /v1/states returns the state's license types.", {
    errors: [{ pointer: '/license_type', detail: 'is not a license type of this state' }],
  });
}
