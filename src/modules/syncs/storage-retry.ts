import { isStorageUnavailable } from '../../db/sqlstate.js';

/** A restart of the database takes less, and a lease lasts longer: nobody has taken the run over meanwhile. */
const PATIENCE_MS = 10_000;
const PAUSE_MS = 250;

/**
 * Writes down what became of a run, even though the database is away for a moment: else it would stand there as being
 * worked on until its lease is over. Twice is the same as once, since only a run that is still held is written.
 */
export async function retryWhileStorageUnavailable<T>(held: AbortSignal, write: () => Promise<T>): Promise<T> {
  for (const end = performance.now() + PATIENCE_MS; ; ) {
    try {
      return await write();
    } catch (error) {
      if (!isStorageUnavailable(error) || held.aborted || performance.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}
