import { sql } from 'kysely';
import type { OperatorTx, Tx } from '../../db/database.js';

/** Keys of a tenant are written as that tenant, keys of operator requests as the operator. */
export type KeyTx = Tx | OperatorTx;

export interface KeyId {
  readonly tenantId: string;
  readonly actor: string;
  readonly key: string;
}

export interface StoredKey {
  readonly requestMac: Buffer;
  readonly attemptId: string;
  readonly isLeased: boolean;
  readonly hasEffect: boolean;
  readonly sealedResponse: Buffer | null;
}

export interface NewKey {
  readonly requestMac: Buffer;
  readonly attemptId: string;
  readonly leaseSeconds: number;
}

const secondsFromNow = (seconds: number) => sql<Date>`now() + make_interval(secs => ${seconds})`;

/** Deletes up to `limit` expired keys of a tenant; skips keys that another transaction has locked. */
export async function deleteExpiredKeyRows(
  tx: KeyTx,
  tenantId: string,
  ageSeconds: number,
  limit: number,
): Promise<void> {
  await sql`
    delete from idempotency_keys
     where (tenant_id, actor, key) in (
       select tenant_id, actor, key from idempotency_keys
        where tenant_id = ${tenantId} and inserted_datetime < ${secondsFromNow(-ageSeconds)}
        order by inserted_datetime limit ${limit} for update skip locked)`.execute(tx);
}

export const deleteKeyIfExpired = (tx: KeyTx, id: KeyId, ageSeconds: number): Promise<unknown> =>
  deleteKey(tx, id).where('inserted_datetime', '<', secondsFromNow(-ageSeconds)).execute();

/** Whether an actor has this many keys in a tenant. */
export async function hasKeys(tx: KeyTx, { tenantId, actor }: Omit<KeyId, 'key'>, count: number): Promise<boolean> {
  const row = await tx
    .selectFrom('idempotency_keys')
    .where('tenant_id', '=', tenantId)
    .where('actor', '=', actor)
    .select('key')
    .offset(count - 1)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

/** Tenants that own some of the `limit` oldest expired keys. */
export async function selectTenantsWithExpiredKeys(
  tx: OperatorTx,
  ageSeconds: number,
  limit: number,
): Promise<string[]> {
  const expired = tx
    .selectFrom('idempotency_keys')
    .select('tenant_id')
    .where('inserted_datetime', '<', secondsFromNow(-ageSeconds))
    .orderBy('inserted_datetime')
    .limit(limit);
  const rows = await tx.selectFrom(expired.as('expired')).select('tenant_id').distinct().execute();
  return rows.map(({ tenant_id }) => tenant_id);
}

/** @returns false if the key exists already */
export async function insertKey(
  tx: KeyTx,
  { tenantId, actor, key }: KeyId,
  { requestMac, attemptId, leaseSeconds }: NewKey,
): Promise<boolean> {
  const result = await tx
    .insertInto('idempotency_keys')
    .values({
      tenant_id: tenantId,
      actor,
      key,
      request_mac: requestMac,
      attempt_id: attemptId,
      leased_until_datetime: secondsFromNow(leaseSeconds),
    })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  return result.numInsertedOrUpdatedRows === 1n;
}

/** Reads a key and locks it against takeover by another attempt. */
export const lockKey = (tx: KeyTx, { tenantId, actor, key }: KeyId): Promise<StoredKey | undefined> =>
  tx
    .selectFrom('idempotency_keys')
    .where('tenant_id', '=', tenantId)
    .where('actor', '=', actor)
    .where('key', '=', key)
    .select([
      'request_mac as requestMac',
      'attempt_id as attemptId',
      sql<boolean>`leased_until_datetime > now()`.as('isLeased'),
      'has_effect as hasEffect',
      'sealed_answer as sealedResponse',
    ])
    .forUpdate()
    .executeTakeFirst();

/** Assigns the key to another attempt. */
export const takeOverKey = (tx: KeyTx, id: KeyId, attemptId: string, leaseSeconds: number): Promise<unknown> =>
  updateKey(tx, id)
    .set({ attempt_id: attemptId, leased_until_datetime: secondsFromNow(leaseSeconds) })
    .execute();

/**
 * Records the effect of a transaction within that transaction, just before it commits.
 * @returns whether the attempt still owns the key
 */
export async function recordEffect(tx: KeyTx, id: KeyId, attemptId: string): Promise<boolean> {
  const result = await updateKey(tx, id)
    // Postgres assigns a transaction id with the first write.
    .set({ has_effect: sql<boolean>`has_effect or pg_current_xact_id_if_assigned() is not null` })
    .where('attempt_id', '=', attemptId)
    .executeTakeFirst();
  return result.numUpdatedRows === 1n;
}

export const saveResponse = (tx: KeyTx, id: KeyId, attemptId: string, sealedResponse: Buffer): Promise<unknown> =>
  updateKey(tx, id).set({ sealed_answer: sealedResponse }).where('attempt_id', '=', attemptId).execute();

/** Ends an attempt without a response: deletes a key without effect, so that the request can be retried immediately. */
export async function abandonAttempt(tx: KeyTx, id: KeyId, attemptId: string): Promise<void> {
  await deleteKey(tx, id).where('attempt_id', '=', attemptId).where('has_effect', '=', false).execute();
  await updateKey(tx, id)
    .set({ leased_until_datetime: sql<Date>`now()` })
    .where('attempt_id', '=', attemptId)
    .execute();
}

/** Of a tenant that is deleted. The table has no foreign key to tenants, because operators' keys belong to no tenant. */
export async function deleteKeysOfTenant(tx: Tx, tenantId: string): Promise<void> {
  await tx.deleteFrom('idempotency_keys').where('tenant_id', '=', tenantId).execute();
}

const deleteKey = (tx: KeyTx, { tenantId, actor, key }: KeyId) =>
  tx.deleteFrom('idempotency_keys').where('tenant_id', '=', tenantId).where('actor', '=', actor).where('key', '=', key);

const updateKey = (tx: KeyTx, { tenantId, actor, key }: KeyId) =>
  tx
    .updateTable('idempotency_keys')
    .where('tenant_id', '=', tenantId)
    .where('actor', '=', actor)
    .where('key', '=', key);
