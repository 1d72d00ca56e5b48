import { type BiotrackLogin, isLoginHeld } from '../../biotrack/index.js';
import { type Db, type Tx, withoutEffect } from '../../db/database.js';
import type { Tenant } from '../tenants/index.js';
import { attemptLogin, type LoginPorts } from './login-attempt.js';
import { findRefusal } from './login-attempt-repository.js';
import { toLoginKeys } from './login-keys.js';
import { toLoginError } from './login-result.js';
import { isOfState, isSetupUnchanged, type LoginContext, recordLogin } from './record-login.js';
import type { NewLoginStatus } from './repository.js';

export type VerifyMode = 'required' | 'attempt' | 'skip';

const UNVERIFIED: NewLoginStatus = { status: 'unverified', refusedText: null, refusedUbiKeys: [] };

/**
 * Returns the verified status of a new login; undefined if it was not sent.
 * @throws ServiceError if the login must not be saved
 */
export async function verifyNewLogin(
  db: Db,
  ports: LoginPorts,
  tenant: Tenant,
  login: BiotrackLogin,
  mode: VerifyMode,
): Promise<NewLoginStatus | undefined> {
  if (mode === 'skip') return undefined;
  const attempted = await attemptLogin(db, ports, { tenant, login, wasValid: false, isForced: false, isSaved: false });
  // There is nothing to record, and a storm of repetitions must not wait for the tenant's lock.
  if (attempted.kind === 'rejected') throw toLoginError(attempted);
  // The status of the UBI is not an effect of the request, so it must not complete its idempotency key.
  const { result } = await withoutEffect(() => recordLogin(db, ports, { tenant, login }, attempted));
  if (result.kind === 'valid') return { ...UNVERIFIED, status: 'valid' };
  const isOutage = result.kind === 'unavailable' && !isLoginHeld(result.error);
  if (isOutage && mode === 'attempt') return UNVERIFIED;
  throw toLoginError(result);
}

interface NewLogin extends Pick<LoginContext, 'tenant' | 'login'> {
  readonly verified: NewLoginStatus | undefined;
}

/** The status with which to save a new login. Of a login that was not sent, a refusal within the last day is remembered. */
export async function toSavedStatus(
  tx: Tx,
  ports: LoginPorts,
  now: Tenant,
  { tenant, login, verified }: NewLogin,
): Promise<NewLoginStatus> {
  if (!(await isSetupUnchanged(tx, now, { tenant, login }))) return UNVERIFIED;
  if (verified !== undefined) return verified;
  const { login: exact, ofTenant } = toLoginKeys(ports, tenant, login);
  const remembered = await findRefusal(tx, { hashes: [...exact, ...ofTenant], since: null });
  if (remembered === undefined) return UNVERIFIED;
  const { refusal, refusedText, refusedAt } = remembered;
  const isTrouble = refusedText !== null && (await isOfState(tx, ports, { tenant, login }, { refusedText, refusedAt }));
  return isTrouble ? UNVERIFIED : { status: refusal, refusedText, refusedUbiKeys: [login.ubi] };
}
