import {
  BiotrackError,
  type BiotrackLogin,
  type BiotrackTarget,
  createLoginError,
  type LoginVerdict,
  mayHaveCheckedLogin,
} from '../../biotrack/index.js';
import { type Db, type Tx, withoutBeforeCommit } from '../../db/database.js';
import type { SingleFlight } from '../../domain/single-flight.js';
import { inTenant, type Tenant } from '../tenants/index.js';
import { findUbi } from '../ubi/index.js';
import {
  claimLogin,
  type RememberedRefusal,
  releaseLogin,
  saveAcceptance,
  saveRefusal,
  selectClock,
} from './login-attempt-repository.js';
import { getOriginId, type KeyPorts, type LoginKeys, toLoginKeys } from './login-keys.js';
import type { LoginResult, RefusalResult } from './login-result.js';

export interface LoginPorts extends KeyPorts {
  /** Logins in progress in this process. */
  readonly loginAttempts: SingleFlight<LoginResult>;
}

export interface LoginAttempt {
  readonly tenant: Tenant;
  readonly login: BiotrackLogin;
  /** Whether BioTrack accepted this login before. */
  readonly wasValid: boolean;
  /** Sends the login although BioTrack refused it within the last day, unless it does so during the attempt. */
  readonly isForced: boolean;
  /** Whether a refusal in any tenant prevents the login. Of a login that is not saved yet, only a refusal in this tenant does. */
  readonly isSaved: boolean;
  /** Whether to check the privilege to read laboratories too. */
  readonly checksLabs?: boolean;
}

/** How often to check whether another process has finished its login of the account. */
const POLL_MS = 200;
/** Shorter than the request timeout of the server. */
const MAX_WAIT_MS = 25_000;

export const toTarget = ({ state, environment }: Tenant): BiotrackTarget => ({ state, environment });

/**
 * Logs in to BioTrack once for all concurrent callers, across processes. A refused login is not repeated for a day, and
 * after several refusals of an account other passwords are held back for a growing time: callers must not lock BioTrack
 * accounts or guess passwords.
 */
export function attemptLogin(db: Db, ports: LoginPorts, attempt: LoginAttempt): Promise<LoginResult> {
  const keys = toLoginKeys(ports, attempt.tenant, attempt.login);
  const key = `${keys.login[0].toString('base64')}/${attempt.tenant.id}/${attempt.isForced}/${attempt.checksLabs}`;
  // The saved result is not an effect of the request, so it must not complete the request's idempotency key.
  return withoutBeforeCommit(() => ports.loginAttempts(key, () => attemptOnce(db, ports, attempt, keys)));
}

async function attemptOnce(db: Db, ports: LoginPorts, attempt: LoginAttempt, keys: LoginKeys): Promise<LoginResult> {
  const { tenant, wasValid, isForced } = attempt;
  const prevented = await claimAccount(db, attempt, keys);
  if (prevented !== undefined) return prevented;
  try {
    const fetched = await fetchLoginResult(ports, attempt);
    return await inTenant(db, tenant.id, async (tx) => {
      const result = await judgeBareRefusal(tx, ports, attempt, fetched);
      await saveAttempt(tx, keys, result, !isForced && !wasValid);
      return result;
    });
  } catch (error) {
    await inTenant(db, tenant.id, (tx) => releaseLogin(tx, keys)).catch(() => undefined);
    throw error;
  }
}

/**
 * Waits until no other login of the account is in progress. Returns undefined if the caller must log in and then call
 * `saveAttempt` or `releaseLogin`; otherwise why the login must not be sent.
 */
export async function claimAccount(
  db: Db,
  { tenant, isForced, isSaved, wasValid }: Omit<LoginAttempt, 'login'>,
  keys: LoginKeys,
): Promise<LoginResult | undefined> {
  const since = isForced ? await inTenant(db, tenant.id, selectClock) : null;
  const filter = { hashes: isForced || isSaved ? keys.login : keys.ofTenant, since };
  for (const end = performance.now() + MAX_WAIT_MS; performance.now() < end; ) {
    const claim = await inTenant(db, tenant.id, (tx) => claimLogin(tx, keys, filter, wasValid));
    if (claim.kind === 'claimed') return undefined;
    if (claim.kind === 'refused') return toRememberedResult(claim);
    if (claim.kind === 'held') {
      return { kind: 'unavailable', error: createLoginError('loginHeld', { retryAfterMs: claim.seconds * 1_000 }) };
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return { kind: 'unavailable', error: createLoginError('loginInProgress') };
}

export const toRememberedResult = ({
  refusal,
  refusedText,
  upstreamText,
  refusedAt,
}: RememberedRefusal): RefusalResult =>
  refusal === 'rejected' || refusedText === null
    ? { kind: 'rejected', refusedAt }
    : { kind: 'refused', refusedText, upstreamText, refusedAt };

async function fetchLoginResult(
  { biotrack }: KeyPorts,
  { tenant, login, checksLabs }: LoginAttempt,
): Promise<LoginResult> {
  try {
    return toLoginResult(
      await biotrack.verifyLogin(toTarget(tenant), login, { checksLabs }),
      getOriginId(biotrack, tenant),
    );
  } catch (error) {
    if (error instanceof BiotrackError) return { kind: 'unavailable', error };
    throw error;
  }
}

export function toLoginResult(verdict: LoginVerdict, originId: string): LoginResult {
  if (verdict.kind !== 'refused') return verdict;
  const { textLabel, upstreamText } = verdict.error;
  return { kind: 'refused', refusedText: `${originId}/${textLabel}`, upstreamText: upstreamText?.reveal() ?? null };
}

/**
 * A refusal without a reason means an unknown UBI only if BioTrack never accepted the UBI. Otherwise the state has a problem
 * if BioTrack accepted this login before, and the login is refused if not.
 */
export async function judgeBareRefusal(
  tx: Tx,
  { biotrack }: KeyPorts,
  { tenant, login, wasValid }: Pick<LoginAttempt, 'tenant' | 'login' | 'wasValid'>,
  result: LoginResult,
): Promise<LoginResult> {
  if (result.kind !== 'ubi_rejected') return result;
  const ubi = await findUbi(tx);
  if (ubi?.status !== 'verified' || ubi.ubiKey !== login.ubi) return result;
  if (wasValid) return { kind: 'unavailable', error: createLoginError('bareLoginRefusal') };
  return { kind: 'refused', refusedText: `${getOriginId(biotrack, tenant)}/none`, upstreamText: null };
}

/**
 * Ends the claim and remembers BioTrack's answer for all tenants and processes.
 * @param isOfTenant whether this tenant may not enter the login again for a day
 */
export function saveAttempt(tx: Tx, keys: LoginKeys, result: LoginResult, isOfTenant: boolean): Promise<void> {
  const { account, login, ofTenant } = keys;
  const refused = { account, logins: isOfTenant ? [login, ofTenant] : [login] };
  switch (result.kind) {
    case 'valid':
    case 'privilege_missing':
      return saveAcceptance(tx, keys);
    case 'unavailable':
      // Otherwise callers could guess passwords while BioTrack answers with texts that are no verdict.
      return mayHaveCheckedLogin(result.error) ? saveRefusal(tx, refused, undefined) : releaseLogin(tx, keys);
    case 'ubi_rejected':
      return saveRefusal(tx, refused, undefined);
    case 'rejected':
      return saveRefusal(tx, refused, { refusal: 'rejected', refusedText: null, upstreamText: null });
    case 'refused':
      return saveRefusal(tx, refused, { ...result, refusal: 'refused' });
  }
}
