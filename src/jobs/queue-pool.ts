import { version } from 'graphile-worker/dist/version.js';
import pg from 'pg';
import { endWhenSilent } from '../db/database.js';
import { isConnectionLost } from '../db/sqlstate.js';

/** The version whose retry rules this file relies on. */
const CHECKED_VERSION = '0.17.3';

/** graphile-worker retries errors with this code, with growing delays, for hours. */
const RETRIED_CODE = 'ETIMEDOUT';

/**
 * A pool for graphile-worker that survives a restart of Postgres.
 *
 * graphile-worker records the end of a job without awaiting it, and retries it only for a fixed list of error codes
 * (`RETRYABLE_ERROR_CODES` in its lib.js). A lost connection is not among them: it would be an unhandled rejection, which
 * ends the process. It has no option for this (its batch mode, `completeJobBatchDelay`, shuts the worker down instead), so
 * this pool reports lost connections with a code that is retried.
 * @param silenceMs a connection without data for this long while a query runs counts as lost; between queries a listening
 *   connection may be silent for any time
 * @throws Error for a version of graphile-worker that this was not checked against
 */
export function createQueuePool(silenceMs: number, config: pg.PoolConfig): pg.Pool {
  requireCheckedVersion(version);
  const pool = new QueuePool({ ...config, Client: QueueClient });
  pool.on('connect', (client) => endWhenSilent(client, silenceMs));
  return pool;
}

export function requireCheckedVersion(found: string): void {
  if (found === CHECKED_VERSION) return;
  throw new Error(
    `graphile-worker is version ${found}, but src/jobs/queue-pool.ts was checked with ${CHECKED_VERSION}. Check that ` +
      `withRetries still retries ${RETRIED_CODE}, run test/faults, and change CHECKED_VERSION.`,
  );
}

// The overloads of pg's methods cannot be expressed here; `never` is assignable to all their return types.

class QueuePool extends pg.Pool {
  /** The callback form is used by the listening connection only, which reconnects by itself. */
  override connect(callback?: unknown): never {
    const connect = super.connect as (callback?: unknown) => unknown;
    const result = callback === undefined ? connect.call(this) : connect.call(this, callback);
    return toRetried(result) as never;
  }
}

class QueueClient extends pg.Client {
  override query(...args: unknown[]): never {
    return toRetried((super.query as (...args: unknown[]) => unknown).apply(this, args)) as never;
  }
}

function toRetried(result: unknown): unknown {
  if (!(result instanceof Promise)) return result;
  return result.catch((error: unknown) => {
    throw isConnectionLost(error) && error instanceof Error ? Object.assign(error, { code: RETRIED_CODE }) : error;
  });
}
