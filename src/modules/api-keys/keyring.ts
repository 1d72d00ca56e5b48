import pLimit from 'p-limit';
import type { Db } from '../../db/database.js';
import type { Principal } from '../../domain/principal.js';
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
/** Few, so that a flood of invented keys leaves the pool to verified callers. */
const MAX_LOOKUPS = 2;
/** The oldest entry is evicted first. */
const MAX_CACHED_KEYS = 1_000;

export function createKeyring({ db, now }: KeyringOptions): Keyring {
  /** By the hash of the token, so that no token is kept in memory. */
  const cache = new Map<string, { principal: Principal; until: number }>();
  const limitLookups = pLimit(MAX_LOOKUPS);
  const isCurrent = ({ expiresAt }: Principal): boolean => expiresAt === null || expiresAt.getTime() > Date.now();
  let deletions = 0;

  const forgetWhere = (matches: (principal: Principal) => boolean): void => {
    deletions += 1;
    for (const [hash, { principal }] of cache) if (matches(principal)) cache.delete(hash);
  };

  return {
    async authenticate(token) {
      if (!isApiKeyForm(token)) return undefined;
      const hash = toHash(token).toString('base64');
      const cached = cache.get(hash);
      if (cached !== undefined && now() < cached.until && isCurrent(cached.principal)) return cached.principal;
      cache.delete(hash);
      const { principal, before, until } = await limitLookups(async () => ({
        // A query that started before a deletion must not cache the deleted key.
        before: deletions,
        until: now() + TTL_MS,
        principal: await authenticateApiKey(db, token),
      }));
      if (principal === undefined || deletions !== before) return principal;
      const [oldest] = cache.keys();
      if (oldest !== undefined && cache.size >= MAX_CACHED_KEYS) cache.delete(oldest);
      cache.set(hash, { principal, until });
      return principal;
    },
    forget: (id) => forgetWhere((principal) => principal.id === id),
    forgetTenant: (tenantId) => forgetWhere((principal) => principal.tenantId === tenantId),
  };
}
