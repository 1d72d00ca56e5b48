import { sql } from 'kysely';
import type { Tx } from '../../db/database.js';
import { toUsernameKey } from '../../domain/key.js';

export type CredentialStatus = 'unverified' | 'valid' | 'rejected' | 'refused' | 'ubi_rejected' | 'privilege_missing';

/** Refused credentials are never used automatically, so that BioTrack does not lock the account. */
export const isUsable = ({ status }: { readonly status: CredentialStatus | 'unreadable' }): boolean =>
  status === 'valid' || status === 'unverified';

export interface Credential {
  readonly id: string;
  readonly owner: 'company' | 'user';
  readonly ownerUserId: string | null;
  readonly description: string;
  readonly username: string;
  readonly licenseNumber: string | null;
  readonly sealedPassword: Buffer;
  readonly secretVersion: number;
  readonly status: CredentialStatus;
  readonly missingPrivilege: string | null;
  readonly checkedAt: Date | null;
  readonly lastUsedAt: Date | null;
  readonly version: number;
  readonly insertedAt: Date;
  readonly updatedAt: Date;
}

export const COLUMNS = [
  'id',
  'owner',
  'owner_user_id as ownerUserId',
  'description',
  'username',
  'license_number as licenseNumber',
  'sealed_password as sealedPassword',
  'secret_version as secretVersion',
  'status',
  'missing_privilege as missingPrivilege',
  'checked_datetime as checkedAt',
  'last_used_datetime as lastUsedAt',
  'version',
  'inserted_datetime as insertedAt',
  'updated_datetime as updatedAt',
] as const;

const select = (tx: Tx) => tx.selectFrom('credentials').select(COLUMNS).$castTo<Credential>();

export const findCredential = (tx: Tx, id: string): Promise<Credential | undefined> =>
  select(tx).where('id', '=', id).executeTakeFirst();

/** @param visibleTo only the company's credentials and those of this user; undefined for all */
export const selectCredentials = (
  tx: Tx,
  visibleTo: string | undefined,
  size: number,
  after: string | undefined,
): Promise<Credential[]> =>
  select(tx)
    .$if(visibleTo !== undefined, (query) =>
      query.where((eb) => eb.or([eb('owner', '=', 'company'), eb('owner_user_id', '=', visibleTo as string)])),
    )
    .$if(after !== undefined, (query) => query.where('id', '>', after as string))
    .orderBy('id')
    .limit(size + 1)
    .execute();

/**
 * Credentials that are sealed with another key than `keyId`. A sealed password starts with a format byte, the length of its
 * key id, and the key id.
 */
export const selectSealedWithOtherKey = (tx: Tx, keyId: string, after: string, size: number): Promise<Credential[]> =>
  select(tx)
    .where(
      sql<string>`encode(substring(sealed_password from 3 for get_byte(sealed_password, 1)), 'escape')`,
      '!=',
      keyId,
    )
    .where('id', '>', after)
    .orderBy('id')
    .limit(size)
    .execute();

/** False if the password was replaced meanwhile. */
export async function updateSealedPassword(
  tx: Tx,
  { id, sealedPassword }: Pick<Credential, 'id' | 'sealedPassword'>,
  resealed: Buffer,
): Promise<boolean> {
  const result = await tx
    .updateTable('credentials')
    .set({ sealed_password: resealed })
    .where('id', '=', id)
    .where('sealed_password', '=', sealedPassword)
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

export type CredentialOwner = Pick<Credential, 'owner' | 'ownerUserId'>;

/** Another credential of the owner with this description or username. */
export const findDuplicateCredential = (
  tx: Tx,
  { owner, ownerUserId }: CredentialOwner,
  { description, username }: Pick<Credential, 'description' | 'username'>,
  exceptId: string | undefined,
): Promise<Credential | undefined> =>
  select(tx)
    .where('owner', '=', owner)
    .where('owner_user_id', ownerUserId === null ? 'is' : '=', ownerUserId)
    .where((eb) => eb.or([eb('description', '=', description), eb('username_key', '=', toUsernameKey(username))]))
    .$if(exceptId !== undefined, (query) => query.where('id', '!=', exceptId as string))
    .orderBy('id')
    .executeTakeFirst();

/** Credentials of the company or of these users: valid ones first, then the oldest. */
export const selectCredentialsOf = (tx: Tx, owners: 'company' | readonly string[]): Promise<Credential[]> =>
  select(tx)
    .where((eb) =>
      owners === 'company' ? eb('owner', '=', 'company') : eb('owner_user_id', 'in', owners.length > 0 ? owners : ['']),
    )
    .orderBy((eb) => eb.case().when('status', '=', 'valid').then(0).else(1).end())
    .orderBy('id')
    .execute();

export type NewCredential = Pick<
  Credential,
  'id' | 'owner' | 'ownerUserId' | 'description' | 'username' | 'licenseNumber' | 'sealedPassword'
> &
  NewLoginStatus;

/** The status of a new login. */
export interface NewLoginStatus {
  readonly status: 'valid' | 'unverified' | 'rejected' | 'refused';
  /** For `refused`. */
  readonly refusedText: string | null;
  /** The UBI with which BioTrack refused it. */
  readonly refusedUbiKeys: readonly string[];
}

const toStatusColumns = ({ status, refusedText, refusedUbiKeys }: NewLoginStatus) => ({
  status,
  refused_text: refusedText,
  status_before_refusal: status === 'refused' ? 'unverified' : null,
  refused_ubi_keys: [...refusedUbiKeys],
});

export async function insertCredential(tx: Tx, tenantId: string, credential: NewCredential): Promise<Credential> {
  const { id, owner, ownerUserId, description, username, licenseNumber, sealedPassword, status } = credential;
  return tx
    .insertInto('credentials')
    .values((eb) => ({
      tenant_id: tenantId,
      id,
      owner,
      owner_user_id: ownerUserId,
      description,
      username,
      username_key: toUsernameKey(username),
      license_number: licenseNumber,
      sealed_password: sealedPassword,
      ...toStatusColumns(credential),
      checked_datetime: status === 'valid' ? eb.fn('now') : null,
    }))
    .returning(COLUMNS)
    .$castTo<Credential>()
    .executeTakeFirstOrThrow();
}

export interface CredentialChange {
  readonly description?: string | undefined;
  readonly username?: string | undefined;
  readonly licenseNumber?: string | null | undefined;
  readonly secret?: (Pick<Credential, 'sealedPassword' | 'secretVersion'> & NewLoginStatus) | undefined;
}

/** A change by a caller: it raises the version. */
export async function updateCredentialRow(
  tx: Tx,
  id: string,
  { description, username, licenseNumber, secret }: CredentialChange,
): Promise<Credential> {
  return tx
    .updateTable('credentials')
    .set((eb) => ({
      ...(description === undefined ? {} : { description }),
      ...(username === undefined ? {} : { username, username_key: toUsernameKey(username) }),
      ...(licenseNumber === undefined ? {} : { license_number: licenseNumber }),
      ...(secret === undefined
        ? {}
        : {
            sealed_password: secret.sealedPassword,
            secret_version: secret.secretVersion,
            missing_privilege: null,
            ...toStatusColumns(secret),
          }),
      ...(secret?.status === 'valid' ? { checked_datetime: eb.fn<Date>('now') } : {}),
      version: eb('version', '+', 1),
      updated_datetime: eb.fn<Date>('now'),
    }))
    .where('id', '=', id)
    .returning(COLUMNS)
    .$castTo<Credential>()
    .executeTakeFirstOrThrow();
}

/** Undefined if the credential was deleted. */
export const saveLastUsed = (tx: Tx, id: string): Promise<Credential | undefined> =>
  tx
    .updateTable('credentials')
    .set((eb) => ({ last_used_datetime: eb.fn<Date>('now') }))
    .where('id', '=', id)
    .returning(COLUMNS)
    .$castTo<Credential>()
    .executeTakeFirst();

export async function deleteCredentialRow(tx: Tx, id: string): Promise<void> {
  await tx.deleteFrom('credentials').where('id', '=', id).execute();
}

export async function deleteCredentialsOfUser(tx: Tx, userId: string): Promise<void> {
  await tx.deleteFrom('credentials').where('owner_user_id', '=', userId).execute();
}

/** A license that is assigned this credential. Archived ones count, because they can be restored. */
export async function findLicenseUsingCredential(tx: Tx, id: string): Promise<string | undefined> {
  const found = await tx
    .selectFrom('licenses')
    .select('id')
    .where('credential_id', '=', id)
    .limit(1)
    .executeTakeFirst();
  return found?.id;
}
