import { sql } from 'kysely';
import type { OperatorTx } from '../../db/database.js';

export interface ApiKey {
  readonly id: string;
  readonly description: string;
  readonly role: 'operator' | 'admin';
  readonly tenantId: string | null;
  readonly insertedAt: Date;
  /** Null: never. */
  readonly expiresAt: Date | null;
  /** To the minute; null: never. */
  readonly lastUsedAt: Date | null;
}

const COLUMNS = [
  'id',
  'description',
  'role',
  'tenant_id as tenantId',
  'inserted_datetime as insertedAt',
  'expires_datetime as expiresAt',
  'last_used_datetime as lastUsedAt',
] as const;

export async function insertApiKey(
  tx: OperatorTx,
  key: Omit<ApiKey, 'insertedAt' | 'lastUsedAt'>,
  secretHash: Buffer,
): Promise<ApiKey> {
  const { tenantId, expiresAt, ...rest } = key;
  return tx
    .insertInto('api_keys')
    .values({ ...rest, tenant_id: tenantId, expires_datetime: expiresAt, secret_hash: secretHash })
    .returning(COLUMNS)
    .executeTakeFirstOrThrow();
}

/** The valid key with this hash. */
export const findKeyByHash = (tx: OperatorTx, secretHash: Buffer): Promise<ApiKey | undefined> =>
  tx
    .selectFrom('api_keys')
    .select(COLUMNS)
    .where('secret_hash', '=', secretHash)
    .where((eb) => eb.or([eb('expires_datetime', 'is', null), eb('expires_datetime', '>', sql<Date>`now()`)]))
    .executeTakeFirst();

/** Whether a key exists and has not expired. Locks it against deletion. */
export async function isKeyValid(tx: OperatorTx, id: string): Promise<boolean> {
  const { rows } = await sql<{ valid: boolean }>`select is_api_key_valid(${id}) as valid`.execute(tx);
  return rows[0]?.valid === true;
}

/** The key, locked. */
export const lockApiKey = (tx: OperatorTx, id: string): Promise<ApiKey | undefined> =>
  tx.selectFrom('api_keys').select(COLUMNS).where('id', '=', id).forUpdate().executeTakeFirst();

export const saveKeyUse = (tx: OperatorTx, id: string): Promise<unknown> =>
  tx.updateTable('api_keys').set({ last_used_datetime: sql<Date>`now()` }).where('id', '=', id).execute();

/** Ends a key after this time, unless it ends before. */
export const limitApiKey = (tx: OperatorTx, id: string, seconds: number): Promise<unknown> =>
  tx
    .updateTable('api_keys')
    .set({ expires_datetime: sql<Date>`least(expires_datetime, now() + make_interval(secs => ${seconds}))` })
    .where('id', '=', id)
    .execute();

export const selectApiKeys = (tx: OperatorTx, size: number, after: string | undefined): Promise<ApiKey[]> =>
  tx
    .selectFrom('api_keys')
    .select(COLUMNS)
    .$if(after !== undefined, (query) => query.where('id', '>', after as string))
    .orderBy('id')
    .limit(size + 1)
    .execute();

export const deleteApiKeyRow = (tx: OperatorTx, id: string): Promise<unknown> =>
  tx.deleteFrom('api_keys').where('id', '=', id).execute();
