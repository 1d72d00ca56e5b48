import type { Biotrack } from '../../biotrack/index.js';
import { type Db, withTenant } from '../../db/database.js';
import type { Secret } from '../../domain/secret.js';
import { ServiceError } from '../../domain/service-error.js';
import { type SealContext, UnreadableError, type Vault } from '../../vault/index.js';
import { findTenant, type Tenant } from '../tenants/index.js';
import { getOriginId, type KeyPorts } from './login-keys.js';
import { type Credential, selectSealedWithOtherKey, updateSealedPassword } from './repository.js';

/** @throws ServiceError `credential_unreadable` if the vault cannot decrypt the password */
export function openPassword(biotrack: Biotrack, vault: Vault, tenant: Tenant, credential: Credential): Secret {
  try {
    return vault.open(credential.sealedPassword, toSealContext(biotrack, tenant, credential));
  } catch (error) {
    if (!(error instanceof UnreadableError)) throw error;
    throw new ServiceError(
      'credential_unreadable',
      "The encryption key was removed, or the BioTrack address of the tenant's state changed. Update the credential with its password.",
      { cause: error },
    );
  }
}

export interface ResealCounts {
  readonly resealed: number;
  /** Passwords that cannot be decrypted: their key was removed, or the BioTrack address changed. Users must enter them again. */
  readonly unreadable: number;
}

const RESEAL_BATCH = 100;
const NO_ID = '00000000-0000-0000-0000-000000000000';

/** Re-encrypts a tenant's passwords with the primary key, in short transactions. Versions and timestamps do not change. */
export async function resealCredentials(
  db: Db,
  { biotrack, vault }: KeyPorts,
  tenantId: string,
): Promise<ResealCounts> {
  let counts = { resealed: 0, unreadable: 0 };
  for (let after: string | undefined = NO_ID; after !== undefined; ) {
    const from: string = after;
    // Undefined if the tenant was deleted meanwhile.
    const batch = await withTenant(db, tenantId, async (tx) => {
      const tenant = await findTenant(tx);
      if (tenant === undefined) return { resealed: 0, unreadable: 0, last: undefined };
      const credentials = await selectSealedWithOtherKey(tx, vault.primaryKeyId, from, RESEAL_BATCH);
      let [resealed, unreadable] = [0, 0];
      for (const credential of credentials) {
        const sealed = resealPassword(biotrack, vault, tenant, credential);
        if (sealed === undefined) unreadable += 1;
        else if (await updateSealedPassword(tx, credential, sealed)) resealed += 1;
      }
      return { resealed, unreadable, last: credentials.at(-1)?.id };
    });
    counts = { resealed: counts.resealed + batch.resealed, unreadable: counts.unreadable + batch.unreadable };
    after = batch.last;
  }
  return counts;
}

function resealPassword(biotrack: Biotrack, vault: Vault, tenant: Tenant, credential: Credential): Buffer | undefined {
  try {
    return vault.seal(openPassword(biotrack, vault, tenant, credential), toSealContext(biotrack, tenant, credential));
  } catch (error) {
    if (error instanceof ServiceError) return undefined;
    throw error;
  }
}

type Sealed = Pick<Credential, 'id' | 'owner' | 'ownerUserId' | 'secretVersion'>;

export function toSealContext(
  biotrack: Biotrack,
  tenant: Tenant,
  { id, owner, ownerUserId, secretVersion }: Sealed,
): SealContext {
  return {
    tenantId: tenant.id,
    owner: ownerUserId === null ? owner : `${owner}:${ownerUserId}`,
    rowId: id,
    secretVersion,
    originId: getOriginId(biotrack, tenant),
  };
}
