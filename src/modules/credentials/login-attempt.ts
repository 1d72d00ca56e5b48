import {
  BiotrackError,
  type BiotrackLogin,
  type BiotrackTarget,
  createLoginError,
  type LoginVerdict,
} from '../../biotrack/index.js';
import { type Db, type Tx, withoutBeforeCommit } from '../../db/database.js';
import { ServiceError } from '../../domain/service-error.js';
import type { SingleFlight } from '../../domain/single-flight.js';
import { inTenant, type Tenant } from '../tenants/index.js';
import { findUbi } from '../ubi/index.js';
import {
  claimLogin,
  type RefusalFilter,
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
  /**
   * When BioTrack last answered a saved credential: a later refusal in any tenant prevents the login. Undefined for a login
   * that is not saved yet: only a refusal in this tenant prevents it.
   */
  readonly checkedAt?: Date | null;
  /** Whether to check the privilege to read laboratories too. */
  readonly checksLabs?: boolean;
}

/** How often to check whether another process has finished its login of the account. */
const POLL_MS = 200;
/** Shorter than the request timeout of the server. */
const MAX_WAIT_MS = 25_000;

const toTarget = ({ state, environment }: Tenant): BiotrackTarget => ({ state, environment });

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
  const filter = await inTenant(db, tenant.id, (tx) => toFilter(tx, attempt, keys));
  for (const end = performance.now() + MAX_WAIT_MS; ; ) {
    const claim = await inTenant(db, tenant.id, (tx) => claimLogin(tx, keys, filter, wasValid));
    if (claim.kind === 'refused') return toRememberedResult(claim);
    if (claim.kind === 'held') {
      return { kind: 'unavailable', error: createLoginError('loginHeld', { retryAfterMs: claim.seconds * 1_000 }) };
    }
    if (claim.kind === 'claimed') break;
    if (performance.now() > end) {
      throw new ServiceError(
        'upstream_unavailable',
        'Another request is still waiting for BioTrack to answer a login of the same user. Retry in a few seconds.',
        { reason: 'upstream_timeout' },
      );
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  try {
    const fetched = await fetchLoginResult(ports, attempt);
    return await inTenant(db, tenant.id, async (tx) => {
      const result = await judgeBareRefusal(tx, ports, attempt, fetched);
      if (result.kind === 'unavailable') await releaseLogin(tx, keys);
      else await saveAttempt(tx, keys, result, !isForced && !wasValid);
      return result;
    });
  } catch (error) {
    await inTenant(db, tenant.id, (tx) => releaseLogin(tx, keys)).catch(() => undefined);
    throw error;
  }
}

async function toFilter(
  tx: Tx,
  { isForced, checkedAt }: LoginAttempt,
  { login, ofTenant }: LoginKeys,
): Promise<RefusalFilter> {
  if (isForced) return { hashes: login, since: await selectClock(tx) };
  return checkedAt === undefined ? { hashes: ofTenant, since: null } : { hashes: login, since: checkedAt };
}

export const toRememberedResult = ({ refusal, refusedText, upstreamText }: RememberedRefusal): RefusalResult =>
  refusal === 'rejected' || refusedText === null
    ? { kind: 'rejected', isRemembered: true }
    : { kind: 'refused', refusedText, upstreamText, isRemembered: true };

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
 * Remembers BioTrack's answer for all tenants and processes.
 * @param isOfTenant whether this tenant may not enter the login again for a day
 */
export function saveAttempt(
  tx: Tx,
  keys: LoginKeys,
  result: Exclude<LoginResult, { kind: 'unavailable' }>,
  isOfTenant: boolean,
): Promise<void> {
  if (result.kind === 'valid' || result.kind === 'privilege_missing') return saveAcceptance(tx, keys);
  const { account, login, ofTenant } = keys;
  const refused = { account, logins: isOfTenant ? [login, ofTenant] : [login] };
  if (result.kind === 'ubi_rejected') return saveRefusal(tx, refused, undefined);
  const { refusedText, upstreamText } = result.kind === 'refused' ? result : NO_TEXT;
  return saveRefusal(tx, refused, { refusal: result.kind, refusedText, upstreamText });
}

const NO_TEXT = { refusedText: null, upstreamText: null };
