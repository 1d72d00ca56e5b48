import { LRUCache } from 'lru-cache';
import type { Tx } from '../../db/database.js';
import type { ListedLicense } from '../../domain/listed-license.js';
import { type Directory, selectListedLicenses } from './repository.js';

/** Whole lists, kept for as long as they are asked for one after the other: by the tenants of a state, or by one tenant. */
export interface Listings {
  /** Must be all that is listed of this version of the directory. */
  keep(directory: Directory, licenses: readonly ListedLicense[]): void;
  /** @param directory as this transaction holds it: nobody publishes meanwhile */
  read(tx: Tx, directory: Directory): Promise<readonly ListedLicense[]>;
}

/** Since it was asked for last: then the memory is somebody else's. */
const KEPT_MS = 60_000;
/** Some states: a process seldom works on more at a time. */
const MOST_KEPT = 4;

export function createListings(): Listings {
  const lists = new LRUCache<string, readonly ListedLicense[]>({
    max: MOST_KEPT,
    ttl: KEPT_MS,
    updateAgeOnGet: true,
    ttlAutopurge: true,
  });
  return {
    keep(directory, licenses) {
      const key = toKey(directory);
      if (key !== undefined) lists.set(key, licenses);
    },
    async read(tx, directory) {
      const key = toKey(directory);
      const kept = key === undefined ? undefined : lists.get(key);
      if (kept !== undefined) return kept;
      const licenses = await selectListedLicenses(tx, directory.id);
      if (key !== undefined) lists.set(key, licenses);
      return licenses;
    },
  };
}

/**
 * A version is one content, unless the database was set back to an earlier day and went another way from there: the
 * content's fingerprint tells. Undefined where there is none.
 */
const toKey = ({ id, version, fingerprint }: Directory): string | undefined =>
  fingerprint === null ? undefined : `${id}:${version}:${fingerprint}`;
