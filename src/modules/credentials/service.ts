import type { Biotrack, BiotrackLogin } from '../../biotrack/index.js';
import { type Db, type Tx, withoutBeforeCommit, withTenant } from '../../db/database.js';
import { type PageOf, type PageRequest, toPage } from '../../domain/page.js';
import { checkPrecondition, type Precondition } from '../../domain/precondition.js';
import { type Principal, toUserId } from '../../domain/principal.js';
import type { Secret } from '../../domain/secret.js';
import { ServiceError } from '../../domain/service-error.js';
import { type SealContext, UnreadableError, type Vault } from '../../vault/index.js';
import { resumeAfterFix } from '../schedules/index.js';
import { findTenant, inLockedTenant, inTenant, type Tenant } from '../tenants/index.js';
import { findUbi, recordUbiStatus, requireUbi, resetUbiStatus } from '../ubi/index.js';
import { requireActiveUser } from '../users/index.js';
import { requireCreation, requireCredentialFor } from './access.js';
import { attemptLogin, forceLogin, getOriginId, type LoginPorts } from './login-attempt.js';
import { type LoginResult, toLoginError } from './login-result.js';
import {
  type Credential,
  type CredentialOwner,
  deleteCredentialRow,
  findDuplicateCredential,
  findLicenseUsingCredential,
  insertCredential,
  resetCredentialStatuses,
  saveLoginResult,
  selectCredentials,
  selectSealedWithOtherKey,
  updateCredentialRow,
  updateSealedPassword,
} from './repository.js';

export interface CredentialPorts extends LoginPorts {
  readonly newId: () => string;
}

export type VerifyMode = 'required' | 'attempt' | 'skip';

/** A credential and the tenant's UBI, which every login sends. */
export interface CredentialView {
  readonly credential: Credential;
  readonly ubi: string;
}

export interface CredentialInput {
  readonly description: string;
  readonly username: string;
  readonly password: Secret;
  readonly licenseNumber: string | null;
  readonly owner: Credential['owner'];
  readonly verify: VerifyMode;
}

/** Verifies the login with BioTrack before saving it, unless `verify` is `skip`. A refused login is never saved. */
export async function createCredential(
  db: Db,
  ports: CredentialPorts,
  tenantId: string,
  input: CredentialInput,
  principal: Principal,
): Promise<CredentialView> {
  const { biotrack, vault, newId } = ports;
  const owner: CredentialOwner = requireCreation(principal, input.owner);
  const { tenant, ubi } = await inTenant(db, tenantId, async (tx, tenant) => {
    const ubi = await requireUbi(tx, tenantId);
    // Checked before the login, so that a duplicate costs no login attempt.
    await checkDuplicate(tx, owner, input);
    requireLicenseNumberUsed(biotrack, tenant, input.licenseNumber);
    return { tenant, ubi };
  });

  const { username, password, licenseNumber } = input;
  const login = { ubi: ubi.ubiKey, username, password, licenseNumber };
  const status = await verifyNewLogin(db, ports, tenant, login, input.verify);

  return inLockedTenant(db, tenantId, async (tx, now) => {
    // The user may have been deactivated during the login.
    if (owner.ownerUserId !== null) await requireActiveUser(tx, owner.ownerUserId);
    await checkDuplicate(tx, owner, input);
    const id = newId();
    const context = toSealContext(biotrack, now, { id, ...owner, secretVersion: 1 });
    const { description } = input;
    const credential = await insertCredential(tx, tenantId, {
      id,
      ...owner,
      description,
      username,
      licenseNumber,
      sealedPassword: vault.seal(password, context),
      status: (await isSetupUnchanged(tx, now, { tenant, ubiKey: login.ubi })) ? status : 'unverified',
    });
    await resumeAfterFix(tx);
    return toView(tx, tenantId, credential);
  });
}

export interface CredentialChanges {
  readonly description?: string;
  readonly username?: string;
  readonly password?: Secret;
  readonly licenseNumber?: string | null | undefined;
  readonly verify: VerifyMode;
}

export interface CredentialUpdate {
  readonly tenantId: string;
  readonly id: string;
  readonly changes: CredentialChanges;
  readonly precondition: Precondition;
  readonly principal: Principal;
}

/** Verifies a new username, password or license number with BioTrack before saving it, as `createCredential` does. */
export async function updateCredential(
  db: Db,
  ports: CredentialPorts,
  { tenantId, id, changes, precondition, principal }: CredentialUpdate,
): Promise<CredentialView> {
  const { biotrack, vault } = ports;
  const { tenant, ubi, present } = await inTenant(db, tenantId, async (tx, tenant) => {
    const present = await requireCredentialFor(tx, principal, id, 'change');
    checkPrecondition(precondition, present.version);
    await checkDuplicate(tx, present, { ...present, ...changes }, id);
    requireLicenseNumberUsed(biotrack, tenant, changes.licenseNumber);
    return { tenant, ubi: await requireUbi(tx, tenantId), present };
  });

  const { username = present.username, licenseNumber = present.licenseNumber } = changes;
  const isNewLogin =
    changes.password !== undefined || username !== present.username || licenseNumber !== present.licenseNumber;
  const password = changes.password ?? (isNewLogin ? openPassword(biotrack, vault, tenant, present) : undefined);
  const status =
    password === undefined
      ? undefined
      : await verifyNewLogin(db, ports, tenant, { ubi: ubi.ubiKey, username, password, licenseNumber }, changes.verify);

  return inLockedTenant(db, tenantId, async (tx, now) => {
    const { version, secretVersion } = await requireCredentialFor(tx, principal, id, 'change');
    checkPrecondition(precondition, version);
    await checkDuplicate(tx, present, { ...present, ...changes }, id);
    const secret =
      password === undefined
        ? {}
        : {
            status: (await isSetupUnchanged(tx, now, { tenant, ubiKey: ubi.ubiKey }))
              ? status
              : ('unverified' as const),
            secretVersion: secretVersion + 1,
            sealedPassword: vault.seal(
              password,
              toSealContext(biotrack, now, { ...present, secretVersion: secretVersion + 1 }),
            ),
          };
    if (password !== undefined) await resumeAfterFix(tx);
    const { description } = changes;
    return toView(tx, tenantId, await updateCredentialRow(tx, id, { description, username, licenseNumber, ...secret }));
  });
}

/** Changes only the description. The tenant must be locked. */
export async function renameCredential(tx: Tx, present: Credential, description: string): Promise<void> {
  await checkDuplicate(tx, present, { username: present.username, description }, present.id);
  await updateCredentialRow(tx, present.id, { description });
}

export const getCredential = (db: Db, tenantId: string, id: string, principal: Principal): Promise<CredentialView> =>
  inTenant(db, tenantId, async (tx) => {
    return toView(tx, tenantId, await requireCredentialFor(tx, principal, id, 'read'));
  });

export const listCredentials = (
  db: Db,
  tenantId: string,
  { size, after }: PageRequest,
  principal: Principal,
): Promise<PageOf<CredentialView & { id: string }>> =>
  inTenant(db, tenantId, async (tx) => {
    const visibleTo = principal.role === 'user' ? toUserId(principal) : undefined;
    const credentials = await selectCredentials(tx, visibleTo, size, after);
    if (credentials.length === 0) return { items: [], nextAfter: undefined };
    const { ubi } = await requireUbi(tx, tenantId);
    return toPage(
      credentials.map((credential) => ({ id: credential.id, credential, ubi })),
      size,
    );
  });

export const deleteCredential = (
  db: Db,
  tenantId: string,
  id: string,
  precondition: Precondition,
  principal: Principal,
): Promise<void> =>
  inLockedTenant(db, tenantId, async (tx) => {
    const { version } = await requireCredentialFor(tx, principal, id, 'delete');
    checkPrecondition(precondition, version);
    const licenseId = await findLicenseUsingCredential(tx, id);
    if (licenseId !== undefined) {
      const detail =
        'A license uses this credential. Assign another credential to the license in `conflicting_id` first.';
      throw new ServiceError('in_use', detail, { conflicting_id: licenseId });
    }
    await deleteCredentialRow(tx, id);
  });

/** Logs in now. If BioTrack is unavailable, that is the result and the status does not change. */
export async function verifyCredential(
  db: Db,
  ports: CredentialPorts,
  tenantId: string,
  id: string,
  principal: Principal,
): Promise<CredentialView & { readonly result: LoginResult }> {
  const { biotrack, vault } = ports;
  const { tenant, ubi, present } = await inTenant(db, tenantId, async (tx, tenant) => ({
    tenant,
    ubi: await requireUbi(tx, tenantId),
    present: await requireCredentialFor(tx, principal, id, 'verify'),
  }));
  const password = openPassword(biotrack, vault, tenant, present);
  const { username, licenseNumber } = present;
  const login = { ubi: ubi.ubiKey, username, password, licenseNumber };
  const result = await forceLogin(db, ports, tenant, login);
  return inLockedTenant(db, tenantId, async (tx, now) => {
    // The credential may have been deleted during the login.
    const current = await requireCredentialFor(tx, principal, id, 'verify');
    const saved = await recordLoginResult(tx, now, { tenant, ubiKey: ubi.ubiKey, credential: present }, result);
    return { ...(await toView(tx, tenantId, saved ?? current)), result };
  });
}

/** The tenant and UBI at the time of a login. */
export interface LoginContext {
  readonly tenant: Tenant;
  readonly ubiKey: string;
}

/** False if a login result is obsolete because it was for another UBI or state. The tenant must be locked. */
async function isSetupUnchanged(tx: Tx, now: Tenant, { tenant, ubiKey }: LoginContext): Promise<boolean> {
  const ubi = await findUbi(tx);
  return ubi?.ubiKey === ubiKey && now.state === tenant.state && now.environment === tenant.environment;
}

/**
 * Saves a login result in the credential and the UBI. Returns undefined if nothing was saved: BioTrack was unavailable, or
 * the setup or the password changed since the login. The tenant must be locked.
 */
export async function recordLoginResult(
  tx: Tx,
  now: Tenant,
  context: LoginContext & { readonly credential: Pick<Credential, 'id' | 'secretVersion'> },
  result: LoginResult,
): Promise<Credential | undefined> {
  if (result.kind === 'unavailable' || !(await isSetupUnchanged(tx, now, context))) return undefined;
  // BioTrack also answers like this for other reasons, so it does not override an earlier successful login.
  if (result.kind === 'ubi_rejected' && (await findUbi(tx))?.status === 'verified') return undefined;
  const missingPrivilege = result.kind === 'privilege_missing' ? result.privilege : null;
  const saved = await saveLoginResult(tx, context.credential, context.ubiKey, {
    status: result.kind,
    missingPrivilege,
  });
  if (result.kind === 'valid') await resumeAfterFix(tx);
  if (result.kind !== 'rejected') await recordUbiStatus(tx, context.ubiKey, result.kind !== 'ubi_rejected');
  return saved;
}

/**
 * Resets the verification of all credentials and of the UBI after a change of the UBI or the state.
 * @param ubiKey the new UBI; undefined if the state changed
 */
export async function resetVerification(tx: Tx, ubiKey?: string): Promise<void> {
  await resetCredentialStatuses(tx, ubiKey);
  await resetUbiStatus(tx);
}

/** @throws ServiceError `credential_unreadable` if the vault cannot decrypt the password */
export function openPassword(biotrack: Biotrack, vault: Vault, tenant: Tenant, credential: Credential): Secret {
  try {
    return vault.open(credential.sealedPassword, toSealContext(biotrack, tenant, credential));
  } catch (error) {
    if (!(error instanceof UnreadableError)) throw error;
    throw new ServiceError(
      'credential_unreadable',
      "The encryption key was removed, or the BioTrack address of the tenant's state changed. Update the credential with its password.",
      { cause: error },
    );
  }
}

export interface ResealCounts {
  readonly resealed: number;
  /** Passwords that cannot be decrypted: their key was removed, or the BioTrack address changed. Users must enter them again. */
  readonly unreadable: number;
}

const RESEAL_BATCH = 100;
const NO_ID = '00000000-0000-0000-0000-000000000000';

/** Re-encrypts a tenant's passwords with the primary key, in short transactions. Versions and timestamps do not change. */
export async function resealCredentials(
  db: Db,
  { biotrack, vault }: Pick<CredentialPorts, 'biotrack' | 'vault'>,
  tenantId: string,
): Promise<ResealCounts> {
  let counts = { resealed: 0, unreadable: 0 };
  for (let after: string | undefined = NO_ID; after !== undefined; ) {
    const from: string = after;
    // Undefined if the tenant was deleted meanwhile.
    const batch = await withTenant(db, tenantId, async (tx) => {
      const tenant = await findTenant(tx);
      if (tenant === undefined) return { resealed: 0, unreadable: 0, last: undefined };
      const credentials = await selectSealedWithOtherKey(tx, vault.primaryKeyId, from, RESEAL_BATCH);
      let [resealed, unreadable] = [0, 0];
      for (const credential of credentials) {
        const sealed = resealPassword(biotrack, vault, tenant, credential);
        if (sealed === undefined) unreadable += 1;
        else if (await updateSealedPassword(tx, credential, sealed)) resealed += 1;
      }
      return { resealed, unreadable, last: credentials.at(-1)?.id };
    });
    counts = { resealed: counts.resealed + batch.resealed, unreadable: counts.unreadable + batch.unreadable };
    after = batch.last;
  }
  return counts;
}

function resealPassword(biotrack: Biotrack, vault: Vault, tenant: Tenant, credential: Credential): Buffer | undefined {
  try {
    return vault.seal(openPassword(biotrack, vault, tenant, credential), toSealContext(biotrack, tenant, credential));
  } catch (error) {
    if (error instanceof ServiceError) return undefined;
    throw error;
  }
}

/** @throws ServiceError `license_number_not_used` if logins in the tenant's state send no license number */
function requireLicenseNumberUsed(
  biotrack: Biotrack,
  { state, environment }: Tenant,
  licenseNumber?: string | null,
): void {
  if (licenseNumber === undefined || licenseNumber === null) return;
  if (biotrack.findState(state)?.environments[environment]?.dialect === 'rest') return;
  throw new ServiceError(
    'license_number_not_used',
    "Logins in the tenant's state send no license number. Leave `license_number` out.",
    { errors: [{ pointer: '/license_number', detail: "is not used in the tenant's state" }] },
  );
}

type Sealed = Pick<Credential, 'id' | 'owner' | 'ownerUserId' | 'secretVersion'>;

function toSealContext(
  biotrack: Biotrack,
  tenant: Tenant,
  { id, owner, ownerUserId, secretVersion }: Sealed,
): SealContext {
  return {
    tenantId: tenant.id,
    owner: ownerUserId === null ? owner : `${owner}:${ownerUserId}`,
    rowId: id,
    secretVersion,
    originId: getOriginId(biotrack, tenant),
  };
}

/**
 * Returns the status with which to save a new login.
 * @throws ServiceError if the login must not be saved
 */
async function verifyNewLogin(
  db: Db,
  ports: CredentialPorts,
  tenant: Tenant,
  login: BiotrackLogin,
  mode: VerifyMode,
): Promise<'valid' | 'unverified'> {
  if (mode === 'skip') return 'unverified';
  const result = await attemptLogin(db, ports, tenant, login);
  if (result.kind === 'unavailable' && mode === 'attempt') return 'unverified';
  if (result.kind === 'valid' || result.kind === 'privilege_missing' || result.kind === 'ubi_rejected') {
    // The status of the UBI is not an effect of the request, so it must not complete its idempotency key.
    await withoutBeforeCommit(() =>
      inLockedTenant(db, tenant.id, async (tx, now) => {
        const isCurrent = await isSetupUnchanged(tx, now, { tenant, ubiKey: login.ubi });
        if (isCurrent) await recordUbiStatus(tx, login.ubi, result.kind !== 'ubi_rejected');
      }),
    );
  }
  if (result.kind !== 'valid') throw toLoginError(result);
  return 'valid';
}

const toView = async (tx: Tx, tenantId: string, credential: Credential): Promise<CredentialView> => ({
  credential,
  ubi: (await requireUbi(tx, tenantId)).ubi,
});

/** @throws ServiceError `credential_exists` if the owner has another credential with this description or username */
async function checkDuplicate(
  tx: Tx,
  owner: CredentialOwner,
  wanted: Pick<Credential, 'description' | 'username'>,
  exceptId?: string,
): Promise<void> {
  const duplicate = await findDuplicateCredential(tx, owner, wanted, exceptId);
  if (duplicate === undefined) return;
  const [pointer, what] =
    duplicate.username === wanted.username ? ['/username', 'username'] : ['/description', 'description'];
  const detail = `Another credential has this ${what}. Update that one (see \`conflicting_id\`) or choose another ${what}.`;
  throw new ServiceError('credential_exists', detail, {
    conflicting_id: duplicate.id,
    errors: [{ pointer, detail: 'is already in use' }],
  });
}
