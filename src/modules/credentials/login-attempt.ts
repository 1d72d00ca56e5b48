import {
  BiotrackError,
  type BiotrackLogin,
  type BiotrackTarget,
  createLoginError,
  type LoginVerdict,
  mayHaveCheckedLogin,
} from '../../biotrack/index.js';
import { type Db, type Tx, withoutEffect, withTenant } from '../../db/database.js';
import type { SingleFlight } from '../../domain/single-flight.js';
import { inTenant, type Tenant } from '../tenants/index.js';
import { findUbi } from '../ubi/index.js';
import {
  claimLogin,
  endLease,
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
  readonly signal?: AbortSignal | undefined;
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
  const { tenant, wasValid, isForced, isSaved, checksLabs = false } = attempt;
  const key = [keys.login[0].toString('base64'), tenant.id, wasValid, isForced, isSaved, checksLabs].join('/');
  // The saved result is not an effect of the request, so it must not complete the request's idempotency key.
  return withoutEffect(() => ports.loginAttempts(key, () => attemptOnce(db, ports, attempt, keys)));
}

async function attemptOnce(db: Db, ports: LoginPorts, attempt: LoginAttempt, keys: LoginKeys): Promise<LoginResult> {
  const claim = await claimAccount(db, attempt, keys);
  if (claim.kind !== 'claimed') return claim;
  const fetched = await releaseUnless(db, attempt, claim.lease, () => fetchLoginResult(ports, attempt));
  return saveAttempt(db, ports, attempt, { keys, fetched, lease: claim.lease });
}

/** Ends the lease if the work throws. */
export async function releaseUnless<T>(
  db: Db,
  { tenant }: Pick<LoginAttempt, 'tenant'>,
  lease: string,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await releaseLogin(db, tenant.id, lease).catch(() => undefined);
    throw error;
  }
}

/**
 * Waits until no other login of the account is in progress. If the result is a lease, the caller must log in and then call
 * `saveAttempt` or `releaseLogin`; otherwise it is the reason why the login must not be sent.
 * @param check throws if the login must not be sent any more
 */
export async function claimAccount(
  db: Db,
  { tenant, isForced, isSaved, wasValid, signal }: Omit<LoginAttempt, 'login'>,
  keys: LoginKeys,
  check?: (tx: Tx) => Promise<unknown>,
): Promise<{ readonly kind: 'claimed'; readonly lease: string } | LoginResult> {
  const since = isForced ? await inTenant(db, tenant.id, selectClock) : null;
  const filter = { hashes: isForced || isSaved ? keys.login : keys.ofTenant, since };
  for (const end = performance.now() + MAX_WAIT_MS; performance.now() < end; ) {
    signal?.throwIfAborted();
    const claim = await withTenant(db, tenant.id, async (tx) => {
      const claimed = await claimLogin(tx, keys, filter, wasValid);
      if (claimed.kind === 'claimed') await check?.(tx);
      return claimed;
    });
    if (claim.kind === 'claimed') return claim;
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
async function judgeBareRefusal(
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

export interface AnsweredAttempt {
  readonly keys: LoginKeys;
  readonly fetched: LoginResult;
  /** Undefined for a verdict that a later call of a session brought. */
  readonly lease: string | undefined;
}

/**
 * Remembers BioTrack's answer for all tenants and processes, and ends the lease in the same transaction: the next login of the
 * account is sent only after this one is known. Returns the result with a bare refusal judged.
 */
export function saveAttempt(
  db: Db,
  ports: KeyPorts,
  attempt: LoginAttempt,
  { keys, fetched, lease }: AnsweredAttempt,
): Promise<LoginResult> {
  return inTenant(db, attempt.tenant.id, async (tx) => {
    const result = await judgeBareRefusal(tx, ports, attempt, fetched);
    await saveAnswer(tx, keys, result, attempt);
    if (lease !== undefined) await endLease(tx, lease);
    return result;
  });
}

async function saveAnswer(
  tx: Tx,
  { account, login, ofTenant }: LoginKeys,
  result: LoginResult,
  { wasValid, isForced }: LoginAttempt,
): Promise<void> {
  // A login that is new in this tenant is not sent again from it; one that was valid may be entered again.
  const refused = { account, logins: isForced || wasValid ? [login] : [login, ofTenant] };
  switch (result.kind) {
    case 'valid':
    case 'privilege_missing':
      return saveAcceptance(tx, { account, login, ofTenant });
    case 'unavailable':
      // Otherwise callers could guess passwords while BioTrack answers with texts that are no verdict.
      return wasValid || !mayHaveCheckedLogin(result.error) ? undefined : saveRefusal(tx, refused, undefined);
    case 'ubi_rejected':
      return saveRefusal(tx, refused, undefined);
    case 'rejected':
      return saveRefusal(tx, refused, { refusal: 'rejected', refusedText: null, upstreamText: null });
    case 'refused':
      return saveRefusal(tx, refused, { ...result, refusal: 'refused' });
  }
}
