import { AsyncLocalStorage } from 'node:async_hooks';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Driver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
} from 'kysely';
import pg from 'pg';
import { type AuditContext, Writes, writeAudit } from './audit.js';
import {
  CommitUnknownError,
  isConnectionLost,
  isStorageUnavailable,
  type StorageError,
  toStorageError,
} from './sqlstate.js';
import type { DB } from './tables.js';

/**
 * The database. It can do nothing by itself: a query needs a transaction, and a transaction needs to say whose it is,
 * so that no statement ever runs without row security.
 */
export interface Db {
  readonly pool: pg.Pool;
  readonly onEvent: (event: DatabaseEvent) => void;
  /** The call on whose behalf this is asked; undefined for none that changes anything. */
  readonly findCause: () => AuditContext | undefined;
}

/** What went wrong for reasons of the database's own, for metrics and logs. */
export type DatabaseEvent =
  | { readonly kind: 'connection_lost'; readonly error: Error }
  /** `fault`: why a transaction failed; `retried`: and was done once more. */
  | { readonly kind: 'fault' | 'retried'; readonly fault: StorageError }
  | { readonly kind: 'commit_unknown' };

declare const whose: unique symbol;

/** A transaction of one tenant: every row of any other tenant does not exist in it. */
export type Tx = Kysely<DB> & { readonly [whose]: 'tenant' };

/** A transaction of the operator: what belongs to no tenant, and the list of tenants. */
export type OperatorTx = Kysely<DB> & { readonly [whose]: 'operator' };

export interface DatabaseOptions {
  readonly url: string;
  readonly poolSize: number;
  /** Names the connections in `pg_stat_activity`. */
  readonly applicationName: string;
  readonly onEvent?: (event: DatabaseEvent) => void;
  readonly findCause?: () => AuditContext | undefined;
  /** A connection that says nothing for so long while it is asked something is taken for lost. */
  readonly silenceMs?: number;
}

const CONNECT_TIMEOUT_MS = 5_000;
/** Longer than any statement takes, and about what a caller waits. */
export const SILENCE_MS = 30_000;

/**
 * Nobody waits for a lock until the pool is empty, and a worker that stands still between two statements lets go of
 * what it holds.
 */
const LIMITS = `set local lock_timeout = '5s'; set local idle_in_transaction_session_timeout = '60s'`;

/** int8 comes as text by default; our counters stay far below 2^53. */
const INT8_OID = 20;
export const getTypeParser: pg.CustomTypesConfig['getTypeParser'] = (oid: number, format?: 'text' | 'binary') =>
  oid === INT8_OID ? Number : pg.types.getTypeParser(oid, format as 'text');

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export function requireTenantId(tenantId: string): void {
  if (!UUID.test(tenantId)) throw new TypeError('a tenant is named by its id in canonical form');
}

export function openDatabase(options: DatabaseOptions): Db {
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.poolSize,
    application_name: options.applicationName,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    types: { getTypeParser },
  });
  const { onEvent = () => {}, findCause = () => undefined, silenceMs = SILENCE_MS } = options;
  // An idle connection that breaks is told of by its client and by the pool: once is enough.
  pool.on('error', () => {});
  pool.on('connect', (client) => {
    // A server that restarts during a transaction reports it on the checked-out client, and nobody listening ends Node.
    client.on('error', (error) => onEvent({ kind: 'connection_lost', error }));
    endWhenSilent(client, silenceMs);
  });
  return { pool, onEvent, findCause };
}

/**
 * A connection whose other end went away without a word is open for hours as far as TCP goes. Idle ones are closed by the
 * pool long before this.
 */
export function endWhenSilent(client: pg.PoolClient, silenceMs: number): Socket {
  const stream = client.connection.stream as Socket;
  stream.on('timeout', () => stream.destroy(new Error(`Connection terminated: silent for ${silenceMs} ms`)));
  return stream.setTimeout(silenceMs);
}

export interface PoolUsage {
  readonly open: number;
  readonly idle: number;
  /** Who waits for a connection. */
  readonly waiting: number;
}

export const readPoolUsage = ({ pool }: Db): PoolUsage => ({
  open: pool.totalCount,
  idle: pool.idleCount,
  waiting: pool.waitingCount,
});

export const closeDatabase = (db: Db): Promise<void> => db.pool.end();

/** Whether the database answers; throws if not. */
export async function pingDatabase(db: Db): Promise<void> {
  await db.pool.query('select 1');
}

/**
 * Runs `work` in one transaction of this tenant: commits what it returns from, rolls back what it throws from.
 * @param tenantId a lower-case UUID; anything else is a fault of the caller and throws.
 */
export async function withTenant<T>(db: Db, tenantId: string, work: (tx: Tx) => Promise<T>): Promise<T> {
  // The id stands in the text of a statement below, so that opening the transaction takes one round trip.
  requireTenantId(tenantId);
  return transact(
    db,
    tenantId,
    `begin; set local role biotrack_app; set local app.tenant_id = '${tenantId}'; ${LIMITS}`,
    (kysely) => work(kysely as Tx),
  );
}

/** Has the last word in a transaction: what it writes is committed with the rest, and what it throws rolls it back. */
export type BeforeCommit = (tx: Tx | OperatorTx, tenantId: string | undefined) => Promise<void>;

const lastWords = new AsyncLocalStorage<BeforeCommit>();

/**
 * Runs `work` so that every transaction which it opens, wherever it does, ends with `beforeCommit`. This is the one
 * thing that is not handed down by argument: who writes something cannot forget it.
 */
export const beforeEachCommit = (beforeCommit: BeforeCommit, work: () => void): void =>
  lastWords.run(beforeCommit, work);

/** Runs `work` without it: what is written is no effect of the request, and may be written again when it is repeated. */
export const withoutBeforeCommit = <T>(work: () => T): T => lastWords.exit(work);

/** Runs `work` in one transaction of the operator. */
export async function withOperator<T>(db: Db, work: (tx: OperatorTx) => Promise<T>): Promise<T> {
  const opening = `begin; set local role biotrack_operator; ${LIMITS}`;
  return transact(db, undefined, opening, (kysely) => work(kysely as OperatorTx));
}

/** The connection under a transaction, for what only the driver can do (COPY). */
export const clientOf = (tx: Tx | OperatorTx): pg.PoolClient => sessionOf(tx).client;

/**
 * With this a page of a long list is read in the order of an index, and the read ends when the page is full. Of tables
 * that were never analysed Postgres thinks that they hold next to nothing, takes the rows of the whole tenant by a bitmap
 * and sorts them: 100,000 for 100. What is asked in a single statement has it always.
 */
export const PAGEWISE = { name: 'enable_bitmapscan', value: 'off' } as const;

/** From here to its end the transaction reads pages so. */
export async function readPagewise(tx: Tx): Promise<void> {
  await clientOf(tx).query(`set local ${PAGEWISE.name} = ${PAGEWISE.value}`);
}

/** For what is written past the query builder. */
export const writesOf = (tx: Tx | OperatorTx): Writes => sessionOf(tx).writes;

interface Session {
  readonly client: pg.PoolClient;
  readonly writes: Writes;
}

const sessions = new WeakMap<Kysely<DB>, Session>();

function sessionOf(tx: Tx | OperatorTx): Session {
  const session = sessions.get(tx);
  if (session === undefined) throw new TypeError('not a transaction of this house');
  return session;
}

/** What a transaction lost to another one at the same time is done again, so often. */
const MOST_ATTEMPTS = 4;
const RETRY_BASE_MS = 20;

/**
 * Does the work in a transaction, and does it again where the database asks for that: nothing of the first time is left,
 * and side effects come after the commit in this house.
 */
async function transact<T>(
  db: Db,
  tenantId: string | undefined,
  opening: string,
  work: (kysely: Kysely<DB>) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await transactOnce(db, tenantId, opening, work);
    } catch (error) {
      const cause = error instanceof NotBegunError ? error.cause : error;
      const fault = toStorageError(cause);
      if (fault === undefined) throw cause;
      db.onEvent(fault === 'commit_unknown' ? { kind: 'commit_unknown' } : { kind: 'fault', fault });
      // A connection of the pool may have died unnoticed: nothing was done yet on it, and a fresh one may do.
      const isStale = error instanceof NotBegunError && attempt === 1;
      const isLost = fault === 'deadlock' || fault === 'serialization_failure';
      if (!isStale && !(isLost && attempt < MOST_ATTEMPTS)) throw cause;
      db.onEvent({ kind: 'retried', fault });
      await delay(Math.random() * RETRY_BASE_MS * 2 ** attempt);
    }
  }
}

/** The connection failed before the transaction had begun. */
class NotBegunError extends Error {}

async function transactOnce<T>(
  db: Db,
  tenantId: string | undefined,
  opening: string,
  work: (kysely: Kysely<DB>) => Promise<T>,
): Promise<T> {
  const client = await db.pool.connect();
  let broken: Error | undefined;
  try {
    await client.query(opening).catch((cause: unknown) => {
      throw isStorageUnavailable(cause) ? new NotBegunError('not begun', { cause }) : cause;
    });
    const session = { client, writes: new Writes() };
    const kysely = overSession(session);
    sessions.set(kysely, session);
    const result = await work(kysely);
    await lastWords.getStore()?.(kysely as Tx | OperatorTx, tenantId);
    const cause = db.findCause();
    if (cause !== undefined) await writeAudit(client, tenantId, cause, session.writes);
    await commit(client);
    return result;
  } catch (error) {
    // If even the rollback fails, the connection is in no known state and must not go back to the pool.
    await client.query('rollback').catch((failure: Error) => {
      broken = failure;
    });
    throw error;
  } finally {
    client.release(broken);
  }
}

async function commit(client: pg.PoolClient): Promise<void> {
  const { command } = await client.query('commit').catch((cause: unknown) => {
    // Nobody said no: it may have been done.
    throw isConnectionLost(cause) ? new CommitUnknownError('the answer to a commit was lost', { cause }) : cause;
  });
  // A transaction in which a statement failed ends so without an error of its own.
  if (command !== 'COMMIT') throw new Error('the transaction had failed before and was rolled back');
}

/** A query builder over one connection that is inside a transaction already. */
const overSession = (session: Session): Kysely<DB> => createKyselyOver(new SessionDriver(session));

export const createKyselyOver = (driver: Driver): Kysely<DB> =>
  new Kysely<DB>({
    dialect: {
      createAdapter: () => new PostgresAdapter(),
      createDriver: () => driver,
      createIntrospector: (kysely) => new PostgresIntrospector(kysely),
      createQueryCompiler: () => new PostgresQueryCompiler(),
    },
  });

class SessionDriver implements Driver {
  readonly #connection: DatabaseConnection;

  constructor({ client, writes }: Session) {
    this.#connection = {
      async executeQuery<R>(query: CompiledQuery) {
        const result = await client.query(query.sql, [...query.parameters]);
        if (result.command !== 'SELECT' && (result.rowCount ?? 0) > 0) writes.noteQuery(query);
        return { rows: result.rows as R[], numAffectedRows: BigInt(result.rowCount ?? 0) };
      },
      // biome-ignore lint/correctness/useYield: the interface asks for a generator; the house reads in pages instead.
      async *streamQuery() {
        throw new Error('streaming is not offered');
      },
    };
  }

  async init(): Promise<void> {}
  async acquireConnection(): Promise<DatabaseConnection> {
    return this.#connection;
  }
  async beginTransaction(): Promise<void> {
    throw new Error('this is a transaction already');
  }
  async commitTransaction(): Promise<void> {}
  async rollbackTransaction(): Promise<void> {}
  async releaseConnection(): Promise<void> {}
  async destroy(): Promise<void> {}
}
