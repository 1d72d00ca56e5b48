import { type Biotrack, type BiotrackLogin, isLoginHeld } from '../../biotrack/index.js';
import { type Db, type Tx, withoutBeforeCommit } from '../../db/database.js';
import { toUsernameKey } from '../../domain/key.js';
import { type PageOf, type PageRequest, toPage } from '../../domain/page.js';
import { checkPrecondition, type Precondition } from '../../domain/precondition.js';
import { type Principal, toUserId } from '../../domain/principal.js';
import type { Secret } from '../../domain/secret.js';
import { ServiceError } from '../../domain/service-error.js';
import { findCreationPreference } from '../creation-preference/index.js';
import { resumeAfterFix } from '../schedules/index.js';
import { inLockedTenant, inTenant, type Tenant } from '../tenants/index.js';
import { requireUbi, resetUbiStatus } from '../ubi/index.js';
import { requireActiveUser } from '../users/index.js';
import { requireCreation, requireCredentialFor } from './access.js';
import { attemptLogin, type LoginPorts, toRememberedResult } from './login-attempt.js';
import { findRefusal } from './login-attempt-repository.js';
import { toLoginKeys } from './login-keys.js';
import { type LoginResult, toLoginError } from './login-result.js';
import { isSetupUnchanged, type LoginContext, recordLogin } from './record-login.js';
import { recordRefusedUsername } from './refused-username-repository.js';
import {
  type Credential,
  type CredentialOwner,
  deleteCredentialRow,
  findDuplicateCredential,
  findLicenseUsingCredential,
  insertCredential,
  isUsable,
  type NewLoginStatus,
  resetCredentialStatuses,
  selectCredentials,
  updateCredentialRow,
} from './repository.js';
import { openPassword, toSealContext } from './sealing.js';

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

/**
 * Verifies the login with BioTrack before saving it, unless `verify` is `skip`. A refused login is saved only with `skip`,
 * with its status.
 */
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
  const verified = await verifyNewLogin(db, ports, tenant, login, input.verify);

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
      ...(await toSavedStatus(tx, ports, now, { tenant, login, verified })),
    });
    if (isUsable(credential)) await resumeAfterFix(tx);
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
  const login = password && { ubi: ubi.ubiKey, username, password, licenseNumber };
  const verified = login && (await verifyNewLogin(db, ports, tenant, login, changes.verify));

  return inLockedTenant(db, tenantId, async (tx, now) => {
    const { version, secretVersion: presentVersion } = await requireCredentialFor(tx, principal, id, 'change');
    checkPrecondition(precondition, version);
    await checkDuplicate(tx, present, { ...present, ...changes }, id);
    const secretVersion = presentVersion + 1;
    const secret = login && {
      ...(await toSavedStatus(tx, ports, now, { tenant, login, verified })),
      secretVersion,
      sealedPassword: vault.seal(login.password, toSealContext(biotrack, now, { ...present, secretVersion })),
    };
    if (secret !== undefined && isUsable(secret)) await resumeAfterFix(tx);
    const { description } = changes;
    const change = { description, username, licenseNumber, secret };
    return toView(tx, tenantId, await updateCredentialRow(tx, id, change));
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

export interface VerifyRequest {
  readonly tenantId: string;
  readonly id: string;
  /** Logs in although BioTrack refused the credential. Only for users. */
  readonly force: boolean;
  readonly principal: Principal;
}

/**
 * Logs in now. If BioTrack is unavailable, that is the result and the status does not change. A refused credential is not
 * sent again until it is changed, unless a user forces it: scripts could lock the account.
 * @throws ServiceError `logins_held` if BioTrack rejected too many logins of the account
 */
export async function verifyCredential(
  db: Db,
  ports: CredentialPorts,
  { tenantId, id, force, principal }: VerifyRequest,
): Promise<CredentialView & { readonly result: LoginResult }> {
  const { biotrack, vault } = ports;
  const { tenant, ubi, present, preference } = await inTenant(db, tenantId, async (tx, tenant) => ({
    tenant,
    ubi: await requireUbi(tx, tenantId),
    present: await requireCredentialFor(tx, principal, id, 'verify'),
    preference: await findCreationPreference(tx),
  }));
  const isForced = force && principal.kind === 'user';
  const { status } = present;
  const isRefused = status === 'rejected' || status === 'refused';
  if (isRefused && !isForced) {
    const refusedAt = present.checkedAt ?? present.updatedAt;
    const result = toRememberedResult({ refusal: status, refusedText: '', upstreamText: null, refusedAt });
    return { credential: present, ubi: ubi.ubi, result };
  }
  const password = openPassword(biotrack, vault, tenant, present);
  const { username, licenseNumber } = present;
  const login = { ubi: ubi.ubiKey, username, password, licenseNumber };
  const wasValid = status === 'valid';
  const attempted = await attemptLogin(db, ports, {
    tenant,
    login,
    wasValid,
    isForced,
    isSaved: true,
    checksLabs: preference?.includeLabs ?? false,
  });
  if (attempted.kind === 'unavailable' && isLoginHeld(attempted.error)) throw toLoginError(attempted);
  const { result, credential } = await recordLogin(db, ports, { tenant, login, credential: present }, attempted);
  return inTenant(db, tenantId, async (tx) => {
    // The credential may have been deleted during the login.
    const current = await requireCredentialFor(tx, principal, id, 'verify');
    return { ...(await toView(tx, tenantId, credential ?? current)), result };
  });
}

/**
 * Resets the verification of all credentials and of the UBI after a change of the UBI or the state.
 * @param ubiKey the new UBI; undefined if the state changed
 */
export async function resetVerification(tx: Tx, ubiKey?: string): Promise<void> {
  await resetCredentialStatuses(tx, ubiKey);
  await resetUbiStatus(tx);
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

const UNVERIFIED: NewLoginStatus = { status: 'unverified', refusedText: null, refusedUbiKeys: [] };

/**
 * Returns the verified status of a new login; undefined if it was not sent.
 * @throws ServiceError if the login must not be saved
 */
async function verifyNewLogin(
  db: Db,
  ports: CredentialPorts,
  tenant: Tenant,
  login: BiotrackLogin,
  mode: VerifyMode,
): Promise<NewLoginStatus | undefined> {
  if (mode === 'skip') return undefined;
  const attempted = await attemptLogin(db, ports, { tenant, login, wasValid: false, isForced: false, isSaved: false });
  // There is nothing to record, and a storm of repetitions must not wait for the tenant's lock.
  if (attempted.kind === 'rejected') throw toLoginError(attempted);
  // The status of the UBI is not an effect of the request, so it must not complete its idempotency key.
  const { result } = await withoutBeforeCommit(() => recordLogin(db, ports, { tenant, login }, attempted));
  if (result.kind === 'valid') return { ...UNVERIFIED, status: 'valid' };
  const isOutage = result.kind === 'unavailable' && !isLoginHeld(result.error);
  if (isOutage && mode === 'attempt') return UNVERIFIED;
  throw toLoginError(result);
}

interface NewLogin extends Pick<LoginContext, 'tenant' | 'login'> {
  readonly verified: NewLoginStatus | undefined;
}

/** The status with which to save a new login. Of a login that was not sent, a refusal within the last day is remembered. */
async function toSavedStatus(
  tx: Tx,
  ports: CredentialPorts,
  now: Tenant,
  { tenant, login, verified }: NewLogin,
): Promise<NewLoginStatus> {
  if (!(await isSetupUnchanged(tx, now, { tenant, login }))) return UNVERIFIED;
  if (verified !== undefined) return verified;
  const keys = toLoginKeys(ports, tenant, login);
  const remembered = await findRefusal(tx, { hashes: [...keys.login, ...keys.ofTenant], since: null });
  if (remembered === undefined) return UNVERIFIED;
  const { refusal, refusedText, refusedAt } = remembered;
  const { username } = keys;
  const isOfState =
    refusedText !== null &&
    (await recordRefusedUsername(tx, { tenantId: tenant.id, refusedText, username, refusedAt })) !== undefined;
  return isOfState ? UNVERIFIED : { status: refusal, refusedText, refusedUbiKeys: [login.ubi] };
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
  const isSameUsername = toUsernameKey(duplicate.username) === toUsernameKey(wanted.username);
  const [pointer, what] = isSameUsername ? ['/username', 'username'] : ['/description', 'description'];
  const detail = `Another credential has this ${what}. Update that one (see \`conflicting_id\`) or choose another ${what}.`;
  throw new ServiceError('credential_exists', detail, {
    conflicting_id: duplicate.id,
    errors: [{ pointer, detail: 'is already in use' }],
  });
}
