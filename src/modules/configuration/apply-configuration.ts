import type { Tx } from '../../db/database.js';
import { toLicenseKey } from '../../domain/key.js';
import { DEFAULT_SETTINGS, type License, type LicenseSettings } from '../../domain/license.js';
import { createMessage, type Message } from '../../domain/message.js';
import type { Principal } from '../../domain/principal.js';
import { type FieldError, ServiceError } from '../../domain/service-error.js';
import type { Strategy } from '../../domain/strategy.js';
import { applyCreationPreference, findCreationPreference } from '../creation-preference/index.js';
import { type Credential, renameCredential, resetVerification, selectCredentialsOf } from '../credentials/index.js';
import {
  addLicense,
  applyLicensePatch,
  type LicenseInput,
  type LicensePorts,
  loadLicenseViews,
  loadOffer,
  type Offer,
} from '../licenses/index.js';
import { applyTenant, type Tenant } from '../tenants/index.js';
import { applyUbi, findUbi } from '../ubi/index.js';
import {
  type Configuration,
  type CredentialEntry,
  ENTRY_FIELDS,
  type LicenseEntry,
  toCredentialEntry,
  toLicenseEntry,
} from './document.js';

/** The requested configuration. What is missing, or null where a setting stands, stays unchanged. */
export interface WantedConfiguration {
  readonly tenant?: Configuration['tenant'];
  readonly ubi?: string | null;
  readonly companyCreationPreference?: { readonly strategy: Strategy; readonly includeLabs?: boolean } | null;
  readonly credentials?: readonly WantedCredential[];
  readonly licenses?: readonly WantedLicense[];
  readonly confirm?: 'change_ubi';
}

export type WantedCredential = Omit<CredentialEntry, 'licenseNumber'> & Partial<Pick<CredentialEntry, 'licenseNumber'>>;

export type WantedLicense = Partial<LicenseEntry> & Pick<LicenseEntry, 'licenseNumber'>;

export type DifferenceAction =
  | 'set'
  | 'create'
  | 'update'
  | 'archive'
  | 'restore'
  | 'keep'
  | 'needs_password'
  | 'needs_verification'
  | 'needs_login';

/** A place in the document. */
export interface DocumentPath {
  readonly section: Exclude<keyof WantedConfiguration, 'confirm'>;
  /** In a list: the username or the license number. */
  readonly key?: string;
  readonly field?:
    | keyof Configuration['tenant']
    | 'strategy'
    | 'includeLabs'
    | keyof CredentialEntry
    | keyof LicenseEntry;
}

export type DocumentValue = string | boolean | Date | null | CredentialEntry | Partial<LicenseEntry>;

/** One difference between the tenant and the document. */
export interface ConfigurationDifference {
  readonly path: DocumentPath;
  readonly action: DifferenceAction;
  readonly before: DocumentValue;
  readonly after: DocumentValue;
  readonly isApplied: boolean;
  /** Why it was not applied, and what to do. */
  readonly message: Message | null;
}

/**
 * Whether the state's list can be used. `fresh`: it was just read with a login of this tenant. `outdated`: this document
 * changes the state, environment or UBI, so the list must be read again. `no_login`: no login works.
 */
export type ListStatus = 'fresh' | 'outdated' | 'no_login';

export interface ApplyOptions {
  readonly principal: Principal;
  readonly list: ListStatus;
}

/** Applies what needs no password. The tenant must be locked. */
export async function applyConfiguration(
  tx: Tx,
  ports: LicensePorts,
  tenant: Tenant,
  wanted: WantedConfiguration,
  options: ApplyOptions,
): Promise<readonly ConfigurationDifference[]> {
  const differences: ConfigurationDifference[] = [];
  const record: RecordDifference = (path, action, before, after, message = null) => {
    differences.push({ path, action, before, after, isApplied: message === null, message });
  };
  const context = { tx, ports, wanted, record, ...options };
  const updated = await applyTenantPart(context, tenant);
  await applyUbiPart(context, updated);
  await applyPreferencePart(context, updated);
  await applyCredentialsPart(context);
  await applyLicensesPart(context, updated);
  return differences;
}

/** A difference with a message was not applied. */
type RecordDifference = (
  path: DocumentPath,
  action: DifferenceAction,
  before: DocumentValue,
  after: DocumentValue,
  message?: Message | null,
) => void;

interface Context extends ApplyOptions {
  readonly tx: Tx;
  readonly ports: LicensePorts;
  readonly wanted: WantedConfiguration;
  readonly record: RecordDifference;
}

async function applyTenantPart(
  { tx, ports, wanted: { tenant: wanted }, principal, record }: Context,
  tenant: Tenant,
): Promise<Tenant> {
  if (wanted === undefined) return tenant;
  const changed = (['name', 'state', 'environment'] as const).filter((name) => wanted[name] !== tenant[name]);
  if (changed.length === 0) return tenant;
  if (principal.role !== 'operator') {
    throw new ServiceError(
      'forbidden',
      'Only operators can change the name, state and environment of a tenant. Leave "tenant" out.',
    );
  }
  for (const field of changed) record({ section: 'tenant', field }, 'set', tenant[field], wanted[field]);
  return applyTenant(tx, { ...ports, resetVerification }, tenant, wanted);
}

async function applyUbiPart({ tx, wanted: { ubi, confirm }, record }: Context, tenant: Tenant): Promise<void> {
  if (ubi === undefined || ubi === null) return;
  const present = await findUbi(tx);
  if (present?.ubi === ubi) return;
  await applyUbi(tx, { resetVerification }, tenant, present, { ubi, confirmed: confirm === 'change_ubi' });
  record({ section: 'ubi' }, 'set', present?.ubi ?? null, ubi);
}

async function applyPreferencePart({ tx, wanted, record }: Context, tenant: Tenant): Promise<void> {
  const section = 'companyCreationPreference';
  const preference = wanted[section];
  if (preference === undefined || preference === null) return;
  const { strategy, includeLabs = false } = preference;
  const present = await findCreationPreference(tx);
  if (present?.strategy === strategy && present.includeLabs === includeLabs) return;
  await applyCreationPreference(tx, tenant, { strategy, includeLabs });
  const after = { strategy, includeLabs };
  for (const field of ['strategy', 'includeLabs'] as const) {
    if (present?.[field] !== after[field]) record({ section, field }, 'set', present?.[field] ?? null, after[field]);
  }
}

async function applyCredentialsPart({ tx, wanted: { credentials: wanted }, record }: Context): Promise<void> {
  if (wanted === undefined) return;
  const section = 'credentials';
  const present = await selectCredentialsOf(tx, 'company');
  for (const { username, description, licenseNumber } of wanted) {
    const path = { section, key: username } as const;
    const credential = present.find((each) => each.username === username);
    if (credential === undefined) {
      const entry = { description, username, licenseNumber: licenseNumber ?? null };
      record(path, 'needs_password', null, entry, NEEDS_PASSWORD);
      continue;
    }
    if (credential.description !== description) {
      await renameCredential(tx, credential, description);
      record({ ...path, field: 'description' }, 'update', credential.description, description);
    }
    if (licenseNumber !== undefined && credential.licenseNumber !== licenseNumber) {
      const field = 'licenseNumber';
      record({ ...path, field }, 'needs_verification', credential.licenseNumber, licenseNumber, NEEDS_VERIFICATION);
    }
  }
  const names = new Set(wanted.map(({ username }) => username));
  for (const credential of present.filter(({ username }) => !names.has(username))) {
    record({ section, key: credential.username }, 'keep', toCredentialEntry(credential), null, KEPT);
  }
}

const NEEDS_PASSWORD = createMessage(
  'credential_needs_password',
  {},
  'A document contains no passwords. Create this credential with POST …/credentials.',
);
const NEEDS_VERIFICATION = createMessage(
  'credential_needs_verification',
  {},
  'A new license number is a new login. Change it with PATCH …/credentials/{id}, which verifies the login.',
);
const KEPT = createMessage(
  'credential_kept',
  {},
  'A document never deletes credentials. To delete this one, use DELETE …/credentials/{id}.',
);
const NEEDS_LOGIN = createMessage(
  'license_needs_login',
  {},
  "Reading the state's licenses requires a working credential. Create one with POST …/credentials, then send the document again.",
);
const NEEDS_NEW_LIST = createMessage(
  'license_needs_new_list',
  {},
  "The state, environment or UBI changes, so the existing credential must read the state's licenses again. Send the document again once this change is applied.",
);

async function applyLicensesPart(context: Context, tenant: Tenant): Promise<void> {
  const { tx, ports, wanted, principal, list, record } = context;
  if (wanted.licenses === undefined) return;
  const section = 'licenses';
  const views = await loadLicenseViews(tx, tenant);
  const present = new Map(views.map(({ license }) => [license.licenseKey, license]));
  const credentials = await selectCredentialsOf(tx, 'company');
  const offer = list === 'fresh' ? await loadOffer(tx, tenant) : undefined;
  for (const [index, entry] of wanted.licenses.entries()) {
    const license = present.get(toLicenseKey(entry.licenseNumber));
    await withRowPointer(index, () =>
      license === undefined
        ? createOne(context, offer, entry, credentials)
        : changeOne(context, tenant, license, entry, credentials),
    );
  }
  const keys = new Set(wanted.licenses.map(({ licenseNumber }) => toLicenseKey(licenseNumber)));
  for (const license of present.values()) {
    if (keys.has(license.licenseKey) || license.archivedDatetime !== null) continue;
    await applyLicensePatch(tx, ports, tenant, { license, patch: { archived: true }, principal });
    record({ section, key: license.licenseNumber }, 'archive', toLicenseEntry(license, credentials), null);
  }
}

async function createOne(
  { tx, ports, principal, list, record }: Context,
  offer: Offer | undefined,
  entry: WantedLicense,
  credentials: readonly Credential[],
): Promise<void> {
  const path = { section: 'licenses', key: entry.licenseNumber } as const;
  if (offer === undefined) {
    record(path, 'needs_login', null, entry, list === 'outdated' ? NEEDS_NEW_LIST : NEEDS_LOGIN);
    return;
  }
  const license = await addLicense(tx, ports, offer, toInput(entry, credentials), principal);
  record(path, 'create', null, toLicenseEntry(license, credentials));
}

async function changeOne(
  { tx, ports, principal, record }: Context,
  tenant: Tenant,
  license: License,
  entry: WantedLicense,
  credentials: readonly Credential[],
): Promise<void> {
  const before = toLicenseEntry(license, credentials);
  const changed = ENTRY_FIELDS.filter((field) => isChange(field, before[field], entry[field]));
  const isArchived = license.archivedDatetime !== null;
  if (changed.length === 0 && !isArchived) return;
  const settings = toSettings(Object.fromEntries(changed.map((field) => [field, entry[field]])), credentials);
  const patch = isArchived ? { ...settings, archived: false } : settings;
  const after = await applyLicensePatch(tx, ports, tenant, { license, patch, principal });
  const path = { section: 'licenses', key: entry.licenseNumber } as const;
  if (isArchived) record(path, 'restore', null, toLicenseEntry(after, credentials));
  for (const field of changed) record({ ...path, field }, 'update', before[field], entry[field] ?? null);
}

type EntryValue = LicenseEntry[keyof LicenseEntry];

/** A null name or license type changes nothing: an exported document has null where the state lists nothing. */
function isChange(field: keyof LicenseEntry, before: EntryValue, wanted: EntryValue | undefined): boolean {
  if (wanted === undefined || ((field === 'name' || field === 'licenseType') && wanted === null)) return false;
  return before instanceof Date && wanted instanceof Date ? before.getTime() !== wanted.getTime() : before !== wanted;
}

function toSettings(
  { licenseNumber, credential, ...settings }: Partial<LicenseEntry>,
  credentials: readonly Credential[],
): Partial<LicenseSettings> {
  if (credential === undefined) return settings;
  return { ...settings, credentialId: toCredentialId(credential, credentials) };
}

const toInput = (entry: WantedLicense, credentials: readonly Credential[]): LicenseInput => ({
  ...DEFAULT_SETTINGS,
  ...toSettings(entry, credentials),
  licenseNumber: entry.licenseNumber,
});

function toCredentialId(username: string | null, credentials: readonly Credential[]): string | null {
  if (username === null) return null;
  const credential = credentials.find((each) => each.username === username);
  if (credential !== undefined) return credential.id;
  throw new ServiceError('credential_unknown', 'Create the credential first, or leave "credential" out.', {
    errors: [{ pointer: '/credential', detail: 'must be the username of a company credential' }],
  });
}

/** Makes the pointers of an error relative to the whole document. */
async function withRowPointer(index: number, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    const errors = (error.extras.errors ?? []).map(
      ({ pointer, detail }): FieldError => ({ pointer: `/licenses/${index}${pointer}`, detail }),
    );
    throw new ServiceError(error.code, error.message, { ...error.extras, errors });
  }
}
