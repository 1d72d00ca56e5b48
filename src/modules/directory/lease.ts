import { randomUUID } from 'node:crypto';
import type { Db } from '../../db/database.js';
import { acquireLease, DIRECTORY_LEASE_SECONDS, type DirectoryKey, releaseLease } from './lease-repository.js';

/** Several renewals per lease, so that one failed renewal does not lose it. */
const RENEW_MS = (DIRECTORY_LEASE_SECONDS * 1000) / 4;
/** How often to check whether another process has finished. */
const POLL_MS = 250;

export interface LeasedWork<Present, T> {
  /** Called before each attempt to acquire the lease, and with it. */
  load(): Promise<Present>;
  /** The result if another process has done the work. */
  toResult(present: Present): T | undefined;
  work(present: Present): Promise<T>;
}

/**
 * Lets one process at a time fetch the list of a state; the others wait and use its result. If the process is killed, its
 * lease expires within seconds.
 */
export async function withDirectoryLease<Present, T>(
  db: Db,
  key: DirectoryKey,
  signal: AbortSignal | undefined,
  { load, toResult, work }: LeasedWork<Present, T>,
): Promise<T> {
  const holder = randomUUID();
  const acquire = (): Promise<boolean> => acquireLease(db, key, holder);
  for (;;) {
    const result = toResult(await load());
    if (result !== undefined) return result;
    if (await acquire()) break;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    signal?.throwIfAborted();
  }
  // If the database is unavailable, the lease may be lost. That is safe: publishing never replaces a newer list.
  let renewing: Promise<unknown> = Promise.resolve();
  const renewal = setInterval(() => {
    renewing = acquire().catch(() => undefined);
  }, RENEW_MS);
  try {
    // Another process may have finished the work right before the lease was acquired.
    const present = await load();
    return toResult(present) ?? (await work(present));
  } finally {
    clearInterval(renewal);
    // A renewal still in progress could acquire the lease again after its release.
    await renewing;
    await releaseLease(db, key, holder).catch(() => undefined);
  }
}
