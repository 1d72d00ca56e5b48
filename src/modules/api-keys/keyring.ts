import pLimit from 'p-limit';
import type { Db } from '../../db/database.js';
import type { Principal } from '../../domain/principal.js';
import { ServiceError } from '../../domain/service-error.js';
import { authenticateApiKey, isApiKeyForm, toHash } from './service.js';

/** Authenticates API keys and caches them briefly, so that frequent requests cost one query. */
export interface Keyring {
  /** Undefined for unknown, deleted and expired keys. Texts that are no key never reach the database. */
  authenticate(token: string): Promise<Principal | undefined>;
  /** Call after the deletion of a key is committed; this process then rejects it immediately. */
  forget(id: string): void;
  /** Call after a tenant was deleted. */
  forgetTenant(tenantId: string): void;
}

export interface KeyringOptions {
  readonly db: Db;
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number;
}

/** How long other processes accept a deleted key. The description of `deleteApiKey` states it. */
const TTL_MS = 5_000;
/** Of keys that were never valid here. Few, so that a flood of invented keys leaves the pool to verified callers. */
const MAX_UNKNOWN_LOOKUPS = 2;
const MAX_WAITING_UNKNOWN = 100;
/** Of keys whose cached result is too old. */
const MAX_KNOWN_LOOKUPS = 4;
/** More than a deployment has. The one that was looked up the longest ago is evicted first. */
const MAX_CACHED_KEYS = 10_000;

export function createKeyring({ db, now }: KeyringOptions): Keyring {
  /** By the hash of the token, so that no token is kept in memory. */
  const cache = new Map<string, { principal: Principal; until: number }>();
  const unknownLookups = pLimit(MAX_UNKNOWN_LOOKUPS);
  const knownLookups = pLimit(MAX_KNOWN_LOOKUPS);
  const isCurrent = ({ expiresAt }: Principal): boolean => expiresAt === null || expiresAt.getTime() > Date.now();
  /** One look-up for all requests that wait for the same key. */
  const running = new Map<string, Promise<Principal | undefined>>();
  let deletions = 0;

  const forgetWhere = (matches: (principal: Principal) => boolean): void => {
    deletions += 1;
    running.clear();
    for (const [hash, { principal }] of cache) if (matches(principal)) cache.delete(hash);
  };

  const find = async (token: string, hash: string, isKnown: boolean): Promise<Principal | undefined> => {
    if (!isKnown && unknownLookups.pendingCount >= MAX_WAITING_UNKNOWN)
      throw new ServiceError('rate_limited', 'Too many unknown API keys are being looked up.', {
        retryAfterSeconds: 1,
      });
    const lookUp = isKnown ? knownLookups : unknownLookups;
    const { principal, before, until } = await lookUp(async () => ({
      // A query that started before a deletion must not cache the deleted key.
      before: deletions,
      until: now() + TTL_MS,
      principal: await authenticateApiKey(db, token),
    }));
    cache.delete(hash);
    if (principal === undefined || deletions !== before) return principal;
    const [oldest] = cache.keys();
    if (oldest !== undefined && cache.size >= MAX_CACHED_KEYS) cache.delete(oldest);
    cache.set(hash, { principal, until });
    return principal;
  };

  return {
    async authenticate(token) {
      if (!isApiKeyForm(token)) return undefined;
      const hash = toHash(token).toString('base64');
      const cached = cache.get(hash);
      if (cached !== undefined && now() < cached.until && isCurrent(cached.principal)) return cached.principal;
      const started = running.get(hash) ?? find(token, hash, cached !== undefined).finally(() => running.delete(hash));
      running.set(hash, started);
      return started;
    },
    forget: (id) => forgetWhere((principal) => principal.id === id),
    forgetTenant: (tenantId) => forgetWhere((principal) => principal.tenantId === tenantId),
  };
}
