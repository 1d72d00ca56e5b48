import { randomUUID } from 'node:crypto';
import { type Db, withOperator } from '../../db/database.js';
import { acquireLease, DIRECTORY_LEASE_SECONDS, type DirectoryKey, releaseLease } from './lease-repository.js';

/** Several renewals fit into a turn, so that one lost is none lost. */
const RENEW_MS = (DIRECTORY_LEASE_SECONDS * 1000) / 4;
/** How soon it is noticed that another process is done. */
const LOOK_AGAIN_MS = 250;

export interface LeasedWork<T> {
  /** Asked before each attempt to get the turn: whether another process has done the work meanwhile. */
  findDone(): Promise<T | undefined>;
  work(): Promise<T>;
}

/**
 * Of all processes one at a time asks a state for its list; the others wait, and take what it brought. A process that is
 * killed while it has the turn loses it within seconds.
 */
export async function withDirectoryLease<T>(
  db: Db,
  place: DirectoryKey,
  signal: AbortSignal | undefined,
  { findDone, work }: LeasedWork<T>,
): Promise<T> {
  const holder = randomUUID();
  const take = (): Promise<boolean> => withOperator(db, (tx) => acquireLease(tx, place, holder));
  for (;;) {
    const done = await findDone();
    if (done !== undefined) return done;
    if (await take()) break;
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
    signal?.throwIfAborted();
  }
  // The database may be away for a while: then the turn may be lost, and an older list is still not laid over a newer one.
  let renewing: Promise<unknown> = Promise.resolve();
  const renewal = setInterval(() => {
    renewing = take().catch(() => undefined);
  }, RENEW_MS);
  try {
    return await work();
  } finally {
    clearInterval(renewal);
    // Else it might take the turn again after its end.
    await renewing;
    await withOperator(db, (tx) => releaseLease(tx, place, holder)).catch(() => undefined);
  }
}
