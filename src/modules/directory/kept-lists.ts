import { LRUCache } from 'lru-cache';
import type { Tx } from '../../db/database.js';
import type { ListedLicense } from '../../domain/listed-license.js';
import { type Directory, selectListedLicenses } from './repository.js';

/** Whole lists, kept for as long as they are asked for one after the other: by the tenants of a state, or by one tenant. */
export interface KeptLists {
  /** @param licenses all that is listed of this version of the directory */
  keep(directory: Directory, licenses: readonly ListedLicense[]): void;
  /** @param directory as this transaction holds it: nobody publishes meanwhile */
  read(tx: Tx, directory: Directory): Promise<readonly ListedLicense[]>;
}

interface KeptList extends Pick<Directory, 'version' | 'fingerprint'> {
  readonly licenses: readonly ListedLicense[];
}

/** Since it was asked for last: then the memory is somebody else's. */
const KEPT_MS = 60_000;
/** Some states: a process seldom works on more at a time. */
const MOST_KEPT = 4;

export function createKeptLists(): KeptLists {
  const lists = new LRUCache<Directory['id'], KeptList>({
    max: MOST_KEPT,
    ttl: KEPT_MS,
    updateAgeOnGet: true,
    ttlAutopurge: true,
  });
  const keep: KeptLists['keep'] = ({ id, version, fingerprint }, licenses) => {
    // Nothing would tell it from another list of this version.
    if (fingerprint !== null) lists.set(id, { version, fingerprint, licenses });
  };
  return {
    keep,
    async read(tx, directory) {
      const kept = lists.get(directory.id);
      if (kept !== undefined && isOf(kept, directory)) return kept.licenses;
      const licenses = await selectListedLicenses(tx, directory.id);
      keep(directory, licenses);
      return licenses;
    },
  };
}

/**
 * A version is one content, unless the database was set back to an earlier day and went another way from there: the
 * content's fingerprint tells.
 */
const isOf = (kept: KeptList, { version, fingerprint }: Directory): boolean =>
  kept.version === version && kept.fingerprint === fingerprint;
