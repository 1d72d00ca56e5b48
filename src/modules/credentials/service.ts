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
import { findUbi, recordUbiStatus, requireUbi } from '../ubi/index.js';
import { requireActiveUser } from '../users/index.js';
import { requireCreation, requireCredentialFor } from './access.js';
import { attemptLogin, forceLogin, getOriginId, type LoginPorts } from './login-attempt.js';
import { type LoginResult, toLoginError } from './login-result.js';
import {
  type Credential,
  type CredentialOwner,
  deleteCredentialRow,
  findCredential,
  findLicenseOf,
  findNamesake,
  insertCredential,
  replaceSeal,
  saveCredentialChange,
  saveLoginResult,
  selectCredentials,
  selectSealedOtherwise,
} from './repository.js';

export interface CredentialPorts extends LoginPorts {
  readonly newId: () => string;
}

export type VerifyMode = 'required' | 'attempt' | 'skip';

/** A credential with the UBI that it logs in with. */
export interface CredentialView {
  readonly credential: Credential;
  readonly ubi: string;
}

export interface CredentialInput {
  readonly description: string;
  readonly username: string;
  readonly password: Secret;
  readonly owner: Credential['owner'];
  readonly verify: VerifyMode;
}

/** Saves a credential after BioTrack accepted it. Nothing that is known to be wrong is ever saved. */
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
    // Before the login, so that a mistake here costs none.
    await refuseNamesake(tx, owner, input);
    return { tenant, ubi };
  });

  const login = { ubi: ubi.ubiKey, username: input.username, password: input.password };
  const status = await judgeNewPassword(db, ports, tenant, login, input.verify);

  return inLockedTenant(db, tenantId, async (tx, present) => {
    // Told of only now, perhaps: nobody who was turned off leaves a password here.
    if (owner.ownerUserId !== null) await requireActiveUser(tx, owner.ownerUserId);
    await refuseNamesake(tx, owner, input);
    const id = newId();
    const context = toSealContext(biotrack, present, { id, ...owner, secretVersion: 1 });
    const { description, username } = input;
    await insertCredential(tx, tenantId, {
      id,
      ...owner,
      description,
      username,
      sealedPassword: vault.seal(input.password, context),
      status: (await isStillSetUp(tx, present, { tenant, ubiKey: login.ubi })) ? status : 'unverified',
    });
    await resumeAfterFix(tx);
    return getView(tx, tenantId, id);
  });
}

export interface CredentialChanges {
  readonly description?: string;
  readonly username?: string;
  readonly password?: Secret;
  readonly verify: VerifyMode;
}

/** Changes a credential in place. A new user name or password is judged by BioTrack first, as a new credential is. */
export async function updateCredential(
  db: Db,
  ports: CredentialPorts,
  tenantId: string,
  id: string,
  changes: CredentialChanges,
  precondition: Precondition,
  principal: Principal,
): Promise<CredentialView> {
  const { biotrack, vault } = ports;
  const { tenant, ubi, present } = await inTenant(db, tenantId, async (tx, tenant) => {
    const present = await requireCredentialFor(tx, principal, id, 'change');
    checkPrecondition(precondition, present.version);
    await refuseNamesake(tx, present, { ...present, ...changes }, id);
    return { tenant, ubi: await requireUbi(tx, tenantId), present };
  });

  const username = changes.username ?? present.username;
  const isNewLogin = changes.password !== undefined || username !== present.username;
  const password = changes.password ?? (isNewLogin ? openPassword(biotrack, vault, tenant, present) : undefined);
  const status =
    password === undefined
      ? undefined
      : await judgeNewPassword(db, ports, tenant, { ubi: ubi.ubiKey, username, password }, changes.verify);

  return inLockedTenant(db, tenantId, async (tx, now) => {
    const { version, secretVersion } = await requireCredentialFor(tx, principal, id, 'change');
    checkPrecondition(precondition, version);
    await refuseNamesake(tx, present, { ...present, ...changes }, id);
    const secret =
      password === undefined
        ? {}
        : {
            status: (await isStillSetUp(tx, now, { tenant, ubiKey: ubi.ubiKey })) ? status : ('unverified' as const),
            secretVersion: secretVersion + 1,
            sealedPassword: vault.seal(
              password,
              toSealContext(biotrack, now, { ...present, secretVersion: secretVersion + 1 }),
            ),
          };
    if (password !== undefined) await resumeAfterFix(tx);
    await saveCredentialChange(tx, id, { description: changes.description, username: changes.username, ...secret });
    return getView(tx, tenantId, id);
  });
}

/** Calls a credential something else, and changes nothing about the login. The tenant must be locked. */
export async function renameCredential(tx: Tx, present: Credential, description: string): Promise<void> {
  await refuseNamesake(tx, present, { username: present.username, description }, present.id);
  await saveCredentialChange(tx, present.id, { description });
}

export const getCredential = (db: Db, tenantId: string, id: string, principal: Principal): Promise<CredentialView> =>
  inTenant(db, tenantId, async (tx) => {
    await requireCredentialFor(tx, principal, id, 'read');
    return getView(tx, tenantId, id);
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
    const licenseId = await findLicenseOf(tx, id);
    if (licenseId !== undefined) {
      const detail = 'A license is set to work with this credential.';
      throw new ServiceError('in_use', detail, { conflicting_id: licenseId });
    }
    await deleteCredentialRow(tx, id);
  });

/** Logs in now, since a person asks for it. Trouble at BioTrack is a result too, and changes nothing. */
export async function verifyCredential(
  db: Db,
  ports: CredentialPorts,
  tenantId: string,
  id: string,
  principal: Principal,
): Promise<CredentialView & { readonly verdict: LoginResult }> {
  const { biotrack, vault } = ports;
  const { tenant, ubi, present } = await inTenant(db, tenantId, async (tx, tenant) => ({
    tenant,
    ubi: await requireUbi(tx, tenantId),
    present: await requireCredentialFor(tx, principal, id, 'verify'),
  }));
  const password = openPassword(biotrack, vault, tenant, present);
  const login = { ubi: ubi.ubiKey, username: present.username, password };
  const verdict = await forceLogin(db, ports, tenant, login);
  return inLockedTenant(db, tenantId, async (tx, now) => {
    // It may be gone by now, or no longer his.
    await requireCredentialFor(tx, principal, id, 'verify');
    await recordLoginResult(tx, now, { tenant, ubiKey: ubi.ubiKey, credential: present }, verdict);
    return { ...(await getView(tx, tenantId, id)), verdict };
  });
}

/** What a login was made with, at the time of the login. */
export interface LoginMade {
  readonly tenant: Tenant;
  readonly ubiKey: string;
}

/** What was said of another UBI, or by another state, says nothing of what is set now. The tenant must be locked. */
async function isStillSetUp(tx: Tx, now: Tenant, { tenant, ubiKey }: LoginMade): Promise<boolean> {
  const ubi = await findUbi(tx);
  return ubi?.ubiKey === ubiKey && now.state === tenant.state && now.environment === tenant.environment;
}

/**
 * Keeps what BioTrack said of a stored credential and of the UBI. Trouble at BioTrack says nothing of either. The tenant
 * must be locked.
 */
export async function recordLoginResult(
  tx: Tx,
  now: Tenant,
  made: LoginMade & { readonly credential: Pick<Credential, 'id' | 'secretVersion'> },
  verdict: LoginResult,
): Promise<void> {
  if (verdict.kind === 'unreachable' || !(await isStillSetUp(tx, now, made))) return;
  // A bare refusal is weak evidence: it takes nothing back that a login has shown.
  if (verdict.kind === 'ubi_rejected' && (await findUbi(tx))?.status === 'verified') return;
  const missingPrivilege = verdict.kind === 'privilege_missing' ? verdict.privilege : null;
  const { id, secretVersion } = made.credential;
  await saveLoginResult(tx, id, secretVersion, made.ubiKey, { status: verdict.kind, missingPrivilege });
  if (verdict.kind === 'valid') await resumeAfterFix(tx);
  if (verdict.kind !== 'rejected') await recordUbiStatus(tx, made.ubiKey, verdict.kind !== 'ubi_rejected');
}

/** @throws Fault `credential_unreadable` when the vault cannot open it: the password must be given again */
export function openPassword(biotrack: Biotrack, vault: Vault, tenant: Tenant, credential: Credential): Secret {
  try {
    return vault.open(credential.sealedPassword, toSealContext(biotrack, tenant, credential));
  } catch (error) {
    if (!(error instanceof UnreadableError)) throw error;
    throw new ServiceError(
      'credential_unreadable',
      'Its key is gone, or BioTrack moved to another place since. Enter the password again.',
      { cause: error },
    );
  }
}

export interface ResealCounts {
  readonly resealed: number;
  /** Their key is gone, or BioTrack moved: they have to be entered again whatever is done. */
  readonly unreadable: number;
}

const RESEAL_AT_ONCE = 100;
const NO_ID = '00000000-0000-0000-0000-000000000000';

/** Seals a tenant's passwords with the key that seals now. Nothing else of them changes, and nobody has to wait long. */
export async function resealCredentials(
  db: Db,
  { biotrack, vault }: Pick<CredentialPorts, 'biotrack' | 'vault'>,
  tenantId: string,
): Promise<ResealCounts> {
  let counts = { resealed: 0, unreadable: 0 };
  for (let after: string | undefined = NO_ID; after !== undefined; ) {
    const from: string = after;
    // The tenant may have been deleted meanwhile: then there is nothing to seal.
    const batch = await withTenant(db, tenantId, async (tx) => {
      const tenant = await findTenant(tx);
      if (tenant === undefined) return { resealed: 0, unreadable: 0, last: undefined };
      const credentials = await selectSealedOtherwise(tx, vault.primaryKeyId, from, RESEAL_AT_ONCE);
      let [resealed, unreadable] = [0, 0];
      for (const credential of credentials) {
        const sealed = resealPassword(biotrack, vault, tenant, credential);
        if (sealed === undefined) unreadable += 1;
        else if (await replaceSeal(tx, credential, sealed)) resealed += 1;
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

/** The status to save a new password with; throws for one that is not to be saved. */
async function judgeNewPassword(
  db: Db,
  ports: CredentialPorts,
  tenant: Tenant,
  login: BiotrackLogin,
  mode: VerifyMode,
): Promise<'valid' | 'unverified'> {
  if (mode === 'skip') return 'unverified';
  const verdict = await attemptLogin(db, ports, tenant, login);
  if (verdict.kind === 'unreachable' && mode === 'attempt') return 'unverified';
  if (verdict.kind === 'valid' || verdict.kind === 'privilege_missing' || verdict.kind === 'ubi_rejected') {
    // What is known of the UBI is no effect of the request that came to know it.
    await withoutBeforeCommit(() =>
      inLockedTenant(db, tenant.id, async (tx, now) => {
        const isSo = await isStillSetUp(tx, now, { tenant, ubiKey: login.ubi });
        if (isSo) await recordUbiStatus(tx, login.ubi, verdict.kind !== 'ubi_rejected');
      }),
    );
  }
  if (verdict.kind !== 'valid') throw toLoginError(verdict);
  return 'valid';
}

async function getView(tx: Tx, tenantId: string, id: string): Promise<CredentialView> {
  // It was found a moment ago, in this very transaction.
  const credential = (await findCredential(tx, id)) as Credential;
  return { credential, ubi: (await requireUbi(tx, tenantId)).ubi };
}

async function refuseNamesake(
  tx: Tx,
  owner: CredentialOwner,
  wanted: Pick<Credential, 'description' | 'username'>,
  exceptId?: string,
): Promise<void> {
  const namesake = await findNamesake(tx, owner, wanted, exceptId);
  if (namesake === undefined) return;
  const [pointer, what] =
    namesake.username === wanted.username ? ['/username', 'user name'] : ['/description', 'description'];
  throw new ServiceError('credential_exists', `This ${what} has a credential already; change that one.`, {
    conflicting_id: namesake.id,
    errors: [{ pointer, detail: 'is taken' }],
  });
}
