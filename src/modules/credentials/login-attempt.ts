import { createHmac } from 'node:crypto';
import { type Biotrack, BiotrackError, type BiotrackLogin, type BiotrackTarget } from '../../biotrack/index.js';
import { type Db, withoutBeforeCommit } from '../../db/database.js';
import { ServiceError } from '../../domain/service-error.js';
import type { SingleFlight } from '../../domain/single-flight.js';
import type { Vault } from '../../vault/index.js';
import { inTenant, type Tenant } from '../tenants/index.js';
import { claimLoginAttempt, deleteLoginAttempts, saveLoginRefusal } from './login-attempt-repository.js';
import type { LoginResult } from './login-result.js';

export interface LoginPorts {
  readonly biotrack: Biotrack;
  readonly vault: Vault;
  /** Logins in progress in this process. */
  readonly loginAttempts: SingleFlight<LoginResult>;
}

/** Names the derived key. Changing it forgets all saved refusals. */
const KEY_PURPOSE = 'refused logins';
/** How often to check whether another process has finished the same login. */
const POLL_MS = 200;
/** Shorter than the request timeout of the server. */
const MAX_WAIT_MS = 25_000;

const toTarget = ({ state, environment }: Tenant): BiotrackTarget => ({ state, environment });

/** The stable name of the BioTrack system for which a password is sealed. */
export function getOriginId(biotrack: Biotrack, { state, environment }: Tenant): string {
  const upstream = biotrack.findState(state)?.environments[environment];
  if (upstream !== undefined) return upstream.originId;
  throw new ServiceError(
    'unknown_state',
    "This deployment no longer supports the tenant's state or environment. The operator must configure it.",
  );
}

/**
 * Logs in to BioTrack once for all concurrent callers, across processes. A refused login is not repeated for a day, so that a
 * script in a loop does not lock the BioTrack account.
 */
export function attemptLogin(db: Db, ports: LoginPorts, tenant: Tenant, login: BiotrackLogin): Promise<LoginResult> {
  const hashes = toHashes(ports, tenant, login);
  const key = hashes[0].toString('base64');
  // The saved result is not an effect of the request, so it must not complete the request's idempotency key.
  return withoutBeforeCommit(() =>
    ports.loginAttempts(key, () => attemptOnce(db, ports.biotrack, tenant, login, hashes)),
  );
}

type Hashes = readonly [Buffer, ...Buffer[]];

async function attemptOnce(
  db: Db,
  biotrack: Biotrack,
  tenant: Tenant,
  login: BiotrackLogin,
  hashes: Hashes,
): Promise<LoginResult> {
  for (const end = performance.now() + MAX_WAIT_MS; ; ) {
    const attempt = await inTenant(db, tenant.id, (tx) => claimLoginAttempt(tx, tenant.id, hashes));
    if (attempt === 'refused') return { kind: 'rejected', isRemembered: true };
    if (attempt === 'claimed') break;
    if (performance.now() > end) {
      throw new ServiceError(
        'upstream_unavailable',
        'Another request is still waiting for BioTrack to answer the same login. Retry in a few seconds.',
        { reason: 'upstream_timeout' },
      );
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  const result = await fetchLoginResult(biotrack, toTarget(tenant), login);
  await inTenant(db, tenant.id, (tx) =>
    result.kind === 'rejected' ? saveLoginRefusal(tx, tenant.id, hashes[0]) : deleteLoginAttempts(tx, hashes),
  );
  return result;
}

/**
 * Logs in even if the same login was refused recently, because a user asked for it. Saves no refusal: the caller saves the
 * result in the credential.
 */
export async function forceLogin(
  db: Db,
  ports: LoginPorts,
  tenant: Tenant,
  login: BiotrackLogin,
): Promise<LoginResult> {
  const result = await fetchLoginResult(ports.biotrack, toTarget(tenant), login);
  if (result.kind !== 'unavailable' && result.kind !== 'rejected') {
    const hashes = toHashes(ports, tenant, login);
    await inTenant(db, tenant.id, (tx) => deleteLoginAttempts(tx, hashes));
  }
  return result;
}

async function fetchLoginResult(
  biotrack: Biotrack,
  target: BiotrackTarget,
  login: BiotrackLogin,
): Promise<LoginResult> {
  try {
    return await biotrack.verifyLogin(target, login);
  } catch (error) {
    if (error instanceof BiotrackError) return { kind: 'unavailable', error };
    throw error;
  }
}

/**
 * One hash per key of the keyset. The JSON array keeps different logins from producing the same text. Without the keyset, a
 * hash cannot be used to guess the password, and it differs between tenants.
 */
function toHashes(
  { biotrack, vault }: LoginPorts,
  tenant: Tenant,
  { ubi, username, password, licenseNumber = null }: BiotrackLogin,
): [Buffer, ...Buffer[]] {
  const text = JSON.stringify([
    tenant.id,
    getOriginId(biotrack, tenant),
    ubi,
    username,
    password.reveal(),
    licenseNumber,
  ]);
  const toHash = (key: Buffer): Buffer => createHmac('sha256', key).update(text).digest();
  const [first, ...others] = vault.deriveKeys(KEY_PURPOSE);
  return [toHash(first), ...others.map(toHash)];
}
