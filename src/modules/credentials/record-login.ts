import { type BiotrackLogin, createLoginError } from '../../biotrack/index.js';
import { type Db, type Tx, withCommitHooks, withOperator } from '../../db/database.js';
import { resumeAfterFix } from '../schedules/index.js';
import { inLockedTenant, type Tenant } from '../tenants/index.js';
import { findUbi, recordUbiStatus } from '../ubi/index.js';
import { findRefusal, forgetRefusals } from './login-attempt-repository.js';
import { type KeyPorts, type LoginKeys, toLoginKeys } from './login-keys.js';
import { isRemembered, type LoginResult, type RefusedLogin } from './login-result.js';
import { recordRefusedUsername, saveRestored, selectUnrestored } from './refused-username-repository.js';
import type { Credential } from './repository.js';
import { restoreRefusedCredentials, saveLoginResult } from './status-repository.js';

/** The tenant and login at the time of the login. */
export interface LoginContext {
  readonly tenant: Tenant;
  readonly login: BiotrackLogin;
  /** Undefined for a login that is not saved yet. */
  readonly credential?: Pick<Credential, 'id' | 'secretVersion'> | undefined;
}

export interface RecordedLogin {
  /** Differs from what was recorded if the refusal turned out to be a problem of the state. */
  readonly result: LoginResult;
  /** Undefined if no status was saved: BioTrack gave no verdict, or the setup or the password changed since the login. */
  readonly credential: Credential | undefined;
}

/**
 * Saves a login result in the credential and the UBI. If BioTrack refused another username with the same unknown text
 * within ten minutes, the state has a problem instead: the result becomes `unavailable`, and the statuses that this text
 * caused are restored in all tenants.
 */
export async function recordLogin(
  db: Db,
  ports: KeyPorts,
  context: LoginContext,
  result: LoginResult,
): Promise<RecordedLogin> {
  if (result.kind === 'unavailable') return { result, credential: undefined };
  const recorded = await inLockedTenant(db, context.tenant.id, async (tx, now) => {
    if (result.kind === 'refused' && (await isOfState(tx, ports, context, result))) {
      return { result: toTroubleResult(result), credential: undefined };
    }
    return { result, credential: await saveResult(tx, ports, now, context, result) };
  });
  // What fails is restored by the next sweep.
  if (recorded.result.kind === 'unavailable') await restoreStatuses(db, () => undefined).catch(() => undefined);
  return recorded;
}

/** Whether a refusal is a problem of the state. Then it is forgotten. The tenant must be locked. */
export async function isOfState(
  tx: Tx,
  ports: KeyPorts,
  { tenant, login }: Pick<LoginContext, 'tenant' | 'login'>,
  { refusedText, refusedAt }: Pick<RefusedLogin, 'refusedText' | 'refusedAt'>,
): Promise<boolean> {
  const { username } = toLoginKeys(ports, tenant, login);
  const isOfState = await recordRefusedUsername(tx, { tenantId: tenant.id, refusedText, username, refusedAt });
  if (isOfState) await forgetRefusals(tx, refusedText);
  return isOfState;
}

function toTroubleResult({ refusedText, upstreamText }: RefusedLogin): LoginResult {
  const refusal = upstreamText === null ? undefined : { text: upstreamText, label: refusedText };
  return { kind: 'unavailable', error: createLoginError('loginsRefused', { refusal }) };
}

async function saveResult(
  tx: Tx,
  ports: KeyPorts,
  now: Tenant,
  context: LoginContext,
  result: Exclude<LoginResult, { kind: 'unavailable' }>,
): Promise<Credential | undefined> {
  const { login, credential } = context;
  if (!(await isSetupUnchanged(tx, now, context))) return undefined;
  // A remembered refusal can be obsolete by now: another request has logged in meanwhile.
  if (isRemembered(result) && !(await isStillRefused(tx, toLoginKeys(ports, context.tenant, login)))) return undefined;
  const saved =
    credential === undefined
      ? undefined
      : await saveLoginResult(tx, credential, login.ubi, {
          status: result.kind,
          missingPrivilege: result.kind === 'privilege_missing' ? result.privilege : null,
          refusedText: result.kind === 'refused' ? result.refusedText : null,
        });
  if (result.kind === 'valid' && credential !== undefined) await resumeAfterFix(tx);
  if (result.kind === 'valid' || result.kind === 'privilege_missing') await recordUbiStatus(tx, login.ubi, true);
  if (result.kind === 'ubi_rejected') await recordUbiStatus(tx, login.ubi, false);
  return saved;
}

/** False if a login result is obsolete because it was for another UBI or state. The tenant must be locked. */
export async function isSetupUnchanged(
  tx: Tx,
  now: Tenant,
  { tenant, login }: Pick<LoginContext, 'tenant' | 'login'>,
): Promise<boolean> {
  const ubi = await findUbi(tx);
  return ubi?.ubiKey === login.ubi && now.state === tenant.state && now.environment === tenant.environment;
}

const isStillRefused = async (tx: Tx, { login, ofTenant }: LoginKeys): Promise<boolean> =>
  (await findRefusal(tx, { hashes: [...login, ...ofTenant], since: null })) !== undefined;

/**
 * Restores the statuses that were caused by problems of a state, in each tenant on its own.
 * @param onError called for each tenant in which that fails; it stays to be done
 */
export async function restoreStatuses(db: Db, onError: (error: unknown) => void): Promise<void> {
  for (const unrestored of await withOperator(db, selectUnrestored)) {
    // Not an effect of the request, which may belong to another tenant.
    const restored = withCommitHooks({ audit: undefined, idempotency: undefined }, () =>
      inLockedTenant(db, unrestored.tenantId, async (tx) => {
        if (await restoreRefusedCredentials(tx, unrestored.refusedText)) await resumeAfterFix(tx);
        await saveRestored(tx, unrestored);
      }),
    );
    await restored.catch(onError);
  }
}
