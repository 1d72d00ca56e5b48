import type { Db } from '../../db/database.js';
import type { Principal } from '../../domain/principal.js';
import { authenticateApiKey, toHash } from './service.js';

/** Who bearer tokens stand for, known for a moment: a script that asks often costs one look-up in that time. */
export interface Keyring {
  /** Undefined for a key that is not ours or was deleted. */
  authenticate(token: string): Promise<Principal | undefined>;
  /** To be called once a key's deletion is committed: this process takes it no more. */
  forget(id: string): void;
  /** The same for all keys of a tenant. */
  forgetTenant(tenantId: string): void;
}

export interface KeyringOptions {
  readonly db: Db;
  /** Milliseconds of a clock that only goes forward. */
  readonly now: () => number;
}

/** How long another process may take a key that was deleted here: told in the document. */
const KNOWN_FOR_MS = 5_000;
/** The one that was looked up longest ago goes first. */
const MOST_KNOWN = 1_000;

export function createKeyring({ db, now }: KeyringOptions): Keyring {
  /** By the hash of the token, in the order of looking up; the token itself is kept nowhere. */
  const known = new Map<string, { principal: Principal; until: number }>();
  let deletions = 0;

  const forgetWhere = (isMeant: (principal: Principal) => boolean): void => {
    deletions += 1;
    for (const [hash, { principal }] of known) if (isMeant(principal)) known.delete(hash);
  };

  return {
    async authenticate(token) {
      const hash = toHash(token).toString('base64');
      const found = known.get(hash);
      if (found !== undefined && now() < found.until) return found.principal;
      known.delete(hash);
      // A look-up that began before a deletion may end after it.
      const before = deletions;
      const until = now() + KNOWN_FOR_MS;
      const principal = await authenticateApiKey(db, token);
      if (principal === undefined || deletions !== before) return principal;
      const [oldest] = known.keys();
      if (oldest !== undefined && known.size >= MOST_KNOWN) known.delete(oldest);
      known.set(hash, { principal, until });
      return principal;
    },
    forget: (id) => forgetWhere((principal) => principal.id === id),
    forgetTenant: (tenantId) => forgetWhere((principal) => principal.tenantId === tenantId),
  };
}
