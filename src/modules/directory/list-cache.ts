import { LRUCache } from 'lru-cache';
import type { Tx } from '../../db/database.js';
import type { ListedLicense } from '../../domain/listed-license.js';
import { selectListedLicenses } from './listing-repository.js';
import type { Directory } from './repository.js';

/** Caches complete lists between the syncs of several tenants of a state, or of one tenant. */
export interface ListCache {
  /** @param licenses everything listed in this version of the directory */
  set(directory: ListVersion, licenses: readonly ListedLicense[]): void;
  /** @param directory read in this transaction, which must see one snapshot, so that no newer version is published meanwhile */
  read(tx: Tx, directory: ListVersion): Promise<readonly ListedLicense[]>;
}

type ListVersion = Pick<Directory, 'id' | 'version' | 'fingerprint'>;

interface CachedList extends Omit<ListVersion, 'id'> {
  readonly licenses: readonly ListedLicense[];
}

/** Since the last use. */
const TTL_MS = 60_000;
/** Lists are large, and one process seldom syncs more states at a time. */
const MAX_LISTS = 4;

export function createListCache(): ListCache {
  const lists = new LRUCache<Directory['id'], CachedList>({
    max: MAX_LISTS,
    ttl: TTL_MS,
    updateAgeOnGet: true,
    ttlAutopurge: true,
  });
  const set: ListCache['set'] = ({ id, version, fingerprint }, licenses) => {
    // Without a fingerprint, two lists of the same version cannot be distinguished; see `isSameList`.
    if (fingerprint !== null) lists.set(id, { version, fingerprint, licenses });
  };
  return {
    set,
    async read(tx, directory) {
      const cached = lists.get(directory.id);
      if (cached !== undefined && isSameList(cached, directory)) return cached.licenses;
      const licenses = await selectListedLicenses(tx, directory.id);
      set(directory, licenses);
      return licenses;
    },
  };
}

/**
 * The version alone is not enough: after a restore from a backup, the database can publish the same version with other
 * content.
 */
const isSameList = (cached: CachedList, { version, fingerprint }: ListVersion): boolean =>
  cached.version === version && cached.fingerprint === fingerprint;
