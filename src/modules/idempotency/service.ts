import { createHmac, timingSafeEqual } from 'node:crypto';
import { type CommitHook, type Db, withCommitHooks, withOperator, withTenant } from '../../db/database.js';
import type { IdempotencyStore, IdempotentRequest, KeyedRequest, StoredResponse } from '../../domain/idempotency.js';
import { Secret } from '../../domain/secret.js';
import { ServiceError } from '../../domain/service-error.js';
import { type SealContext, UnreadableError, type Vault } from '../../vault/index.js';
import {
  abandonAttempt,
  deleteExpiredKeyRows,
  deleteKeyIfExpired,
  hasKeys,
  insertKey,
  type KeyId,
  type KeyTx,
  lockKey,
  recordEffect,
  saveResponse,
  selectTenantsWithExpiredKeys,
  takeOverKey,
} from './repository.js';

export interface IdempotencyDeps {
  readonly db: Db;
  readonly vault: Vault;
  readonly newId: () => string;
}

/** How long a response is replayed. */
const RETENTION_SECONDS = 24 * 3_600;
/** Longer than any request takes: an attempt that has not ended by then was lost with its process. */
const LEASE_SECONDS = 180;
/** Expired keys deleted with each request of a tenant. */
const REQUEST_CLEANUP_LIMIT = 20;
/** Expired keys deleted per tenant in one cleanup job. */
const JOB_CLEANUP_LIMIT = 1_000;
/** Keys of one caller in one tenant within `RETENTION_SECONDS`. */
const MAX_KEYS = 5_000;
/** The `tenant_id` of keys of operator requests that concern no tenant. */
const NO_TENANT = '00000000-0000-0000-0000-000000000000';

/**
 * Keeps the Idempotency-Keys of POST requests in the database. What was committed under a key is never done again: the key
 * is inserted before the attempt starts, and each transaction of the attempt records its own effect, or rolls back if
 * another attempt has taken over the key. The recorded effect is therefore right even if the response, the process or the
 * answer to a COMMIT is lost.
 */
export function createIdempotencyStore({ db, vault, newId }: IdempotencyDeps): IdempotencyStore {
  const macKeys = vault.deriveKeys('idempotency keys');
  return {
    async begin(request) {
      const { tenantId, actor, key } = request;
      const id: KeyId = { tenantId: tenantId ?? NO_TENANT, actor, key };
      const transact = <T>(work: (tx: KeyTx) => Promise<T>): Promise<T> =>
        tenantId === undefined ? withOperator(db, work) : withTenant(db, tenantId, work);
      const [requestMac, ...olderMacs] = macKeys.map((macKey) => toMac(macKey, request)) as [Buffer, ...Buffer[]];
      const attemptId = newId();

      const sealedResponse = await transact(async (tx) => {
        await deleteKeyIfExpired(tx, id, RETENTION_SECONDS);
        await deleteExpiredKeyRows(tx, id.tenantId, RETENTION_SECONDS, REQUEST_CLEANUP_LIMIT);
        if (await insertKey(tx, id, { requestMac, attemptId, leaseSeconds: LEASE_SECONDS })) {
          if (await hasKeys(tx, id, MAX_KEYS + 1)) throw tooManyKeys();
          return undefined;
        }
        const stored = await lockKey(tx, id);
        // Deleted between the two statements: the other attempt ended without an effect.
        if (stored === undefined) throw inProgress();
        if (![requestMac, ...olderMacs].some((mac) => timingSafeEqual(mac, stored.requestMac))) throw keyReused();
        if (stored.sealedResponse !== null) {
          return { sealed: stored.sealedResponse, context: toSealContext(id, stored.attemptId) };
        }
        if (stored.isLeased) throw inProgress();
        if (stored.hasEffect) throw outcomeUnknown();
        await takeOverKey(tx, id, attemptId, LEASE_SECONDS);
        return undefined;
      });
      if (sealedResponse !== undefined) return { kind: 'replay', response: openResponse(vault, sealedResponse) };

      let hasEnded = false;
      const attempt: IdempotentRequest = {
        run(work) {
          const idempotency: CommitHook = async (tx, txTenantId) => {
            // Writes outside of the tenant, such as to the shared directory of a state, are no effect of this request.
            if (hasEnded || txTenantId !== tenantId) return;
            if (!(await recordEffect(tx, id, attemptId))) throw inProgress();
          };
          withCommitHooks({ idempotency }, work);
        },
        async saveResponse(response) {
          hasEnded = true;
          const sealed = vault.seal(new Secret(JSON.stringify(response)), toSealContext(id, attemptId));
          await transact((tx) => saveResponse(tx, id, attemptId, sealed));
        },
        async abandon() {
          hasEnded = true;
          await transact((tx) => abandonAttempt(tx, id, attemptId));
        },
      };
      return { kind: 'attempt', attempt };
    },
  };
}

/** Deletes expired keys of all tenants, including tenants that send no more requests. Safe in several processes at once. */
export async function deleteExpiredKeys(db: Db): Promise<void> {
  const tenantIds = await withOperator(db, (tx) =>
    selectTenantsWithExpiredKeys(tx, RETENTION_SECONDS, JOB_CLEANUP_LIMIT),
  );
  for (const id of tenantIds) {
    const deleteRows = (tx: KeyTx) => deleteExpiredKeyRows(tx, id, RETENTION_SECONDS, JOB_CLEANUP_LIMIT);
    await (id === NO_TENANT ? withOperator(db, deleteRows) : withTenant(db, id, deleteRows));
  }
}

/** A MAC instead of a plain hash: a body may contain a password, and a plain hash could be brute-forced offline. */
const toMac = (macKey: Buffer, { method, url, body }: KeyedRequest): Buffer =>
  createHmac('sha256', macKey)
    .update(JSON.stringify([method, url, toCanonical(body)]))
    .digest();

/** Equal for bodies that differ only in the order of their keys. */
function toCanonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(toCanonical);
  if (typeof value !== 'object' || value === null) return value ?? null;
  return Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, each]) => [name, toCanonical(each)]);
}

const toSealContext = ({ tenantId, actor, key }: KeyId, attemptId: string): SealContext => ({
  tenantId,
  owner: actor,
  rowId: attemptId,
  secretVersion: 1,
  originId: `idempotency key ${key}`,
});

function openResponse(vault: Vault, { sealed, context }: { sealed: Buffer; context: SealContext }): StoredResponse {
  try {
    return JSON.parse(vault.open(sealed, context).reveal());
  } catch (error) {
    if (error instanceof UnreadableError) throw outcomeUnknown(error);
    throw error;
  }
}

const inProgress = (): ServiceError =>
  new ServiceError('idempotency_in_progress', 'Wait for the first request to finish, then retry.', {
    retryAfterSeconds: 1,
  });

const tooManyKeys = (): ServiceError =>
  new ServiceError(
    'rate_limited',
    `A caller can use ${MAX_KEYS} keys in 24 hours. Send the request without Idempotency-Key, or retry later.`,
    { retryAfterSeconds: 3_600 },
  );

const keyReused = (): ServiceError =>
  new ServiceError(
    'idempotency_key_reused',
    'Use a new key for each request; reuse a key only to retry the same one.',
    {
      errors: [{ pointer: 'header:idempotency-key', detail: 'was used for another request' }],
    },
  );

const outcomeUnknown = (cause?: unknown): ServiceError =>
  new ServiceError(
    'outcome_unknown',
    'The first request with this Idempotency-Key changed data. Read the current state; to repeat the change, send a new key.',
    { cause },
  );
