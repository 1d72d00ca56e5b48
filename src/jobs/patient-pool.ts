import pg from 'pg';
import { endWhenSilent } from '../db/database.js';
import { isConnectionLost } from '../db/sqlstate.js';

/** What the library tries again, with a pause that grows, for minutes. */
const RETRIED_CODE = 'ETIMEDOUT';

/**
 * Connections for the queue library, which outlive a crash of Postgres. The library reports the end of a job without
 * waiting, so that an error which it does not try again is one that nobody handles, and ends the process.
 * @param silenceMs a connection that says nothing for so long while it is asked something ends; a listener may be silent
 *   for ever
 */
export function createPatientPool(silenceMs: number, config: pg.PoolConfig): pg.Pool {
  const pool = new pg.Pool(config);
  const connect = pool.connect.bind(pool);
  pool.on('connect', (client) => {
    const query = client.query.bind(client) as (...args: unknown[]) => unknown;
    const stream = endWhenSilent(client, silenceMs).setTimeout(0);
    const asked = (...args: unknown[]): unknown => {
      const result = query(...args);
      if (!(result instanceof Promise)) return result;
      stream.setTimeout(silenceMs);
      return retried(result.finally(() => stream.setTimeout(0)));
    };
    Object.assign(client, { query: asked });
  });
  // With a callback it is the listener's, which has patience of its own.
  const patient = (callback?: Parameters<typeof connect>[0]): unknown =>
    callback === undefined ? retried(connect()) : connect(callback);
  return Object.assign(pool, { connect: patient });
}

function retried(result: unknown): unknown {
  if (!(result instanceof Promise)) return result;
  return result.catch((error: unknown) => {
    throw isConnectionLost(error) && error instanceof Error ? Object.assign(error, { code: RETRIED_CODE }) : error;
  });
}
