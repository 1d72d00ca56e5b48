import { createHmac } from 'node:crypto';
import type { Biotrack, BiotrackLogin } from '../../biotrack/index.js';
import { toUsernameKey } from '../../domain/key.js';
import { ServiceError } from '../../domain/service-error.js';
import type { Vault } from '../../vault/index.js';
import type { Tenant } from '../tenants/index.js';

/** One hash per key of the keyset; new rows use the first. */
export type KeyHashes = readonly [Buffer, ...Buffer[]];

/**
 * Names everything that is remembered about a login; equal in all tenants, except `ofTenant`. Without the keyset, a hash
 * cannot be used to guess the password.
 */
export interface LoginKeys {
  /** The BioTrack server, UBI and username. */
  readonly account: KeyHashes;
  /** The account, with the username as entered, the password and the license number. */
  readonly login: KeyHashes;
  /** The login as entered in this tenant. Another tenant may try it on its own. */
  readonly ofTenant: KeyHashes;
  /** The BioTrack server and username. */
  readonly username: KeyHashes;
}

/** Names the derived key. Changing it forgets everything that is remembered about logins. */
const KEY_PURPOSE = 'refused logins';

export interface KeyPorts {
  readonly biotrack: Biotrack;
  readonly vault: Vault;
}

export function toLoginKeys(
  { biotrack, vault }: KeyPorts,
  tenant: Tenant,
  { ubi, username, password, licenseNumber = null }: BiotrackLogin,
): LoginKeys {
  const [first, ...others] = vault.deriveKeys(KEY_PURPOSE);
  const originId = getOriginId(biotrack, tenant);
  // The JSON array keeps different logins from producing the same text.
  const toHashes = (...parts: (string | null)[]): KeyHashes => {
    const text = JSON.stringify([originId, ...parts]);
    const toHash = (key: Buffer): Buffer => createHmac('sha256', key).update(text).digest();
    return [toHash(first), ...others.map(toHash)];
  };
  const usernameKey = toUsernameKey(username);
  return {
    account: toHashes('account', ubi, usernameKey),
    login: toHashes('login', ubi, username, password.reveal(), licenseNumber),
    ofTenant: toHashes('tenant', tenant.id, ubi, username, password.reveal(), licenseNumber),
    username: toHashes('username', usernameKey),
  };
}

/** The stable name of the BioTrack system for which a password is sealed. */
export function getOriginId(biotrack: Biotrack, { state, environment }: Tenant): string {
  const upstream = biotrack.findState(state)?.environments[environment];
  if (upstream !== undefined) return upstream.originId;
  throw new ServiceError(
    'unknown_state',
    "This deployment no longer supports the tenant's state or environment. The operator must configure it.",
  );
}
