import { BiotrackError, type BiotrackSession } from '../../biotrack/index.js';
import { type Db, withoutEffect } from '../../db/database.js';
import type { OpenPorts } from './candidates.js';
import { claimAccount, releaseUnless, saveAttempt, toLoginResult, toTarget } from './login-attempt.js';
import { releaseLogin } from './login-attempt-repository.js';
import { getOriginId, toLoginKeys } from './login-keys.js';
import type { LoginResult, RefusalResult } from './login-result.js';
import { recordLogin } from './record-login.js';
import { isRefusal, LoginRefusedError, REFUSALS, type UsableCredential, useUnchanged } from './use-credential.js';

/**
 * Logs in. A refusal of the login, also by a later call of the session, is saved in the credential before it is thrown.
 * @throws LoginRefusedError, BiotrackError, ServiceError `setup_incomplete` if the credential was changed or deleted
 */
export function openSession(
  db: Db,
  ports: OpenPorts,
  usable: UsableCredential,
  signal: AbortSignal | undefined,
): Promise<BiotrackSession> {
  // The statuses that are saved are not effects of the request, so they must not complete its idempotency key.
  return withoutEffect(async () => {
    const session = await ports.biotrack.openSession(toTarget(usable.tenant), usable.login, {
      signal,
      wrapLogin: (send) => withoutEffect(() => sendLogin(db, ports, usable, signal, send)),
    });
    const recording =
      <T>(call: () => Promise<T>) =>
      (): Promise<T> =>
        call().catch(async (error: unknown) => {
          if (!(error instanceof BiotrackError)) throw error;
          throw await withoutEffect(() => recordCallError(db, ports, usable, error));
        });
    const { fetchVendors, fetchLabs, fetchTransporters, checkVendors } = session;
    return {
      fetchVendors: recording(fetchVendors),
      fetchLabs: fetchLabs && recording(fetchLabs),
      fetchTransporters: fetchTransporters && recording(fetchTransporters),
      checkVendors: checkVendors && recording(checkVendors),
    };
  });
}

/**
 * Sends a verified login, while no other login of the account is in progress. It is not sent if it was changed meanwhile, or if
 * another tenant or process has learned that BioTrack does not accept it any more. A refusal is saved before it is thrown.
 * @throws LoginRefusedError, BiotrackError, ServiceError `setup_incomplete`
 */
async function sendLogin<T>(
  db: Db,
  ports: OpenPorts,
  usable: UsableCredential,
  signal: AbortSignal | undefined,
  send: () => Promise<T>,
): Promise<T> {
  const { tenant, login } = usable;
  const keys = toLoginKeys(ports, tenant, login);
  const attempt = { tenant, login, wasValid: true, isForced: false, isSaved: true, signal };
  const claim = await claimAccount(db, attempt, keys, (tx) => useUnchanged(tx, ports, usable));
  if (claim.kind !== 'claimed') throw await recordRefusal(db, ports, usable, claim);
  const { lease } = claim;
  const sent = await releaseUnless(db, attempt, lease, () =>
    send().catch((error: unknown) => (error instanceof BiotrackError ? error : Promise.reject(error))),
  );
  if (!(sent instanceof BiotrackError)) {
    await releaseLogin(db, tenant.id, lease);
    return sent;
  }
  const fetched = toErrorResult(ports, usable, sent);
  throw await recordRefusal(db, ports, usable, await saveAttempt(db, ports, attempt, { keys, fetched, lease }));
}

/** BioTrack's name of the privilege that every sync needs. */
const VENDORS_PRIVILEGE = 'sync_vendor';

/** What an error of BioTrack says about the login. */
function toErrorResult(ports: OpenPorts, { tenant }: UsableCredential, error: BiotrackError): LoginResult {
  const { reason, privilege = '' } = error;
  // A BioTrack user without access to other lists can still read the vendors.
  const isOfOtherList = reason === 'privilege_missing' && privilege !== VENDORS_PRIVILEGE;
  if (!isRefusal(reason) || isOfOtherList) return { kind: 'unavailable', error };
  const kind = REFUSALS[reason];
  return toLoginResult(kind === 'refused' ? { kind, error } : { kind, privilege }, getOriginId(ports.biotrack, tenant));
}

/** Saves the status of the credential. Returns the error with which the request fails. */
async function recordRefusal(
  db: Db,
  ports: OpenPorts,
  { credential, reason, login, tenant }: UsableCredential,
  refused: LoginResult,
): Promise<Error> {
  const { result } = await recordLogin(db, ports, { tenant, login, credential }, refused);
  return result.kind === 'unavailable'
    ? result.error
    : new LoginRefusedError({ credential, reason }, result as RefusalResult);
}

/** Records an error of a call after the login. Returns the error with which the request fails. */
async function recordCallError(
  db: Db,
  ports: OpenPorts,
  usable: UsableCredential,
  error: BiotrackError,
): Promise<Error> {
  const fetched = toErrorResult(ports, usable, error);
  if (fetched.kind === 'unavailable') return error;
  const { tenant, login } = usable;
  const attempt = { tenant, login, wasValid: true, isForced: false, isSaved: true };
  const keys = toLoginKeys(ports, tenant, login);
  return recordRefusal(db, ports, usable, await saveAttempt(db, ports, attempt, { keys, fetched, lease: undefined }));
}
