import type { Biotrack } from '../../biotrack/index.js';
import type { Db, Tx } from '../../db/database.js';
import { toUsernameKey } from '../../domain/key.js';
import { type PageOf, type PageRequest, toPage } from '../../domain/page.js';
import { checkPrecondition, type Precondition } from '../../domain/precondition.js';
import { type Principal, toUserId } from '../../domain/principal.js';
import type { Secret } from '../../domain/secret.js';
import { ServiceError } from '../../domain/service-error.js';
import { resumeAfterFix } from '../schedules/index.js';
import { inLockedTenant, inTenant, type Tenant } from '../tenants/index.js';
import { requireUbi } from '../ubi/index.js';
import { requireActiveUser } from '../users/index.js';
import { requireCreation, requireCredentialFor } from './access.js';
import type { LoginPorts } from './login-attempt.js';
import { toSavedStatus, type VerifyMode, verifyNewLogin } from './new-login.js';
import {
  type Credential,
  type CredentialOwner,
  deleteCredentialRow,
  findDuplicateCredential,
  findLicenseUsingCredential,
  insertCredential,
  isUsable,
  selectCredentials,
  updateCredentialRow,
} from './repository.js';
import { openPassword, toSealContext } from './sealing.js';

export interface CredentialPorts extends LoginPorts {
  readonly newId: () => string;
}

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
  page: PageRequest,
  principal: Principal,
): Promise<PageOf<CredentialView>> => inTenant(db, tenantId, (tx) => loadCredentialPage(tx, tenantId, page, principal));

/** The credentials that the caller may see, the oldest first. */
export async function loadCredentialPage(
  tx: Tx,
  tenantId: string,
  { size, after }: PageRequest,
  principal: Principal,
): Promise<PageOf<CredentialView>> {
  const visibleTo = principal.role === 'user' ? toUserId(principal) : undefined;
  const credentials = await selectCredentials(tx, visibleTo, size, after);
  if (credentials.length === 0) return { items: [], nextAfter: undefined };
  const { ubi } = await requireUbi(tx, tenantId);
  return toPage(
    credentials.map((credential) => ({ id: credential.id, credential, ubi })),
    size,
  );
}

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

export const toView = async (tx: Tx, tenantId: string, credential: Credential): Promise<CredentialView> => ({
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
