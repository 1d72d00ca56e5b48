import { BiotrackError, isOfOneLogin } from '../../biotrack/index.js';
import { isStorageUnavailable } from '../../db/sqlstate.js';
import { ListShrunkError } from './publish.js';
import type { Directory } from './repository.js';

/** A refresh in progress in this process. The request that started it is its leader; later requests join it. */
export interface PendingRefresh {
  readonly result: Promise<Directory>;
  /** Of the leader. If the leader aborts, the others must fetch themselves. */
  readonly signal: AbortSignal | undefined;
  readonly startedAt: number;
  /** Waiting requests with `rejectWhenBusy`, including the leader. */
  waiting: number;
}

export interface JoinOptions {
  readonly signal: AbortSignal | undefined;
  readonly rejectWhenBusy: boolean;
  /** The refusal of a list with a lower number does not concern this request. */
  readonly since: number;
}

/** Too many requests already wait for this state. */
export class DirectoryBusyError extends Error {}

/** How many requests with `rejectWhenBusy` may wait for one state: fewer than the jobs a worker runs at a time. */
const MAX_WAITING = 3;
/** No request is rejected before a refresh has taken this long. */
const BUSY_AFTER_MS = 1_000;

/**
 * Waits for the refresh of another request, until `signal` aborts. Errors of BioTrack, of its list and of the database are
 * shared. Returns undefined if the refresh failed for a reason that does not concern this request: the leader's login was
 * refused or changed, the leader aborted, or a list was refused that was requested before this request.
 * @throws DirectoryBusyError with `rejectWhenBusy`, if too many requests wait
 */
export async function joinRefresh(
  pending: PendingRefresh,
  { signal, rejectWhenBusy, since }: JoinOptions,
): Promise<Directory | undefined> {
  try {
    const result = signal === undefined ? pending.result : untilAborted(pending.result, signal);
    return await (rejectWhenBusy ? waitUnlessBusy(pending, result) : result);
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof DirectoryBusyError) throw error;
    if (pending.signal?.aborted === true) return undefined;
    const isRefused = error instanceof ListShrunkError && error.requestNumber >= since;
    if (!isRefused && !(error instanceof BiotrackError) && !isStorageUnavailable(error)) return undefined;
    // If this request uses the same login, it finds the refusal before it sends the login again.
    if (error instanceof BiotrackError && isOfOneLogin(error)) return undefined;
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
