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
  /** Logins under way in this process. */
  readonly loginAttempts: SingleFlight<LoginResult>;
}

const PURPOSE = 'refused logins';
/** Between two looks at a trial of another process. */
const PAUSE_MS = 200;
/** Shorter than the server lets a request take. */
const PATIENCE_MS = 25_000;

export const toTarget = ({ state, environment }: Tenant): BiotrackTarget => ({ state, environment });

/** The stable name of the upstream that a password is meant for. */
export function getOriginId(biotrack: Biotrack, { state, environment }: Tenant): string {
  const upstream = biotrack.findState(state)?.environments[environment];
  if (upstream !== undefined) return upstream.originId;
  throw new ServiceError(
    'unknown_state',
    'This deployment no longer knows the state or its environment. Tell the operator.',
  );
}

/**
 * Tries a login at BioTrack once, however many ask for it, in whatever process: one that was refused is not tried again
 * for a day, so that nobody is locked out there by a script that repeats itself.
 */
export function attemptLogin(db: Db, ports: LoginPorts, tenant: Tenant, login: BiotrackLogin): Promise<LoginResult> {
  const hashes = toHashes(ports, tenant, login);
  const key = hashes[0].toString('base64');
  // What is remembered of a login is no effect of the request that tried it.
  return withoutBeforeCommit(() => ports.loginAttempts(key, () => takeTurn(db, ports.biotrack, tenant, login, hashes)));
}

async function takeTurn(
  db: Db,
  biotrack: Biotrack,
  tenant: Tenant,
  login: BiotrackLogin,
  hashes: readonly [Buffer, ...Buffer[]],
): Promise<LoginResult> {
  for (const end = performance.now() + PATIENCE_MS; ; ) {
    const trial = await inTenant(db, tenant.id, (tx) => claimLoginAttempt(tx, tenant.id, hashes));
    if (trial === 'refused') return { kind: 'rejected', isRemembered: true };
    if (trial === 'ours') break;
    if (performance.now() > end) {
      throw new ServiceError('upstream_unavailable', 'This login is being tried already. Ask again in a moment.', {
        reason: 'upstream_timeout',
      });
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  const verdict = await fetchVerdict(biotrack, toTarget(tenant), login);
  await keepTrial(db, tenant, hashes, verdict);
  return verdict;
}

/**
 * Tries a login whatever is remembered of it: a person wants to know now. What is said of a saved credential is kept with
 * it, so nothing is remembered here but that the login works again.
 */
export async function forceLogin(
  db: Db,
  ports: LoginPorts,
  tenant: Tenant,
  login: BiotrackLogin,
): Promise<LoginResult> {
  const verdict = await fetchVerdict(ports.biotrack, toTarget(tenant), login);
  if (verdict.kind !== 'unreachable' && verdict.kind !== 'rejected') {
    const hashes = toHashes(ports, tenant, login);
    await inTenant(db, tenant.id, (tx) => deleteLoginAttempts(tx, hashes));
  }
  return verdict;
}

async function keepTrial(
  db: Db,
  tenant: Tenant,
  hashes: readonly [Buffer, ...Buffer[]],
  { kind }: LoginResult,
): Promise<void> {
  await inTenant(db, tenant.id, (tx) =>
    kind === 'rejected' ? saveLoginRefusal(tx, tenant.id, hashes[0]) : deleteLoginAttempts(tx, hashes),
  );
}

async function fetchVerdict(biotrack: Biotrack, target: BiotrackTarget, login: BiotrackLogin): Promise<LoginResult> {
  try {
    return await biotrack.verifyLogin(target, login);
  } catch (error) {
    if (error instanceof BiotrackError) return { kind: 'unreachable', error };
    throw error;
  }
}

/** JSON of an array: no two logins have the same text. A hash is of no use without the keyset, and in no other tenant. */
function toHashes(
  { biotrack, vault }: LoginPorts,
  tenant: Tenant,
  { ubi, username, password }: BiotrackLogin,
): [Buffer, ...Buffer[]] {
  const text = JSON.stringify([tenant.id, getOriginId(biotrack, tenant), ubi, username, password.reveal()]);
  const toHash = (key: Buffer): Buffer => createHmac('sha256', key).update(text).digest();
  const [first, ...others] = vault.deriveKeys(PURPOSE);
  return [toHash(first), ...others.map(toHash)];
}
