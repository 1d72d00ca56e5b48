import type { Tx } from '../../db/database.js';
import { toLicenseKey } from '../../domain/key.js';
import type { Principal } from '../../domain/principal.js';
import { type FieldError, ServiceError } from '../../domain/service-error.js';
import { applyCreationPreference, findCreationPreference } from '../creation-preference/index.js';
import { type Credential, renameCredential, selectCredentialsOf } from '../credentials/index.js';
import {
  addLicense,
  applyLicensePatch,
  type LicenseInput,
  type LicensePatch,
  type LicensePorts,
  type LicenseRow,
  loadLicenseViews,
  loadOffer,
} from '../licenses/index.js';
import { applyTenant, type Tenant } from '../tenants/index.js';
import { applyUbi, findUbi } from '../ubi/index.js';
import { type Configuration, type CredentialEntry, type LicenseEntry, toLicenseEntry } from './document.js';

/** What is wanted; what is not named, or null where a setting stands, is left as it is. */
export interface WantedConfiguration {
  readonly tenant?: Configuration['tenant'];
  readonly ubi?: string | null;
  readonly company_creation_preference?: {
    readonly strategy: 'one_per_license' | 'one_per_vendor';
    readonly include_labs?: boolean;
  } | null;
  readonly credentials?: readonly CredentialEntry[];
  readonly licenses?: readonly WantedLicense[];
  readonly confirm?: 'change_ubi';
}

export type WantedLicense = Partial<LicenseEntry> & Pick<LicenseEntry, 'license_number'>;

export type DifferenceAction =
  | 'set'
  | 'create'
  | 'update'
  | 'archive'
  | 'restore'
  | 'keep'
  | 'needs_password'
  | 'needs_login';

/** One way in which the tenant is not as the document says. */
export interface Difference {
  /** Where in the document; rows of lists by their user name or license number. */
  readonly path: string;
  readonly action: DifferenceAction;
  readonly before: unknown;
  readonly after: unknown;
  /** Whether it is so from now on. */
  readonly applied: boolean;
  /** Why not, and what to do. */
  readonly detail: string | null;
}

/**
 * Whether the state's list may be used. `read`: a login of this tenant read it a moment ago; `later`: it is another one
 * than before, which a login can read once this is applied; `no_login`: there is none to read it with.
 */
export type ListAtHand = 'read' | 'later' | 'no_login';

export interface ApplyOptions {
  readonly principal: Principal;
  readonly list: ListAtHand;
}

/** Makes the tenant what the document says, as far as that goes without a password. The tenant must be locked. */
export async function applyConfiguration(
  tx: Tx,
  ports: LicensePorts,
  tenant: Tenant,
  wanted: WantedConfiguration,
  options: ApplyOptions,
): Promise<readonly Difference[]> {
  const differences: Difference[] = [];
  const note: Note = (path, action, before, after, detail = null) => {
    differences.push({ path, action, before, after, applied: detail === null, detail });
  };
  const now = await applyTenantPart(tx, ports, tenant, wanted, options, note);
  await applyUbiPart(tx, now, wanted, note);
  await applyPreferencePart(tx, now, wanted, note);
  await applyCredentialsPart(tx, wanted, note);
  await applyLicensesPart(tx, ports, now, wanted, options, note);
  return differences;
}

/** With a detail it is not applied. */
type Note = (path: string, action: DifferenceAction, before: unknown, after: unknown, detail?: string | null) => void;

async function applyTenantPart(
  tx: Tx,
  { biotrack }: LicensePorts,
  tenant: Tenant,
  { tenant: wanted }: WantedConfiguration,
  { principal }: ApplyOptions,
  note: Note,
): Promise<Tenant> {
  if (wanted === undefined) return tenant;
  const names = (['name', 'state', 'environment'] as const).filter((name) => wanted[name] !== tenant[name]);
  if (names.length === 0) return tenant;
  if (principal.role !== 'operator') {
    throw new ServiceError(
      'forbidden',
      'Name, state and environment are for the operator to change; leave "tenant" out.',
    );
  }
  for (const name of names) note(`/tenant/${name}`, 'set', tenant[name], wanted[name]);
  return applyTenant(tx, biotrack, tenant, wanted);
}

async function applyUbiPart(tx: Tx, tenant: Tenant, { ubi, confirm }: WantedConfiguration, note: Note): Promise<void> {
  if (ubi === undefined || ubi === null) return;
  const present = await findUbi(tx);
  if (present?.ubi === ubi) return;
  await applyUbi(tx, tenant, present, { ubi, confirmed: confirm === 'change_ubi' });
  note('/ubi', 'set', present?.ubi ?? null, ubi);
}

async function applyPreferencePart(
  tx: Tx,
  tenant: Tenant,
  { company_creation_preference: wanted }: WantedConfiguration,
  note: Note,
): Promise<void> {
  if (wanted === undefined || wanted === null) return;
  const { strategy, include_labs: includeLabs = false } = wanted;
  const present = await findCreationPreference(tx);
  if (present?.strategy === strategy && present.includeLabs === includeLabs) return;
  await applyCreationPreference(tx, tenant, { strategy, includeLabs });
  const path = '/company_creation_preference';
  if (present?.strategy !== strategy) note(`${path}/strategy`, 'set', present?.strategy ?? null, strategy);
  if (present?.includeLabs !== includeLabs)
    note(`${path}/include_labs`, 'set', present?.includeLabs ?? null, includeLabs);
}

async function applyCredentialsPart(tx: Tx, { credentials: wanted }: WantedConfiguration, note: Note): Promise<void> {
  if (wanted === undefined) return;
  const present = await selectCredentialsOf(tx, 'company');
  for (const { username, description } of wanted) {
    const path = `/credentials/${toPointerPart(username)}`;
    const credential = present.find((each) => each.username === username);
    if (credential === undefined) note(path, 'needs_password', null, { description, username }, NEEDS_PASSWORD);
    else if (credential.description !== description) {
      await renameCredential(tx, credential, description);
      note(`${path}/description`, 'update', credential.description, description);
    }
  }
  const names = new Set(wanted.map(({ username }) => username));
  for (const { username, description } of present.filter((credential) => !names.has(credential.username))) {
    note(`/credentials/${toPointerPart(username)}`, 'keep', { description, username }, null, KEPT);
  }
}

const NEEDS_PASSWORD = 'A password is in no document: save this login with POST …/credentials.';
const KEPT = 'A password is not thrown away by a document: take this login away with DELETE …/credentials/{id}.';
const NEEDS_LOGIN =
  'The state is asked for its licenses with a login that works: save one with POST …/credentials, then send this again.';

const COMES_LATER =
  'With another UBI or environment the state has to be asked anew, with the login that is here: send this again once it is applied.';

async function applyLicensesPart(
  tx: Tx,
  ports: LicensePorts,
  tenant: Tenant,
  { licenses: wanted }: WantedConfiguration,
  { principal, list }: ApplyOptions,
  note: Note,
): Promise<void> {
  if (wanted === undefined) return;
  const views = await loadLicenseViews(tx, tenant);
  const present = new Map(views.map(({ license }) => [license.license_key, license]));
  const credentials = await selectCredentialsOf(tx, 'company');
  const offer = list === 'read' ? await loadOffer(tx, tenant) : undefined;
  for (const [index, entry] of wanted.entries()) {
    const path = `/licenses/${toPointerPart(entry.license_number)}`;
    const license = present.get(toLicenseKey(entry.license_number));
    await atRow(index, async () => {
      if (license !== undefined) {
        await changeOne(tx, ports, tenant, license, entry, credentials, principal, path, note);
      } else if (offer === undefined) {
        note(path, 'needs_login', null, entry, list === 'later' ? COMES_LATER : NEEDS_LOGIN);
      } else {
        const made = await addLicense(tx, ports, offer, toInput(entry, credentials), principal);
        note(path, 'create', null, toLicenseEntry(made, credentials));
      }
    });
  }
  const keys = new Set(wanted.map(({ license_number }) => toLicenseKey(license_number)));
  for (const license of present.values()) {
    if (keys.has(license.license_key) || license.archived_datetime !== null) continue;
    await applyLicensePatch(tx, ports, tenant, license, { archived: true }, principal);
    const path = `/licenses/${toPointerPart(license.license_number)}`;
    note(path, 'archive', toLicenseEntry(license, credentials), null);
  }
}

async function changeOne(
  tx: Tx,
  ports: LicensePorts,
  tenant: Tenant,
  license: LicenseRow,
  wanted: WantedLicense,
  credentials: readonly Credential[],
  principal: Principal,
  path: string,
  note: Note,
): Promise<void> {
  const before = toLicenseEntry(license, credentials);
  const fields = toWantedFields(wanted).filter(([name, value]) => before[name] !== value);
  const isArchived = license.archived_datetime !== null;
  if (fields.length === 0 && !isArchived) return;
  const patch = toPatch(Object.fromEntries(fields), credentials);
  const after = await applyLicensePatch(
    tx,
    ports,
    tenant,
    license,
    isArchived ? { ...patch, archived: false } : patch,
    principal,
  );
  if (isArchived) note(path, 'restore', null, toLicenseEntry(after, credentials));
  for (const [name, value] of fields) note(`${path}/${name}`, 'update', before[name], value);
}

type EntryField = Exclude<keyof LicenseEntry, 'license_number'>;

/** What the document says of a license, as it would be told. Of a name or a type null says nothing. */
function toWantedFields({ license_number, ...fields }: WantedLicense): [EntryField, LicenseEntry[EntryField]][] {
  return (Object.entries(fields) as [EntryField, LicenseEntry[EntryField] | undefined][]).flatMap(([name, value]) => {
    if (value === undefined) return [];
    if ((name === 'name' || name === 'license_type') && value === null) return [];
    const isTime = name === 'issue_datetime' || name === 'expiry_datetime';
    return [[name, isTime && value !== null ? new Date(String(value)).toISOString() : value]];
  });
}

function toPatch(
  { credential, issue_datetime, expiry_datetime, ...rest }: Partial<LicenseEntry>,
  credentials: readonly Credential[],
): LicensePatch {
  return {
    ...rest,
    ...(issue_datetime === undefined ? {} : { issue_datetime: toDate(issue_datetime) }),
    ...(expiry_datetime === undefined ? {} : { expiry_datetime: toDate(expiry_datetime) }),
    ...(credential === undefined ? {} : { credential_id: toCredentialId(credential, credentials) }),
  };
}

const toDate = (text: string | null): Date | null => (text === null ? null : new Date(text));

function toInput(entry: WantedLicense, credentials: readonly Credential[]): LicenseInput {
  return {
    license_number: entry.license_number,
    name: entry.name ?? null,
    license_type: entry.license_type ?? null,
    issue_datetime: toDate(entry.issue_datetime ?? null),
    expiry_datetime: toDate(entry.expiry_datetime ?? null),
    active: entry.active ?? true,
    credential_id: toCredentialId(entry.credential ?? null, credentials),
    default_intake_location_id: entry.default_intake_location_id ?? null,
    sync_enabled: entry.sync_enabled ?? true,
    create_companies: entry.create_companies ?? true,
    sync_rooms: entry.sync_rooms ?? true,
    notify_on_change: entry.notify_on_change ?? true,
    share_with_leaflink: entry.share_with_leaflink ?? false,
  };
}

function toCredentialId(username: string | null, credentials: readonly Credential[]): string | null {
  if (username === null) return null;
  const credential = credentials.find((each) => each.username === username);
  if (credential !== undefined) return credential.id;
  throw new ServiceError('credential_unknown', 'Save the login first, or leave "credential" out.', {
    errors: [{ pointer: '/credential', detail: 'is the user name of no login of the company' }],
  });
}

/** What is refused of a row is said of its place in the body. */
async function atRow(index: number, work: () => Promise<void>): Promise<void> {
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

const toPointerPart = (name: string): string => name.replaceAll('~', '~0').replaceAll('/', '~1');
