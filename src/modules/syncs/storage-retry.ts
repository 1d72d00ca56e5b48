import { isStorageUnavailable } from '../../db/sqlstate.js';

/** Longer than a database restart, and shorter than a lease, so that no other worker has claimed the run meanwhile. */
const TIMEOUT_MS = 10_000;
const RETRY_DELAY_MS = 250;

/**
 * Retries a write while the database is unavailable, so that a run does not appear to be running until its lease
 * expires. The write must be idempotent.
 * @param lease aborts when the worker loses the run
 */
export async function retryWhileStorageUnavailable<T>(lease: AbortSignal, write: () => Promise<T>): Promise<T> {
  for (const deadline = performance.now() + TIMEOUT_MS; ; ) {
    try {
      return await write();
    } catch (error) {
      if (!isStorageUnavailable(error) || lease.aborted || performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, RETRY_DELAY_MS));
    }
  }
}
