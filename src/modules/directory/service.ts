import type { BiotrackSession, BiotrackTarget } from '../../biotrack/index.js';
import { type Db, type Tx, withOperator } from '../../db/database.js';
import type { ListedLicense } from '../../domain/listed-license.js';
import { isUnchanged, toChecksum } from './checksum.js';
import { fetchStateList } from './fetch-list.js';
import { withDirectoryLease } from './lease.js';
import { createListCache } from './list-cache.js';
import { joinRefresh, type PendingRefresh } from './pending-refresh.js';
import { ListShrunkError, publish } from './publish.js';
import { type Directory, findDirectorySummary, saveUnchangedCheck, takeRequestNumber } from './repository.js';

export interface DirectoryRequest {
  readonly target: BiotrackTarget;
  /** Logs in. */
  readonly openSession: (signal: AbortSignal | undefined) => Promise<BiotrackSession>;
  readonly includeLabs: boolean;
  /** Accept only a list that is requested after this call and compared with the published one, however fresh that is. */
  readonly force: boolean;
  /** Throw `DirectoryBusyError` instead of waiting if many requests already wait for the same state. */
  readonly rejectWhenBusy?: boolean;
  readonly signal?: AbortSignal;
}

export interface DirectoryService {
  /**
   * Refreshes the state's directory with this login if it is older than `maxAgeSeconds`. Concurrent requests share one fetch,
   * across processes.
   * @throws BiotrackError if the state cannot be read; the directory stays unchanged
   * @throws ListShrunkError if the list removes too many licenses; the directory stays unchanged
   * @throws DirectoryBusyError with `rejectWhenBusy`, if the state answers slowly and many requests wait for it
   */
  ensureFresh(db: Db, request: DirectoryRequest): Promise<Directory>;
  /** How long this process has been refreshing the state's directory; 0 if it is not. */
  getPendingSeconds(target: BiotrackTarget): number;
  /**
   * Everything that the state lists, from the cache of this process if possible.
   * @param directory read in this transaction, which must see one snapshot, so that no newer version is published meanwhile
   */
  listLicenses(tx: Tx, directory: Pick<Directory, 'id' | 'version' | 'fingerprint'>): Promise<readonly ListedLicense[]>;
}

interface Refreshing {
  readonly session: BiotrackSession;
  /** What is published before the refresh. */
  readonly present: Directory | undefined;
  /** Of a forced request: the number before those of the lists that it accepts. */
  readonly since: number;
}

export interface DirectoryServiceOptions {
  readonly maxAgeSeconds: number;
  /** Refuse a list that removes more than this percentage of the licenses (and more than a few); see `isShrunk`. */
  readonly guardRemovalPercent: number;
}

const toKey = ({ state, environment }: BiotrackTarget): string => `${state}/${environment}`;

export function createDirectoryService({
  maxAgeSeconds,
  guardRemovalPercent,
}: DirectoryServiceOptions): DirectoryService {
  const pendingRefreshes = new Map<string, PendingRefresh>();
  const listCache = createListCache();

  return {
    listLicenses: listCache.read,
    getPendingSeconds(target) {
      const startedAt = pendingRefreshes.get(toKey(target))?.startedAt;
      return startedAt === undefined ? 0 : Math.round((performance.now() - startedAt) / 1000);
    },
    async ensureFresh(db, request) {
      const { target, force, signal, rejectWhenBusy = false } = request;
      const key = toKey(target);
      const since = force ? await takeRequestNumber(db) : 0;
      for (;;) {
        const pending = pendingRefreshes.get(key);
        if (pending === undefined) break;
        const directory = await joinRefresh(pending, { signal, rejectWhenBusy, since });
        if (directory !== undefined && isEnough(directory, request, since)) return directory;
      }
      const result = refreshUnlessDone(db, request, since).finally(() => pendingRefreshes.delete(key));
      pendingRefreshes.set(key, {
        result,
        signal,
        startedAt: performance.now(),
        waiting: rejectWhenBusy ? 1 : 0,
      });
      return await result;
    },
  };

  /** @param since of a forced request: the number before those of the lists that it accepts */
  async function refreshUnlessDone(db: Db, request: DirectoryRequest, since: number): Promise<Directory> {
    const { target, force, signal } = request;
    return withDirectoryLease(db, target, signal, {
      load: () => findDirectorySummary(db, target.state, target.environment),
      toResult(directory) {
        if (directory === undefined || isEnough(directory, request, since)) return directory;
        const { refusedAgeSeconds: refusedAge, refusedDigest: digest, refusedRemovals: removals } = directory;
        const isRefused = refusedAge !== null && refusedAge < maxAgeSeconds && digest !== null && removals !== null;
        if (isRefused && !force) throw new ListShrunkError({ digest, removals, removedKeys: [] }, 0);
        return undefined;
      },
      work: async (present) => refresh(db, request, { session: await request.openSession(signal), present, since }),
    });
  }

  async function refresh(
    db: Db,
    request: DirectoryRequest,
    { session, present, since }: Refreshing,
  ): Promise<Directory> {
    const { target, includeLabs, force } = request;
    const requestNumber = await takeRequestNumber(db);
    const sum = await session.checkVendors?.().then((check) => check.sum);
    if (present !== undefined && !includeLabs && !force && isUnchanged(present, sum)) {
      await withOperator(db, (tx) => saveUnchangedCheck(tx, present.id));
      return { ...present, ageSeconds: 0 };
    }
    const list = await fetchStateList(session, includeLabs);
    const { directory, licenses, isSuperseded } = await publish(db, target, list, {
      withLabs: includeLabs,
      comparesContent: force,
      guardRemovalPercent,
      requestNumber,
      checksum: toChecksum(list, sum),
      present,
    });
    if (licenses !== undefined) listCache.set(directory, licenses);
    // Another process published a newer list, but without laboratories or without comparing its content.
    if (isSuperseded && !isEnough(directory, request, since))
      return refresh(db, request, { session, present: directory, since });
    return directory;
  }

  function isEnough(directory: Directory, { force, includeLabs }: DirectoryRequest, since: number): boolean {
    return (!force || directory.comparedNumber > since) && isFresh(directory, includeLabs);
  }

  function isFresh({ ageSeconds, labsAgeSeconds }: Directory, includeLabs: boolean): boolean {
    // An age far below 0 means that the Postgres clock was set back, so the real age is unknown.
    const isRecent = (age: number | null): boolean => age !== null && age < maxAgeSeconds && age > -60;
    return isRecent(ageSeconds) && (!includeLabs || isRecent(labsAgeSeconds));
  }
}
