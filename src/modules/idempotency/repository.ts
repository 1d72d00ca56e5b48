import { sql } from 'kysely';
import type { OperatorTx, Tx } from '../../db/database.js';

/** A tenant's keys are kept in its own transactions, an operator's in his. */
export type KeyTx = Tx | OperatorTx;

export interface KeyId {
  readonly tenant_id: string;
  readonly actor: string;
  readonly key: string;
}

export interface KeptKey {
  readonly requestMac: Buffer;
  readonly attemptId: string;
  readonly isLeased: boolean;
  readonly hasEffect: boolean;
  readonly sealedAnswer: Buffer | null;
}

const secondsFromNow = (seconds: number) => sql<Date>`now() + make_interval(secs => ${seconds})`;

/** Deletes some keys of a tenant that no longer count, and none that somebody else is about to delete. */
export async function removeOldKeys(tx: KeyTx, tenantId: string, ageSeconds: number, most: number): Promise<void> {
  await sql`
    delete from idempotency_keys
     where (tenant_id, actor, key) in (
       select tenant_id, actor, key from idempotency_keys
        where tenant_id = ${tenantId} and inserted_datetime < ${secondsFromNow(-ageSeconds)}
        order by inserted_datetime limit ${most} for update skip locked)`.execute(tx);
}

/** Deletes this one if it no longer counts. */
export const removeIfOld = (tx: KeyTx, id: KeyId, ageSeconds: number): Promise<unknown> =>
  tx
    .deleteFrom('idempotency_keys')
    .where('tenant_id', '=', id.tenant_id)
    .where('actor', '=', id.actor)
    .where('key', '=', id.key)
    .where('inserted_datetime', '<', secondsFromNow(-ageSeconds))
    .execute();

/** Some tenants with keys that no longer count. */
export async function selectTenantsWithOldKeys(tx: OperatorTx, ageSeconds: number, most: number): Promise<string[]> {
  const old = tx
    .selectFrom('idempotency_keys')
    .select('tenant_id')
    .where('inserted_datetime', '<', secondsFromNow(-ageSeconds))
    .orderBy('inserted_datetime')
    .limit(most);
  const rows = await tx.selectFrom(old.as('old')).select('tenant_id').distinct().execute();
  return rows.map(({ tenant_id }) => tenant_id);
}

/** @returns whether the key was free */
export async function insertKey(
  tx: KeyTx,
  id: KeyId,
  requestMac: Buffer,
  attemptId: string,
  leaseSeconds: number,
): Promise<boolean> {
  const result = await tx
    .insertInto('idempotency_keys')
    .values({
      ...id,
      request_mac: requestMac,
      attempt_id: attemptId,
      leased_until_datetime: secondsFromNow(leaseSeconds),
    })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  return result.numInsertedOrUpdatedRows === 1n;
}

/** Reads a key, and keeps others from taking it over meanwhile. */
export const lockKey = (tx: KeyTx, id: KeyId): Promise<KeptKey | undefined> =>
  atKey(tx, id)
    .select([
      'request_mac as requestMac',
      'attempt_id as attemptId',
      sql<boolean>`leased_until_datetime > now()`.as('isLeased'),
      'has_effect as hasEffect',
      'sealed_answer as sealedAnswer',
    ])
    .forUpdate()
    .executeTakeFirst();

const atKey = (tx: KeyTx, { tenant_id, actor, key }: KeyId) =>
  tx
    .selectFrom('idempotency_keys')
    .where('tenant_id', '=', tenant_id)
    .where('actor', '=', actor)
    .where('key', '=', key);

/** Gives the key to another attempt. */
export const takeOverKey = (tx: KeyTx, id: KeyId, attemptId: string, leaseSeconds: number): Promise<unknown> =>
  updating(tx, id)
    .set({ attempt_id: attemptId, leased_until_datetime: secondsFromNow(leaseSeconds) })
    .execute();

/** Notes, in the transaction itself, that it is about to be committed. @returns whether the attempt still has the key */
export async function recordEffect(tx: KeyTx, id: KeyId, attemptId: string): Promise<boolean> {
  const result = await updating(tx, id)
    // A transaction that has written nothing has no id of its own.
    .set({ has_effect: sql<boolean>`has_effect or pg_current_xact_id_if_assigned() is not null` })
    .where('attempt_id', '=', attemptId)
    .executeTakeFirst();
  return result.numUpdatedRows === 1n;
}

export const saveAnswer = (tx: KeyTx, id: KeyId, attemptId: string, sealedAnswer: Buffer): Promise<unknown> =>
  updating(tx, id).set({ sealed_answer: sealedAnswer }).where('attempt_id', '=', attemptId).execute();

/** An attempt without an answer to keep: what had no effect may be tried again, and at once. */
export async function endAttempt(tx: KeyTx, id: KeyId, attemptId: string): Promise<void> {
  await tx
    .deleteFrom('idempotency_keys')
    .where('tenant_id', '=', id.tenant_id)
    .where('actor', '=', id.actor)
    .where('key', '=', id.key)
    .where('attempt_id', '=', attemptId)
    .where('has_effect', '=', false)
    .execute();
  await updating(tx, id).set({ leased_until_datetime: sql<Date>`now()` }).where('attempt_id', '=', attemptId).execute();
}

const updating = (tx: KeyTx, { tenant_id, actor, key }: KeyId) =>
  tx
    .updateTable('idempotency_keys')
    .where('tenant_id', '=', tenant_id)
    .where('actor', '=', actor)
    .where('key', '=', key);
