import {
  type Biotrack,
  BiotrackError,
  type BiotrackLogin,
  type BiotrackTarget,
  isLoginRefusal,
} from '../../biotrack/index.js';
import { type Db, type Tx, withOperator } from '../../db/database.js';
import { isStorageUnavailable } from '../../db/sqlstate.js';
import type { UpstreamReason } from '../../domain/failure-reason.js';
import type { ListedLicense } from '../../domain/listed-license.js';
import { isUnchanged, toChecksum } from './checksum.js';
import { fetchStateList } from './fetch-list.js';
import { withDirectoryLease } from './lease.js';
import { createListCache } from './list-cache.js';
import { ListShrunkError, publish } from './publish.js';
import { type Directory, findDirectorySummary, saveUnchangedCheck } from './repository.js';

export interface DirectoryRequest {
  readonly target: BiotrackTarget;
  readonly login: BiotrackLogin;
  /** Called right before the login is used. Throws if the credential was refused or changed since it was read. */
  readonly confirmLogin: () => Promise<void>;
  /**
   * Called with every error of BioTrack, before another request or process can use the same login. Returns the error with
   * which the request fails.
   */
  readonly recordLoginError: (error: BiotrackError) => Promise<BiotrackError>;
  readonly includeLabs: boolean;
  /** Fetch from the state even if the directory is fresh. */
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
   * @param directory locked by this transaction, so that no newer version is published meanwhile
   */
  listLicenses(tx: Tx, directory: Directory): Promise<readonly ListedLicense[]>;
}

export interface DirectoryServiceOptions {
  readonly biotrack: Biotrack;
  readonly maxAgeSeconds: number;
  /** Refuse a list that removes more than this percentage of the licenses (and more than a few); see `exceedsGuard`. */
  readonly guardRemovalPercent: number;
}

/** Too many requests already wait for this state. */
export class DirectoryBusyError extends Error {}

/** How many requests with `rejectWhenBusy` may wait for one state: fewer than the jobs a worker runs at a time. */
const MAX_WAITING = 3;
/** No request is rejected before a refresh has taken this long. */
const BUSY_AFTER_MS = 1_000;

/** Whether a request with another login may succeed. */
const isOfLogin = (reason: UpstreamReason): boolean => isLoginRefusal(reason) || reason === 'privilege_missing';

interface RefreshResult {
  readonly directory: Directory;
  /** Whether the content of the state's list was compared during this refresh. */
  readonly isCompared: boolean;
}

/** A refresh in progress in this process. The request that started it is its leader; later requests join it. */
interface PendingRefresh {
  readonly result: Promise<RefreshResult>;
  /** Of the leader. If the leader aborts, the others must fetch themselves. */
  readonly signal: AbortSignal | undefined;
  readonly startedAt: number;
  /** Waiting requests with `rejectWhenBusy`, including the leader. */
  waiting: number;
}

const toKey = ({ state, environment }: BiotrackTarget): string => `${state}/${environment}`;

export function createDirectoryService({
  biotrack,
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
      const { target, includeLabs, force, signal } = request;
      const key = toKey(target);
      for (;;) {
        const pending = pendingRefreshes.get(key);
        if (pending === undefined) break;
        const result = await joinRefresh(pending, request);
        const isEnough =
          result !== undefined && (result.isCompared || !force) && isFresh(result.directory, includeLabs);
        if (isEnough) return result.directory;
      }
      const result = refreshIfStale(db, request).finally(() => pendingRefreshes.delete(key));
      const waiting = request.rejectWhenBusy === true ? 1 : 0;
      pendingRefreshes.set(key, { result, signal, startedAt: performance.now(), waiting });
      return (await result).directory;
    },
  };

  async function refreshOrRecordError(db: Db, request: DirectoryRequest): Promise<RefreshResult> {
    try {
      return await refresh(db, request);
    } catch (error) {
      throw error instanceof BiotrackError ? await request.recordLoginError(error) : error;
    }
  }

  async function refreshIfStale(db: Db, request: DirectoryRequest): Promise<RefreshResult> {
    const { target, force, signal } = request;
    let since: number | undefined;
    return withDirectoryLease(db, target, signal, {
      async findResult() {
        const { directory, number } = await findDirectorySummary(db, target.state, target.environment);
        // Whether another process has compared the state's list since this request started to wait.
        const isCompared = since !== undefined && directory !== undefined && directory.comparedNumber > since;
        since ??= number;
        if (directory === undefined) return undefined;
        if ((!force || isCompared) && isFresh(directory, request.includeLabs)) return { directory, isCompared };
        const { refusedAgeSeconds: refusedAge } = directory;
        if (!force && refusedAge !== null && refusedAge < maxAgeSeconds) {
          throw new ListShrunkError('the last list was refused and awaits an operator', directory.refusedDigest ?? '');
        }
        return undefined;
      },
      // A refusal is recorded before the lease is released.
      work: () => refreshOrRecordError(db, request),
    });
  }

  async function refresh(db: Db, request: DirectoryRequest): Promise<RefreshResult> {
    const { target, login, includeLabs, force, signal } = request;
    const { directory: present, number: requestNumber } = await findDirectorySummary(
      db,
      target.state,
      target.environment,
    );
    await request.confirmLogin();
    const session = await biotrack.openSession(target, login, { signal });
    const sum = await session.checkVendors?.().then((check) => check.sum);
    if (present !== undefined && !includeLabs && !force && isUnchanged(present, sum)) {
      await withOperator(db, (tx) => saveUnchangedCheck(tx, present.id));
      return { directory: { ...present, ageSeconds: 0 }, isCompared: false };
    }
    const list = await fetchStateList(session, includeLabs);
    const { directory, licenses, isCompared, isSuperseded } = await publish(db, target, list, {
      withLabs: includeLabs,
      comparesContent: force,
      guardRemovalPercent,
      requestNumber,
      checksum: toChecksum(list, sum),
    });
    if (licenses !== undefined) listCache.set(directory, licenses);
    // Another process published a newer list, but without laboratories.
    if (isSuperseded && includeLabs && !isFresh(directory, true)) return refresh(db, request);
    return { directory, isCompared };
  }

  function isFresh({ ageSeconds, labsAgeSeconds }: Directory, includeLabs: boolean): boolean {
    // An age far below 0 means that the Postgres clock was set back, so the real age is unknown.
    const isRecent = (age: number | null): boolean => age !== null && age < maxAgeSeconds && age > -60;
    return isRecent(ageSeconds) && (!includeLabs || isRecent(labsAgeSeconds));
  }
}

/**
 * Waits for the refresh of another request, until `signal` aborts. Errors of BioTrack, of its list and of the database are
 * shared. Returns undefined if the refresh failed for a reason that concerns only its leader: the login was refused or
 * changed, or the leader aborted.
 * @throws DirectoryBusyError with `rejectWhenBusy`, if too many requests wait
 */
async function joinRefresh(
  pending: PendingRefresh,
  { signal, rejectWhenBusy }: DirectoryRequest,
): Promise<RefreshResult | undefined> {
  try {
    const result = signal === undefined ? pending.result : untilAborted(pending.result, signal);
    return await (rejectWhenBusy === true ? waitUnlessBusy(pending, result) : result);
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof DirectoryBusyError) throw error;
    if (pending.signal?.aborted === true) return undefined;
    const isShared = error instanceof BiotrackError || error instanceof ListShrunkError || isStorageUnavailable(error);
    if (!isShared) return undefined;
    // If this request uses the same login, it finds the refusal before it sends the login again.
    if (error instanceof BiotrackError && isOfLogin(error.reason)) return undefined;
    throw error;
  }
}

async function waitUnlessBusy<T>(pending: PendingRefresh, result: Promise<T>): Promise<T> {
  pending.waiting += 1;
  let timer: NodeJS.Timeout | undefined;
  try {
    if (pending.waiting <= MAX_WAITING) return await result;
    const waitMs = Math.max(0, pending.startedAt + BUSY_AFTER_MS - performance.now());
    const busy = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new DirectoryBusyError('too many requests wait for this state')), waitMs);
    });
    return await Promise.race([result, busy]);
  } finally {
    clearTimeout(timer);
    pending.waiting -= 1;
  }
}

function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
