import type { Biotrack } from '../../biotrack/index.js';
import type { Db, Tx } from '../../db/database.js';
import { toLicenseKey } from '../../domain/key.js';
import type { ListedLicense } from '../../domain/listed-license.js';
import { type PageOf, type PageRequest, toPage } from '../../domain/page.js';
import { checkPrecondition, type Precondition } from '../../domain/precondition.js';
import { type Principal, toActor, toUserId } from '../../domain/principal.js';
import { notFound, ServiceError } from '../../domain/service-error.js';
import { findCreationPreference, requireCreationPreference } from '../creation-preference/index.js';
import { findUsableCredential } from '../credentials/index.js';
import { type DirectoryEntry, findDirectory, selectListings } from '../directory/index.js';
import { beginSchedule } from '../schedules/index.js';
import { queueRun } from '../syncs/index.js';
import { inLockedTenant, inTenant, type Tenant } from '../tenants/index.js';
import { findUbi, requireUbi } from '../ubi/index.js';
import { ensureDirectory, type LicensePorts, loadOwnLicenses } from './available-licenses.js';
import { insertLicenseChange } from './change-repository.js';
import { findLicenseProblem, type LicenseProblemView } from './problem.js';
import {
  type ArchivedShown,
  companyCredentialExists,
  findLicense,
  findLicenseByKey,
  insertLicense,
  type LicenseChange,
  type LicenseRow,
  type NewLicense,
  saveLicenseChange,
  selectAllLicenses,
  selectLicenses,
} from './repository.js';

/** A created license with what the state says of it now. */
export interface LicenseView {
  readonly license: LicenseRow;
  readonly missingSince: Date | null;
  readonly conflict: LicenseProblemView | undefined;
}

export type LicenseInput = Omit<NewLicense, 'id' | 'license_key'>;

/** Creates a license; the first one that shall create companies starts the first sync. */
export async function createLicense(
  db: Db,
  ports: LicensePorts,
  tenantId: string,
  input: LicenseInput,
  principal: Principal,
): Promise<LicenseView> {
  checkDates(input);
  await prepare(db, ports, tenantId, principal);
  return inLockedTenant(db, tenantId, async (tx, tenant) => {
    const license = await addLicense(tx, ports, await loadOffer(tx, tenant), input, principal);
    return toView(tx, tenant, license);
  });
}

/** What became of one row of many. */
export type RowResult =
  | { readonly licenseNumber: string; readonly view: LicenseView }
  | { readonly licenseNumber: string; readonly fault: ServiceError };

/** Creates many; a row that is refused leaves the others as they are. */
export async function createLicenses(
  db: Db,
  ports: LicensePorts,
  tenantId: string,
  inputs: readonly LicenseInput[],
  principal: Principal,
): Promise<RowResult[]> {
  await prepare(db, ports, tenantId, principal);
  return inLockedTenant(db, tenantId, async (tx, tenant) => {
    const offer = await loadOffer(tx, tenant);
    const results: RowResult[] = [];
    for (const input of inputs) {
      const licenseNumber = input.license_number;
      try {
        // Every refusal comes before the first statement that writes, so that it leaves the transaction whole.
        const license = await addLicense(tx, ports, offer, input, principal);
        results.push({ licenseNumber, view: await toView(tx, tenant, license) });
      } catch (fault) {
        if (!(fault instanceof ServiceError)) throw fault;
        results.push({ licenseNumber, fault });
      }
    }
    return results;
  });
}

/** What comes before any license: the earlier steps, and a list of the state that is not old. */
async function prepare(db: Db, ports: LicensePorts, tenantId: string, principal: Principal): Promise<void> {
  await inTenant(db, tenantId, async (tx) => {
    await requireUbi(tx, tenantId);
    await requireCreationPreference(tx, tenantId);
  });
  await ensureDirectory(db, ports, tenantId, principal);
}

/** What can be created: read once for any number of licenses, in the transaction that creates them. */
export interface Offer {
  readonly tenant: Tenant;
  readonly listed: ReadonlyMap<string, ListedLicense>;
}

export async function loadOffer(tx: Tx, tenant: Tenant): Promise<Offer> {
  const listed = await loadOwnLicenses(tx, tenant);
  return { tenant, listed: new Map(listed.map((license) => [license.licenseKey, license])) };
}

type AddPorts = Pick<LicensePorts, 'biotrack' | 'vault' | 'newId' | 'syncIntervalSeconds'>;

/**
 * Creates one. The tenant must be locked.
 * @throws Fault before anything is written
 */
export async function addLicense(
  tx: Tx,
  ports: AddPorts,
  { tenant, listed: offered }: Offer,
  input: LicenseInput,
  principal: Principal,
): Promise<LicenseRow> {
  checkDates(input);
  const licenseKey = toLicenseKey(input.license_number);
  const present = await findLicenseByKey(tx, licenseKey);
  if (present !== undefined) {
    const isArchived = present.archived_datetime !== null;
    const detail = isArchived
      ? 'It is created already, and archived; PATCH it with "archived": false to bring it back.'
      : 'It is created already.';
    throw new ServiceError('license_exists', detail, {
      conflicting_id: present.id,
      ...(isArchived ? { reason: 'archived' } : {}),
    });
  }
  const listed = offered.get(licenseKey);
  if (listed === undefined) {
    throw new ServiceError('license_not_available', 'GET …/available-licenses lists those that are.', {
      errors: [{ pointer: '/license_number', detail: "is not listed under the tenant's UBI" }],
    });
  }
  checkLicenseType(ports.biotrack, tenant, input.license_type);
  await checkCredential(tx, input.credential_id);
  const license = await insertLicense(tx, tenant.id, {
    ...input,
    id: ports.newId(),
    license_key: licenseKey,
    license_number: listed.licenseNumber,
    name: input.name ?? listed.name,
    license_type: input.license_type ?? listed.licenseType,
  });
  const actor = toActor(principal);
  const note = { kind: 'own_license.created', licenseId: license.id, before: null, actor } as const;
  await insertLicenseChange(tx, tenant.id, { ...note, after: toFields(license) });
  if (license.create_companies) await startFirstSync(tx, ports, tenant, principal);
  return license;
}

/** The seed of the product: companies are created by themselves once the three steps are done, and kept up to date. */
async function startFirstSync(tx: Tx, ports: AddPorts, tenant: Tenant, principal: Principal): Promise<void> {
  const { newId, syncIntervalSeconds } = ports;
  await beginSchedule(tx, tenant.id, syncIntervalSeconds);
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

/** What a PATCH says; null returns to what BioTrack says, or to nothing. */
export type LicensePatch = LicenseChange;

export const updateLicense = (
  db: Db,
  ports: LicensePorts,
  tenantId: string,
  id: string,
  patch: LicensePatch,
  precondition: Precondition,
  principal: Principal,
): Promise<LicenseView> =>
  inLockedTenant(db, tenantId, async (tx, tenant) => {
    const present = await requireLicense(tx, id);
    checkPrecondition(precondition, present.version);
    return toView(tx, tenant, await applyLicensePatch(tx, ports, tenant, present, patch, principal));
  });

/** Changes one, archives it or brings it back. The tenant must be locked. */
export async function applyLicensePatch(
  tx: Tx,
  ports: AddPorts,
  tenant: Tenant,
  present: LicenseRow,
  patch: LicensePatch,
  principal: Principal,
): Promise<LicenseRow> {
  checkDates({ ...present, ...patch });
  checkLicenseType(ports.biotrack, tenant, patch.license_type ?? null);
  await checkCredential(tx, patch.credential_id ?? null);
  const wasArchived = present.archived_datetime !== null;
  const { archived, ...rest } = patch;
  const isMoved = archived !== undefined && archived !== wasArchived;
  // Archived twice is archived once: since when it is so stays as it was.
  if (!isMoved && Object.keys(rest).length === 0) return present;
  const wanted = await withDefaults(tx, tenant, present, isMoved ? patch : rest);
  const changed = await saveLicenseChange(tx, present.id, wanted);
  const isArchived = changed.archived_datetime !== null;
  await noteChange(tx, tenant.id, present, changed, principal);
  const isNew = !present.create_companies || wasArchived || (changed.sync_enabled && !present.sync_enabled);
  if (changed.create_companies && isNew && !isArchived) await startFirstSync(tx, ports, tenant, principal);
  return changed;
}

/** Null is BioTrack's own word again, as far as the state still says something of the license. */
async function withDefaults(tx: Tx, tenant: Tenant, present: LicenseRow, patch: LicensePatch): Promise<LicenseChange> {
  if (patch.name !== null && patch.license_type !== null) return patch;
  const listing = (await loadListings(tx, tenant, [present.license_key])).get(present.license_key);
  return {
    ...patch,
    ...(patch.name === null ? { name: listing?.name ?? null } : {}),
    ...(patch.license_type === null ? { license_type: listing?.licenseType ?? null } : {}),
  };
}

async function noteChange(
  tx: Tx,
  tenantId: string,
  present: LicenseRow,
  changed: LicenseRow,
  principal: Principal,
): Promise<void> {
  const [old, now] = [toFields(present), toFields(changed)];
  const names = Object.keys(now).filter((name) => JSON.stringify(old[name]) !== JSON.stringify(now[name]));
  if (names.length === 0) return;
  const pick = (fields: Fields): Fields => Object.fromEntries(names.map((name) => [name, fields[name]]));
  const kind =
    old.archived === now.archived ? 'updated' : changed.archived_datetime === null ? ('restored' as const) : 'archived';
  const what = { kind: `own_license.${kind}`, licenseId: changed.id, actor: toActor(principal) } as const;
  await insertLicenseChange(tx, tenantId, { ...what, before: pick(old), after: pick(now) });
}

type Fields = Readonly<Record<string, unknown>>;

/** What the change feed tells of a license, named as the API names it. */
function toFields(license: LicenseRow): Fields {
  const { tenant_id, license_key, version, inserted_datetime, updated_datetime, archived_datetime, ...fields } =
    license;
  return { ...fields, archived: archived_datetime !== null };
}

/** Takes a license away, and keeps it. What was made of it stays. */
export const archiveLicense = (
  db: Db,
  ports: LicensePorts,
  tenantId: string,
  id: string,
  precondition: Precondition,
  principal: Principal,
): Promise<void> =>
  inLockedTenant(db, tenantId, async (tx, tenant) => {
    const present = await requireLicense(tx, id);
    checkPrecondition(precondition, present.version);
    if (present.archived_datetime !== null) return;
    await applyLicensePatch(tx, ports, tenant, present, { archived: true }, principal);
  });

export const getLicense = (db: Db, tenantId: string, id: string): Promise<LicenseView> =>
  inTenant(db, tenantId, async (tx, tenant) => toView(tx, tenant, await requireLicense(tx, id)));

export const listLicenses = (
  db: Db,
  tenantId: string,
  archived: ArchivedShown,
  { size, after }: PageRequest,
): Promise<PageOf<LicenseView>> =>
  inTenant(db, tenantId, async (tx, tenant) => {
    const { items, nextAfter } = toPage(await selectLicenses(tx, archived, size, after), size);
    return { items: await toViews(tx, tenant, items), nextAfter };
  });

/** All created licenses, the archived ones too. */
export const loadLicenseViews = async (tx: Tx, tenant: Tenant): Promise<LicenseView[]> =>
  toViews(tx, tenant, await selectAllLicenses(tx));

async function toView(tx: Tx, tenant: Tenant, license: LicenseRow): Promise<LicenseView> {
  const [view] = await toViews(tx, tenant, [license]);
  return view as LicenseView;
}

async function toViews(tx: Tx, tenant: Tenant, licenses: readonly LicenseRow[]): Promise<LicenseView[]> {
  const keys = licenses.map(({ license_key }) => license_key);
  const listings = await loadListings(tx, tenant, keys);
  const directory = await findDirectory(tx, tenant.state, tenant.environment);
  const ground = { isPublished: (directory?.version ?? 0) > 0, ubiKey: (await findUbi(tx))?.ubiKey };
  return licenses.map((license) => {
    const listing = listings.get(license.license_key);
    return {
      license,
      missingSince: listing?.missingSince ?? null,
      conflict: findLicenseProblem(license, listing, ground),
    };
  });
}

async function loadListings(tx: Tx, tenant: Tenant, keys: readonly string[]): Promise<Map<string, DirectoryEntry>> {
  const directory = await findDirectory(tx, tenant.state, tenant.environment);
  const listings = directory === undefined ? [] : await selectListings(tx, directory.id, keys);
  return new Map(listings.map((listing) => [listing.licenseKey, listing]));
}

async function requireLicense(tx: Tx, id: string): Promise<LicenseRow> {
  const license = await findLicense(tx, id);
  if (license === undefined) throw notFound('license');
  return license;
}

function checkDates({ issue_datetime, expiry_datetime }: Pick<LicenseInput, 'issue_datetime' | 'expiry_datetime'>) {
  if (issue_datetime === null || expiry_datetime === null || expiry_datetime > issue_datetime) return;
  throw new ServiceError('invalid_dates', 'A license expires after it was issued.', {
    errors: [{ pointer: '/expiry_datetime', detail: 'must be after issue_datetime' }],
  });
}

async function checkCredential(tx: Tx, credentialId: string | null): Promise<void> {
  if (credentialId === null || (await companyCredentialExists(tx, credentialId))) return;
  throw new ServiceError(
    'credential_unknown',
    'GET …/credentials lists them. A license works with one of the company.',
    {
      errors: [{ pointer: '/credential_id', detail: 'is no company-wide credential of this tenant' }],
    },
  );
}

/** Only where the state's types are known: elsewhere any word is as good as another. */
function checkLicenseType(biotrack: Biotrack, tenant: Tenant, licenseType: string | null): void {
  const known = Object.values(biotrack.findState(tenant.state)?.licenseTypes ?? {});
  if (licenseType === null || known.length === 0 || known.includes(licenseType)) return;
  throw new ServiceError('license_type_unknown', "GET /v1/states lists the state's types.", {
    errors: [{ pointer: '/license_type', detail: 'is not a type of this state' }],
  });
}
