import type { BiotrackLogin } from '../../biotrack/index.js';
import { type Db, type Tx, withoutEffect, withTenant } from '../../db/database.js';
import type { ServiceError } from '../../domain/service-error.js';
import { inTenant, type Tenant } from '../tenants/index.js';
import { requireTenantWithUbi } from '../ubi/index.js';
import {
  type Candidates,
  type ChosenCredential,
  chooseCredential,
  loadCandidates,
  type OpenPorts,
  toCandidate,
} from './candidates.js';
import { attemptLogin } from './login-attempt.js';
import { type LoginResult, type RefusalResult, toLoginResultMessage, toStatusMessage } from './login-result.js';
import { recordLogin } from './record-login.js';
import { REFUSAL_REASONS, toNoLoginError } from './remediation.js';
import { type Credential, isUsable, saveLastUsed } from './repository.js';
import { openPassword } from './sealing.js';
import type { CredentialPorts } from './service.js';

/** A verified credential with its opened password. */
export interface UsableCredential extends ChosenCredential {
  readonly login: BiotrackLogin;
  readonly tenant: Tenant;
}

/** BioTrack refused the login. `reason` is a failure reason of a run; the message is text for users. */
export class LoginRefusedError extends Error {
  readonly reason: LoginReason;
  readonly refused: ChosenCredential;
  /** BioTrack's own text, for operators. */
  readonly upstreamText: string | null;

  constructor(refused: ChosenCredential, result: RefusalResult) {
    super(toLoginResultMessage(result).text);
    this.name = 'LoginRefusedError';
    this.reason = REFUSAL_REASONS[result.kind];
    this.refused = refused;
    this.upstreamText = result.kind === 'refused' ? result.upstreamText : null;
  }
}

type UsePorts = Omit<CredentialPorts, 'newId'>;

/**
 * Chooses the user's own credential, or else the company's. Refused credentials are not chosen.
 * @param userId the requesting user; undefined for API keys and the schedule
 * @throws ServiceError `setup_incomplete` if none is usable
 */
export const chooseLogin = (
  db: Db,
  ports: UsePorts,
  tenantId: string,
  userId: string | undefined,
): Promise<TenantChoice> => choose(db, tenantId, (tx, tenant) => requireUsableCredential(tx, ports, tenant, userId));

/**
 * Chooses this company credential.
 * @throws ServiceError `setup_incomplete` if it cannot be used any more
 */
export const chooseCompanyLogin = (
  db: Db,
  ports: UsePorts,
  tenantId: string,
  credentialId: string,
): Promise<TenantChoice> =>
  choose(db, tenantId, async (tx, tenant) => {
    const { company } = await loadCandidates(tx, ports, tenant, undefined);
    const chosen = company.find(({ credential, state }) => credential.id === credentialId && isUsable(state));
    if (chosen === undefined) throw toNoLoginError(tenantId, [], 'The credential cannot be used any more.');
    return { credential: chosen.credential, reason: 'no_user' };
  });

/** How old a login's last check may be; undefined for any age. */
export type LoginAge = number | undefined;

/**
 * Opens the password. An unverified credential is verified first, because the shared directory may only be read by tenants with a
 * working login. If BioTrack refuses a user's own credential, returns the company's.
 * @param maxAgeSeconds a valid login whose last check is older is checked again; if BioTrack cannot be reached, it stays valid
 * @throws ServiceError `credential_unreadable` if its password cannot be decrypted
 * @throws LoginRefusedError, BiotrackError if the verification fails
 */
export function openLogin(
  db: Db,
  ports: UsePorts,
  choice: TenantChoice,
  maxAgeSeconds?: LoginAge,
): Promise<UsableCredential> {
  // Use and status of a credential are not effects of the request, so they must not complete its idempotency key.
  return withoutEffect(async () => {
    try {
      return await openVerified(db, ports, choice, maxAgeSeconds);
    } catch (error) {
      if (choice.credential.owner === 'company' || !(error instanceof LoginRefusedError)) throw error;
      const fallback = await choose(db, choice.tenant.id, async (tx, tenant) => {
        const company = await findUsableCredential(tx, ports, tenant, undefined);
        if (company === undefined) throw error;
        return { credential: company.credential, reason: 'own_rejected' };
      });
      return openVerified(db, ports, fallback, maxAgeSeconds);
    }
  });
}

/** Chooses and opens the login of a request. */
export const getUsableCredential = async (
  db: Db,
  ports: UsePorts,
  tenantId: string,
  userId: string | undefined,
): Promise<UsableCredential> => openLogin(db, ports, await chooseLogin(db, ports, tenantId, userId));

export type TenantChoice = ChosenCredential & { readonly tenant: Tenant; readonly ubiKey: string };

const choose = (
  db: Db,
  tenantId: string,
  find: (tx: Tx, tenant: Tenant) => Promise<ChosenCredential>,
): Promise<TenantChoice> =>
  withoutEffect(() =>
    withTenant(db, tenantId, async (tx) => {
      const { tenant, ubiKey } = await requireTenantWithUbi(tx, tenantId);
      return { ...(await find(tx, tenant)), tenant, ubiKey };
    }),
  );

async function openVerified(
  db: Db,
  ports: UsePorts,
  { ubiKey, ...chosen }: TenantChoice,
  maxAgeSeconds: LoginAge,
): Promise<UsableCredential> {
  const { credential, tenant, reason } = chosen;
  const password = openPassword(ports.biotrack, ports.vault, tenant, credential);
  const { username, licenseNumber } = credential;
  const usable = { ...chosen, login: { ubi: ubiKey, username, password, licenseNumber } };
  if (isChecked(credential, maxAgeSeconds)) return usable;
  // Concurrent callers share one login.
  const key = `${credential.id}/${credential.secretVersion}/${ubiKey}`;
  const result = await ports.loginAttempts(key, () => verify(db, ports, usable, maxAgeSeconds));
  if (result.kind === 'valid') return usable;
  if (result.kind === 'unavailable') {
    if (credential.status === 'valid') return usable;
    throw result.error;
  }
  throw new LoginRefusedError({ credential, reason }, result);
}

const isChecked = ({ status, checkedAt }: Credential, maxAgeSeconds: LoginAge): boolean =>
  status === 'valid' &&
  (maxAgeSeconds === undefined || (checkedAt !== null && Date.now() - checkedAt.getTime() < maxAgeSeconds * 1_000));

async function verify(
  db: Db,
  ports: UsePorts,
  usable: UsableCredential,
  maxAgeSeconds: LoginAge,
): Promise<LoginResult> {
  const { tenant, login, credential } = usable;
  const now = await inTenant(db, tenant.id, (tx) => useUnchanged(tx, ports, usable));
  if (isChecked(now, maxAgeSeconds)) return { kind: 'valid' };
  const attempted = await attemptLogin(db, ports, {
    tenant,
    login,
    wasValid: now.status === 'valid',
    isForced: false,
    isSaved: true,
  });
  const { result } = await recordLogin(db, ports, { tenant, login, credential }, attempted);
  return result;
}

/**
 * Records that a login is about to be sent.
 * @throws ServiceError `setup_incomplete` if the credential was refused, changed or deleted since it was chosen
 */
export async function useUnchanged(
  tx: Tx,
  ports: OpenPorts,
  { tenant, credential }: UsableCredential,
): Promise<Credential> {
  const now = await saveLastUsed(tx, credential.id);
  if (now !== undefined && now.secretVersion === credential.secretVersion && isUsable(now)) return now;
  const states = now === undefined ? [] : [toCandidate(ports, tenant, now).state];
  throw toNoLoginError(tenant.id, states, (now && toStatusMessage(now)?.text) ?? CHANGED);
}

const CHANGED = 'The credential was changed or deleted during the request. Send the request again.';

/** The status for each failure reason of runs that is about the credential, which its owner must fix, and not about BioTrack. */
export const REFUSALS = Object.fromEntries(
  Object.entries(REFUSAL_REASONS).map(([status, reason]) => [reason, status]),
) as Readonly<Record<LoginReason, keyof typeof REFUSAL_REASONS>>;

type LoginReason = (typeof REFUSAL_REASONS)[keyof typeof REFUSAL_REASONS];

/** 409 for a request whose login BioTrack refused. */
export const toRefusedError = (
  tenantId: string,
  { id }: Pick<Credential, 'id'>,
  reason: LoginReason,
  detail: string,
): ServiceError => toNoLoginError(tenantId, [{ id, status: REFUSALS[reason] }], detail);

/** Whether the reason is about the credential, which its owner must fix, and not about BioTrack. */
export const isRefusal = (reason: string): reason is LoginReason => reason in REFUSALS;

/** Prefers the user's own credentials to the company's. */
export async function findUsableCredential(
  tx: Tx,
  ports: OpenPorts,
  tenant: Tenant,
  userId: string | undefined,
): Promise<ChosenCredential | undefined> {
  return chooseCredential(await loadCandidates(tx, ports, tenant, userId), userId !== undefined);
}

/** Whether the company has a usable login other than this one. Another password is another login. */
export async function hasOtherLogin(
  tx: Tx,
  ports: OpenPorts,
  tenant: Tenant,
  used: Pick<Credential, 'id' | 'secretVersion'> | undefined,
): Promise<boolean> {
  const { company } = await loadCandidates(tx, ports, tenant, undefined);
  const isUsed = ({ id, secretVersion }: Credential): boolean =>
    id === used?.id && secretVersion === used.secretVersion;
  return company.some(({ credential, state }) => isUsable(state) && !isUsed(credential));
}

/** Falls back to a credential whose password cannot be decrypted, so that using it reports `credential_unreadable`. */
export async function findLogin(
  tx: Tx,
  ports: OpenPorts,
  tenant: Tenant,
  userId: string | undefined,
): Promise<ChosenCredential | undefined> {
  return chooseCandidate(await loadCandidates(tx, ports, tenant, userId), userId !== undefined);
}

const chooseCandidate = (candidates: Candidates, isUser: boolean): ChosenCredential | undefined =>
  chooseCredential(candidates, isUser) ?? chooseCredential(candidates, isUser, (each) => isUsable(each.credential));

/** @throws ServiceError `setup_incomplete` */
export async function requireUsableCredential(
  tx: Tx,
  ports: OpenPorts,
  tenant: Tenant,
  userId: string | undefined,
): Promise<ChosenCredential> {
  const candidates = await loadCandidates(tx, ports, tenant, userId);
  const chosen = chooseCandidate(candidates, userId !== undefined);
  if (chosen !== undefined) return chosen;
  const states = [...candidates.own, ...candidates.company].map(({ state }) => state);
  throw toNoLoginError(tenant.id, states, 'No saved BioTrack credential can be used. Make the call in `next_step`.');
}
