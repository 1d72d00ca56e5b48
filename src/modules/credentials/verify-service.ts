import { isLoginHeld } from '../../biotrack/index.js';
import type { Db, Tx } from '../../db/database.js';
import type { Principal } from '../../domain/principal.js';
import { findCreationPreference } from '../creation-preference/index.js';
import { inTenant } from '../tenants/index.js';
import { requireUbi, resetUbiStatus } from '../ubi/index.js';
import { requireCredentialFor } from './access.js';
import { attemptLogin, type LoginPorts, toRememberedResult } from './login-attempt.js';
import { type LoginResult, toLoginError } from './login-result.js';
import { recordLogin } from './record-login.js';
import { openPassword } from './sealing.js';
import { type CredentialView, toView } from './service.js';
import { resetCredentialStatuses } from './status-repository.js';

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
  ports: LoginPorts,
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
