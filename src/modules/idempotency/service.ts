import { createHmac, timingSafeEqual } from 'node:crypto';
import { beforeEachCommit, type Db, withOperator, withTenant } from '../../db/database.js';
import type { IdempotencyStore, IdempotentRequest, KeyedRequest, StoredAnswer } from '../../domain/idempotency.js';
import { Secret } from '../../domain/secret.js';
import { ServiceError } from '../../domain/service-error.js';
import { type SealContext, UnreadableError, type Vault } from '../../vault/index.js';
import {
  endAttempt,
  insertKey,
  type KeyId,
  type KeyTx,
  lockKey,
  recordEffect,
  removeIfOld,
  removeOldKeys,
  saveAnswer,
  selectTenantsWithOldKeys,
  takeOverKey,
} from './repository.js';

export interface IdempotencyDeps {
  readonly db: Db;
  readonly vault: Vault;
  readonly newId: () => string;
}

/** How long an answer is given again. */
const KEPT_SECONDS = 24 * 3_600;
/** Longer than any request takes, so that one which has not ended by then is taken to be lost with its process. */
const LEASE_SECONDS = 180;
const OLD_KEYS_AT_A_TIME = 20;
const OLD_KEYS_IN_A_SWEEP = 1_000;
/** In place of a tenant, for what an operator does beside them all. */
const NO_TENANT = '00000000-0000-0000-0000-000000000000';

/**
 * The keys of POSTs, in the database. The promise: what was committed under a key is not done again. The key is written
 * before the attempt begins; each transaction of the attempt notes in itself that it is committed, and refuses to be if
 * the key was given to another attempt meanwhile. So whatever is lost (the answer, the process, the answer to a
 * COMMIT), what is known of the effect is what is true of it.
 */
export function createIdempotencyStore({ db, vault, newId }: IdempotencyDeps): IdempotencyStore {
  const macKeys = vault.deriveKeys('idempotency keys');
  return {
    async begin(request) {
      const { tenantId, actor, key } = request;
      const id: KeyId = { tenant_id: tenantId ?? NO_TENANT, actor, key };
      const inOwn = <T>(work: (tx: KeyTx) => Promise<T>): Promise<T> =>
        tenantId === undefined ? withOperator(db, work) : withTenant(db, tenantId, work);
      const [mac, ...olderMacs] = macKeys.map((macKey) => toMac(macKey, request)) as [Buffer, ...Buffer[]];
      const attemptId = newId();

      const sealedAnswer = await inOwn(async (tx) => {
        await removeIfOld(tx, id, KEPT_SECONDS);
        await removeOldKeys(tx, id.tenant_id, KEPT_SECONDS, OLD_KEYS_AT_A_TIME);
        if (await insertKey(tx, id, mac, attemptId, LEASE_SECONDS)) return undefined;
        const kept = await lockKey(tx, id);
        // Gone between the two statements: the attempt before ended without an effect.
        if (kept === undefined) throw inProgress();
        if (![mac, ...olderMacs].some((each) => timingSafeEqual(each, kept.requestMac))) throw reused();
        if (kept.sealedAnswer !== null) return { sealed: kept.sealedAnswer, context: toContext(id, kept.attemptId) };
        if (kept.isLeased) throw inProgress();
        if (kept.hasEffect) throw outcomeUnknown();
        await takeOverKey(tx, id, attemptId, LEASE_SECONDS);
        return undefined;
      });
      if (sealedAnswer !== undefined) return { kind: 'repetition', answer: open(vault, sealedAnswer) };

      let isOver = false;
      const attempt: IdempotentRequest = {
        run(work) {
          beforeEachCommit(async (tx, whose) => {
            // What belongs to somebody else (a state's list, which is everybody's) is no effect of this request.
            if (isOver || whose !== tenantId) return;
            if (!(await recordEffect(tx, id, attemptId))) throw inProgress();
          }, work);
        },
        async keep(answer) {
          isOver = true;
          const sealed = vault.seal(new Secret(JSON.stringify(answer)), toContext(id, attemptId));
          await inOwn((tx) => saveAnswer(tx, id, attemptId, sealed));
        },
        async end() {
          isOver = true;
          await inOwn((tx) => endAttempt(tx, id, attemptId));
        },
      };
      return { kind: 'attempt', attempt };
    },
  };
}

/** Forgets keys that no longer count, whether their tenants ask for something or not. Any number of processes may do it. */
export async function sweepOldKeys(db: Db): Promise<void> {
  const tenantIds = await withOperator(db, (tx) => selectTenantsWithOldKeys(tx, KEPT_SECONDS, OLD_KEYS_IN_A_SWEEP));
  for (const id of tenantIds) {
    const remove = (tx: KeyTx) => removeOldKeys(tx, id, KEPT_SECONDS, OLD_KEYS_IN_A_SWEEP);
    await (id === NO_TENANT ? withOperator(db, remove) : withTenant(db, id, remove));
  }
}

/** Keyed, since a body may hold a password and a hash of one can be tried at leisure. */
const toMac = (macKey: Buffer, { method, url, body }: KeyedRequest): Buffer =>
  createHmac('sha256', macKey)
    .update(JSON.stringify([method, url, toCanonical(body)]))
    .digest();

/** The same for bodies that differ in the order of their keys only. */
function toCanonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(toCanonical);
  if (typeof value !== 'object' || value === null) return value ?? null;
  return Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, each]) => [name, toCanonical(each)]);
}

const toContext = ({ tenant_id, actor, key }: KeyId, attemptId: string): SealContext => ({
  tenantId: tenant_id,
  owner: actor,
  rowId: attemptId,
  secretVersion: 1,
  originId: `idempotency key ${key}`,
});

function open(vault: Vault, { sealed, context }: { sealed: Buffer; context: SealContext }): StoredAnswer {
  try {
    return JSON.parse(vault.open(sealed, context).reveal());
  } catch (error) {
    if (error instanceof UnreadableError) throw outcomeUnknown(error);
    throw error;
  }
}

const inProgress = (): ServiceError =>
  new ServiceError(
    'idempotency_in_progress',
    'A request with this Idempotency-Key is being carried out. Ask again in a moment.',
    {
      retryAfterSeconds: 1,
    },
  );

const reused = (): ServiceError =>
  new ServiceError(
    'idempotency_key_reused',
    'This Idempotency-Key came with another request before. Give each request a key of its own.',
    { errors: [{ pointer: 'header:idempotency-key', detail: 'was used for another request' }] },
  );

const outcomeUnknown = (cause?: unknown): ServiceError =>
  new ServiceError(
    'outcome_unknown',
    'A request with this Idempotency-Key had an effect, but its answer was lost. Read what is there now; to do it again, send a new key.',
    { cause },
  );
