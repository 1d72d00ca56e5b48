import type { OperatorTx } from '../../db/database.js';

export interface ApiKey {
  readonly id: string;
  readonly description: string;
  readonly role: 'operator' | 'admin';
  readonly tenantId: string | null;
  readonly insertedAt: Date;
}

const COLUMNS = ['id', 'description', 'role', 'tenant_id as tenantId', 'inserted_datetime as insertedAt'] as const;

export async function insertApiKey(
  tx: OperatorTx,
  key: Omit<ApiKey, 'insertedAt'>,
  secretHash: Buffer,
): Promise<ApiKey> {
  const { tenantId, ...rest } = key;
  return tx
    .insertInto('api_keys')
    .values({ ...rest, tenant_id: tenantId, secret_hash: secretHash })
    .returning(COLUMNS)
    .executeTakeFirstOrThrow();
}

export const findApiKey = (tx: OperatorTx, secretHash: Buffer): Promise<ApiKey | undefined> =>
  tx.selectFrom('api_keys').select(COLUMNS).where('secret_hash', '=', secretHash).executeTakeFirst();

export const selectApiKeys = (tx: OperatorTx, size: number, after: string | undefined): Promise<ApiKey[]> =>
  tx
    .selectFrom('api_keys')
    .select(COLUMNS)
    .$if(after !== undefined, (query) => query.where('id', '>', after as string))
    .orderBy('id')
    .limit(size + 1)
    .execute();

export async function deleteApiKeyRow(tx: OperatorTx, id: string): Promise<boolean> {
  const result = await tx.deleteFrom('api_keys').where('id', '=', id).executeTakeFirst();
  return result.numDeletedRows > 0n;
}
