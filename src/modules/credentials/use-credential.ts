import type { BiotrackError, BiotrackLogin } from '../../biotrack/index.js';
import { type Db, type Tx, withoutBeforeCommit } from '../../db/database.js';
import type { ServiceError } from '../../domain/service-error.js';
import { inLockedTenant, inTenant, type Tenant } from '../tenants/index.js';
import { requireUbi } from '../ubi/index.js';
import {
  type Candidates,
  type ChosenCredential,
  chooseCredential,
  isUsable,
  loadCandidates,
  type OpenPorts,
  toCandidate,
} from './candidates.js';
import { attemptLogin } from './login-attempt.js';
import { type LoginResult, toLoginResultDetail, toStatusDetail } from './login-result.js';
import { toNoLoginError } from './remediation.js';
import { type Credential, findCredential, saveLastUsed } from './repository.js';
import { type CredentialPorts, openPassword, recordLoginResult } from './service.js';

/** A verified credential with its opened password. */
export interface UsableCredential extends ChosenCredential {
  readonly login: BiotrackLogin;
  readonly tenant: Tenant;
}

/** BioTrack refused the login. `reason` is a failure reason of a run; the message is text for users. */
export class LoginRefusedError extends Error {
  readonly reason: keyof typeof REFUSALS;
  readonly credential: Credential;

  constructor(reason: keyof typeof REFUSALS, credential: Credential, detail: string) {
    super(detail);
    this.name = 'LoginRefusedError';
    this.reason = reason;
    this.credential = credential;
  }
}

export interface UseOptions {
  /** The requesting user; undefined for API keys and the schedule. */
  readonly userId: string | undefined;
  /** Called in the transaction that chooses a credential, before its login is used. */
  readonly recordChoice?: (tx: Tx, chosen: ChosenCredential) => Promise<void>;
}

type UsePorts = Omit<CredentialPorts, 'newId'>;

/**
 * Chooses the user's own credential, or else the company's. An unverified credential is verified first, because the shared
 * directory may only be read by tenants with a working login. Refused credentials are not tried again.
 * @throws ServiceError `setup_incomplete` if none is usable, `credential_unreadable` if its password cannot be decrypted
 * @throws LoginRefusedError, BiotrackError if the verification fails
 */
export function getUsableCredential(
  db: Db,
  ports: UsePorts,
  tenantId: string,
  options: UseOptions,
): Promise<UsableCredential> {
  // Use and status of a credential are not effects of the request, so they must not complete its idempotency key.
  return withoutBeforeCommit(async () => {
    const { userId } = options;
    const find = (tx: Tx, tenant: Tenant) => requireUsableCredential(tx, ports, tenant, userId);
    const choice = await choose(db, tenantId, options, find);
    try {
      return await openVerified(db, ports, choice);
    } catch (error) {
      if (choice.credential.owner === 'company' || !(error instanceof LoginRefusedError)) throw error;
      // BioTrack just refused the user's own credential: use the company's.
      const fallback = await choose(db, tenantId, options, async (tx, tenant) => {
        const company = await findUsableCredential(tx, ports, tenant, undefined);
        if (company === undefined) throw error;
        return { credential: company.credential, reason: 'own_rejected' };
      });
      return openVerified(db, ports, fallback);
    }
  });
}

type TenantChoice = ChosenCredential & { readonly tenant: Tenant; readonly ubiKey: string };

const choose = (
  db: Db,
  tenantId: string,
  { recordChoice }: UseOptions,
  find: (tx: Tx, tenant: Tenant) => Promise<ChosenCredential>,
): Promise<TenantChoice> =>
  inTenant(db, tenantId, async (tx, tenant) => {
    const { ubiKey } = await requireUbi(tx, tenantId);
    const chosen = await find(tx, tenant);
    await saveLastUsed(tx, chosen.credential.id);
    await recordChoice?.(tx, chosen);
    return { ...chosen, tenant, ubiKey };
  });

async function openVerified(db: Db, ports: UsePorts, { ubiKey, ...chosen }: TenantChoice): Promise<UsableCredential> {
  const { credential, tenant } = chosen;
  const password = openPassword(ports.biotrack, ports.vault, tenant, credential);
  const { username, licenseNumber } = credential;
  const usable = { ...chosen, login: { ubi: ubiKey, username, password, licenseNumber } };
  if (credential.status === 'valid') return usable;
  // Concurrent callers share one login.
  const key = `${credential.id}/${credential.secretVersion}/${ubiKey}`;
  const result = await ports.loginAttempts(key, () => verify(db, ports, usable));
  if (result.kind === 'valid') return usable;
  if (result.kind === 'unavailable') throw result.error;
  const reason = result.kind === 'rejected' ? 'credentials_rejected' : result.kind;
  throw new LoginRefusedError(reason, credential, toLoginResultDetail(result));
}

async function verify(db: Db, ports: UsePorts, usable: UsableCredential): Promise<LoginResult> {
  const { tenant, login, credential } = usable;
  if ((await requireUnchanged(db, ports, usable)).status === 'valid') return { kind: 'valid' };
  const result = await attemptLogin(db, ports, tenant, login);
  await inLockedTenant(db, tenant.id, (tx, now) =>
    recordLoginResult(tx, now, { tenant, ubiKey: login.ubi, credential }, result),
  );
  return result;
}

/** @throws ServiceError `setup_incomplete` if the credential was refused, changed or deleted since it was chosen */
async function requireUnchanged(
  db: Db,
  ports: OpenPorts,
  { tenant, credential }: UsableCredential,
): Promise<Credential> {
  return inTenant(db, tenant.id, async (tx) => {
    const now = await findCredential(tx, credential.id);
    if (now !== undefined && now.secretVersion === credential.secretVersion && isUsable(now)) return now;
    const states = now === undefined ? [] : [toCandidate(ports, tenant, now).state];
    throw toNoLoginError(tenant.id, states, (now && toStatusDetail(now)) ?? CHANGED);
  });
}

const CHANGED = 'The credential was changed or deleted during the request. Send the request again.';

const REFUSALS = {
  credentials_rejected: 'rejected',
  ubi_rejected: 'ubi_rejected',
  privilege_missing: 'privilege_missing',
} as const;

/** Saves a refusal in the credential, so that it is not used again. Other errors change no credential. */
async function recordRefusal(
  db: Db,
  { credential, login, tenant }: UsableCredential,
  { reason, privilege = '' }: BiotrackError,
): Promise<void> {
  if (!isRefusal(reason)) return;
  // A BioTrack user without access to other lists can still read the vendors.
  if (reason === 'privilege_missing' && privilege !== VENDORS_PRIVILEGE) return;
  await withoutBeforeCommit(() =>
    inLockedTenant(db, tenant.id, (tx, now) =>
      recordLoginResult(tx, now, { tenant, ubiKey: login.ubi, credential }, { kind: REFUSALS[reason], privilege }),
    ),
  );
}

/** 409 for a request whose login BioTrack refused. */
export const toRefusedError = (
  tenantId: string,
  { id, description }: Pick<Credential, 'id' | 'description'>,
  reason: keyof typeof REFUSALS,
  detail: string,
): ServiceError => toNoLoginError(tenantId, [{ id, description, status: REFUSALS[reason], detail }], detail);

/** The callbacks with which a directory refresh reports on the login it uses. */
export const toLoginPorts = (db: Db, ports: OpenPorts, usable: UsableCredential) => ({
  confirmLogin: async (): Promise<void> => {
    await requireUnchanged(db, ports, usable);
  },
  recordLoginError: (error: BiotrackError): Promise<void> => recordRefusal(db, usable, error),
});

/** BioTrack's name of the privilege that every sync needs. */
const VENDORS_PRIVILEGE = 'sync_vendor';

/** Whether the reason is about the credential, which its owner must fix, and not about BioTrack. */
export const isRefusal = (reason: string): reason is keyof typeof REFUSALS => reason in REFUSALS;

/** Prefers the user's own credentials to the company's. */
export async function findUsableCredential(
  tx: Tx,
  ports: OpenPorts,
  tenant: Tenant,
  userId: string | undefined,
): Promise<ChosenCredential | undefined> {
  return chooseCredential(await loadCandidates(tx, ports, tenant, userId), userId !== undefined);
}

/** Falls back to a credential whose password cannot be decrypted, so that using it reports `credential_unreadable`. */
export async function findLogin(
  tx: Tx,
  ports: OpenPorts,
  tenant: Tenant,
  userId: string | undefined,
): Promise<ChosenCredential | undefined> {
  return chooseLogin(await loadCandidates(tx, ports, tenant, userId), userId !== undefined);
}

const chooseLogin = (candidates: Candidates, isUser: boolean): ChosenCredential | undefined =>
  chooseCredential(candidates, isUser) ?? chooseCredential(candidates, isUser, (each) => isUsable(each.credential));

/** @throws ServiceError `setup_incomplete` */
export async function requireUsableCredential(
  tx: Tx,
  ports: OpenPorts,
  tenant: Tenant,
  userId: string | undefined,
): Promise<ChosenCredential> {
  const candidates = await loadCandidates(tx, ports, tenant, userId);
  const chosen = chooseLogin(candidates, userId !== undefined);
  if (chosen !== undefined) return chosen;
  const states = [...candidates.own, ...candidates.company].map(({ state }) => state);
  throw toNoLoginError(tenant.id, states, 'No saved BioTrack credential can be used. Make the call in `next_step`.');
}
