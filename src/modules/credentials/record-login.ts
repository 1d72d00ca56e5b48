import { type BiotrackLogin, createLoginError } from '../../biotrack/index.js';
import { type Db, type Tx, withoutBeforeCommit } from '../../db/database.js';
import { resumeAfterFix } from '../schedules/index.js';
import { inLockedTenant, type Tenant } from '../tenants/index.js';
import { findUbi, recordUbiStatus } from '../ubi/index.js';
import { forgetRefusals } from './login-attempt-repository.js';
import { type KeyPorts, toLoginKeys } from './login-keys.js';
import type { LoginResult, RefusedLogin } from './login-result.js';
import { recordRefusedUsername, saveRestored } from './refused-username-repository.js';
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

/** Runs in the transaction that locks the tenant, before the login is recorded. */
export type BeforeRecording = (tx: Tx) => Promise<LoginResult>;

/**
 * Saves a login result in the credential and the UBI. If BioTrack refused another username with the same unknown text
 * within ten minutes, the state has a problem instead: the result becomes `unavailable`, and the statuses that this text
 * caused are restored in all tenants.
 */
export async function recordLogin(
  db: Db,
  ports: KeyPorts,
  context: LoginContext,
  loginResult: LoginResult | BeforeRecording,
): Promise<RecordedLogin> {
  const { tenants, refusedText, ...recorded } = await inLockedTenant(db, context.tenant.id, async (tx, now) => {
    const result = typeof loginResult === 'function' ? await loginResult(tx) : loginResult;
    if (result.kind === 'unavailable') return { result, credential: undefined, tenants: [], refusedText: '' };
    if (result.kind === 'refused') {
      const { refusedText, refusedAt } = result;
      const { username } = toLoginKeys(ports, context.tenant, context.login);
      const tenantId = context.tenant.id;
      const tenants = await recordRefusedUsername(tx, { tenantId, refusedText, username, refusedAt });
      if (tenants !== undefined) {
        await forgetRefusals(tx, refusedText);
        return { result: toTroubleResult(result), credential: undefined, tenants, refusedText };
      }
    }
    return { result, credential: await saveResult(tx, now, context, result), tenants: [], refusedText: '' };
  });
  await restoreStatuses(db, tenants, refusedText);
  return recorded;
}

function toTroubleResult({ refusedText, upstreamText }: RefusedLogin): LoginResult {
  const refusal = upstreamText === null ? undefined : { text: upstreamText, label: refusedText };
  return { kind: 'unavailable', error: createLoginError('loginsRefused', { refusal }) };
}

async function saveResult(
  tx: Tx,
  now: Tenant,
  context: LoginContext,
  result: Exclude<LoginResult, { kind: 'unavailable' }>,
): Promise<Credential | undefined> {
  const { login, credential } = context;
  if (!(await isSetupUnchanged(tx, now, context))) return undefined;
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

/**
 * In each tenant on its own. A tenant in which this fails is restored after the next login that the text refuses, so the
 * caller gets its result.
 */
async function restoreStatuses(db: Db, tenants: readonly string[], refusedText: string): Promise<void> {
  // Not effects of the request, which may belong to another tenant.
  const unaudited: Db = { ...db, findAuditContext: () => undefined };
  for (const tenantId of tenants) {
    const restored = withoutBeforeCommit(() =>
      inLockedTenant(unaudited, tenantId, async (tx) => {
        if (await restoreRefusedCredentials(tx, refusedText)) await resumeAfterFix(tx);
        await saveRestored(tx, tenantId, refusedText);
      }),
    );
    await restored.catch(() => undefined);
  }
}
