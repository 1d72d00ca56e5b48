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
import {
  CommitUnknownError,
  isConnectionLost,
  isStorageUnavailable,
  type StorageError,
  toStorageError,
} from './sqlstate.js';
import type { DB } from './tables.js';
import { Writes } from './writes.js';

/**
 * The database. It cannot run queries itself: a query needs a transaction, and a transaction belongs to a tenant or to the
 * operator, so that no statement runs without row security.
 */
export interface Db {
  readonly pool: pg.Pool;
  readonly onEvent: (event: DatabaseEvent) => void;
}

/** Database failures, for metrics and logs. */
export type DatabaseEvent =
  | { readonly kind: 'connection_lost'; readonly error: Error }
  /** `retried` follows `failed` if the transaction is run again. */
  | { readonly kind: 'failed' | 'retried'; readonly reason: StorageError }
  | { readonly kind: 'commit_unknown' };

declare const scope: unique symbol;

/** A transaction of one tenant; row security hides the rows of other tenants. */
export type Tx = Kysely<DB> & { readonly [scope]: 'tenant' };

/** A transaction of the operator, with access to the list of tenants and to tables that belong to no tenant. */
export type OperatorTx = Kysely<DB> & { readonly [scope]: 'operator' };

export interface DatabaseOptions {
  readonly url: string;
  readonly poolSize: number;
  /** Shown in `pg_stat_activity`. */
  readonly applicationName: string;
  readonly onEvent?: (event: DatabaseEvent) => void;
  /** A connection that sends nothing for this long during a query is considered lost. Defaults to `SILENCE_MS`. */
  readonly silenceMs?: number;
}

const CONNECT_TIMEOUT_MS = 5_000;
/** Longer than any statement takes, and about as long as callers wait. */
export const SILENCE_MS = 30_000;

/**
 * The lock timeout keeps waiting transactions from exhausting the pool; the idle timeout releases the locks of a worker that
 * hangs between two statements.
 */
const LOCK_TIMEOUT_MS = 5_000;
const toLimits = (lockTimeoutMs = LOCK_TIMEOUT_MS): string =>
  `set local lock_timeout = ${lockTimeoutMs}; set local idle_in_transaction_session_timeout = '60s'`;

/** pg returns int8 as text by default; our counters stay far below 2^53. */
const INT8_OID = 20;
export const getTypeParser: pg.CustomTypesConfig['getTypeParser'] = (oid: number, format?: 'text' | 'binary') =>
  oid === INT8_OID ? Number : pg.types.getTypeParser(oid, format as 'text');

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export function requireTenantId(tenantId: string): void {
  if (!UUID.test(tenantId)) throw new TypeError('a tenant id must be a lowercase UUID');
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
  const { onEvent = () => {}, silenceMs = SILENCE_MS } = options;
  // The client reports a broken idle connection as well; without this listener the pool's event would end the process.
  pool.on('error', () => {});
  pool.on('connect', (client) => {
    // Without a listener, a server restart during a transaction would end the process.
    client.on('error', (error) => onEvent({ kind: 'connection_lost', error }));
    endWhenSilent(client, silenceMs);
  });
  return { pool, onEvent };
}

/**
 * Closes a connection whose peer vanished during a query, which TCP would notice only after hours. Between two queries, it
 * may be silent for any time.
 */
export function endWhenSilent(client: pg.PoolClient, silenceMs: number): void {
  const stream = client.connection.stream as Socket;
  const state = client as { readonly readyForQuery?: boolean };
  stream.on('timeout', () => {
    // The next query starts the timer again.
    if (state.readyForQuery === true) return;
    stream.destroy(new Error(`Connection terminated: silent for ${silenceMs} ms`));
  });
  stream.setTimeout(silenceMs);
}

export interface PoolUsage {
  readonly open: number;
  readonly idle: number;
  /** Requests waiting for a connection. */
  readonly waiting: number;
}

export const readPoolUsage = ({ pool }: Db): PoolUsage => ({
  open: pool.totalCount,
  idle: pool.idleCount,
  waiting: pool.waitingCount,
});

export const closeDatabase = (db: Db): Promise<void> => db.pool.end();

/** Throws if the database does not answer. */
export async function pingDatabase(db: Db): Promise<void> {
  await db.pool.query('select 1');
}

export interface TenantTxOptions {
  /** All statements see the database as it was at the first of them, and can only read. */
  readonly isSnapshot?: boolean;
  /** How long to wait for a lock. Defaults to 5 seconds. */
  readonly lockTimeoutMs?: number;
}

/**
 * Runs `work` in one transaction of this tenant: commits when it returns, rolls back when it throws. After a deadlock or
 * serialization failure `work` runs again, so side effects must wait until this function returns.
 * @param tenantId a lowercase UUID; throws a TypeError for anything else
 */
export function withTenant<T>(
  db: Db,
  tenantId: string,
  work: (tx: Tx) => Promise<T>,
  { isSnapshot = false, lockTimeoutMs }: TenantTxOptions = {},
): Promise<T> {
  // The id is interpolated, so that opening the transaction takes one round trip.
  requireTenantId(tenantId);
  const begin = isSnapshot ? 'begin isolation level repeatable read read only' : 'begin';
  const asTenant = `set local role biotrack_app; set local app.tenant_id = '${tenantId}'`;
  const opening = { text: `${begin}; ${toLimits(lockTimeoutMs)}; ${asTenant}`, tenantId, isReadOnly: isSnapshot };
  return transact(db, opening, (kysely) => work(kysely as Tx));
}

/** Runs at the end of a transaction: what it writes is committed with the rest; if it throws, all is rolled back. */
export type CommitHook = (tx: Tx | OperatorTx, tenantId: string | undefined) => Promise<void>;

/** What a request does at the end of its transactions: check the caller again, record who wrote, and the effect under its key. */
type CommitHooks = Readonly<Partial<Record<'caller' | 'audit' | 'idempotency', CommitHook | undefined>>>;

const commitHooks = new AsyncLocalStorage<CommitHooks>();

/**
 * Runs `work` so that every transaction that it opens, except snapshots, ends with these hooks, besides those that are set
 * already; undefined removes one. Ambient instead of a parameter, so that no writer can forget it.
 */
export const withCommitHooks = <T>(hooks: CommitHooks, work: () => T): T =>
  commitHooks.run({ ...commitHooks.getStore(), ...hooks }, work);

async function runCommitHooks(tx: Tx | OperatorTx, tenantId: string | undefined): Promise<void> {
  const { caller, idempotency, audit } = commitHooks.getStore() ?? {};
  await caller?.(tx, tenantId);
  await idempotency?.(tx, tenantId);
  await audit?.(tx, tenantId);
}

/** Runs `work` so that its writes are no effects of the request under its Idempotency-Key: a retry may repeat them. */
export const withoutEffect = <T>(work: () => T): T => withCommitHooks({ idempotency: undefined }, work);

/** Runs `work` in one transaction of the operator. */
export function withOperator<T>(db: Db, work: (tx: OperatorTx) => Promise<T>): Promise<T> {
  const text = `begin; set local role biotrack_operator; ${toLimits()}`;
  const opening = { text, tenantId: undefined, isReadOnly: false };
  return transact(db, opening, (kysely) => work(kysely as OperatorTx));
}

interface Opening {
  readonly text: string;
  readonly tenantId: string | undefined;
  readonly isReadOnly: boolean;
}

/** The connection of a transaction, for COPY and other features of the driver. */
export const clientOf = (tx: Tx | OperatorTx): pg.PoolClient => sessionOf(tx).client;

/**
 * Makes Postgres read a page in index order and stop when the page is full. For tables without statistics it expects few rows
 * and would instead fetch all rows of the tenant by a bitmap scan and sort them: 100,000 rows for a page of 100. Always set for
 * single statements.
 */
export const INDEX_ORDER_SETTING = { name: 'enable_bitmapscan', value: 'off' } as const;

/** Applies the setting to the rest of the transaction. */
export async function preferIndexOrder(tx: Tx): Promise<void> {
  await clientOf(tx).query(`set local ${INDEX_ORDER_SETTING.name} = ${INDEX_ORDER_SETTING.value}`);
}

/** For recording writes that bypass the query builder. */
export const writesOf = (tx: Tx | OperatorTx): Writes => sessionOf(tx).writes;

interface Session {
  readonly client: pg.PoolClient;
  readonly writes: Writes;
}

const sessions = new WeakMap<Kysely<DB>, Session>();

function sessionOf(tx: Tx | OperatorTx): Session {
  const session = sessions.get(tx);
  if (session === undefined) throw new TypeError('not a transaction of withTenant or withOperator');
  return session;
}

/** For transactions that lose against a concurrent one. */
const MAX_ATTEMPTS = 4;
const RETRY_BASE_MS = 20;

/** Runs `work` in a transaction, again after deadlocks, serialization failures and stale connections. */
async function transact<T>(db: Db, opening: Opening, work: (kysely: Kysely<DB>) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await transactOnce(db, opening, work);
    } catch (error) {
      const cause = error instanceof NotBegunError ? error.cause : error;
      const reason = toStorageError(cause);
      if (reason === undefined) throw cause;
      db.onEvent(reason === 'commit_unknown' ? { kind: 'commit_unknown' } : { kind: 'failed', reason });
      // The pooled connection was already broken: nothing has run on it yet, and a new connection may work.
      const isStale = error instanceof NotBegunError && attempt === 1;
      const isRaceLost = reason === 'deadlock' || reason === 'serialization_failure';
      if (!isStale && !(isRaceLost && attempt < MAX_ATTEMPTS)) throw cause;
      db.onEvent({ kind: 'retried', reason });
      await delay(Math.random() * RETRY_BASE_MS * 2 ** attempt);
    }
  }
}

/** The connection failed before the transaction began. */
class NotBegunError extends Error {}

async function transactOnce<T>(db: Db, opening: Opening, work: (kysely: Kysely<DB>) => Promise<T>): Promise<T> {
  const client = await db.pool.connect();
  let broken: Error | undefined;
  try {
    await client.query(opening.text).catch((cause: unknown) => {
      throw isStorageUnavailable(cause) ? new NotBegunError('the transaction could not begin', { cause }) : cause;
    });
    const session = { client, writes: new Writes() };
    const kysely = createKyselyForSession(session);
    sessions.set(kysely, session);
    const result = await work(kysely);
    if (!opening.isReadOnly) await runCommitHooks(kysely as Tx | OperatorTx, opening.tenantId);
    await commit(client);
    return result;
  } catch (error) {
    // If the rollback fails, the state of the connection is unknown and it must not return to the pool.
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
    // The transaction may have been committed.
    throw isConnectionLost(cause) ? new CommitUnknownError('the reply to a COMMIT was lost', { cause }) : cause;
  });
  // After a failed statement, Postgres answers COMMIT with ROLLBACK instead of an error.
  if (command !== 'COMMIT') throw new Error('the transaction was rolled back because a statement had failed');
}

/** A query builder for a connection that already has an open transaction. */
const createKyselyForSession = (session: Session): Kysely<DB> => createKyselyOver(new SessionDriver(session));

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
        if (result.command !== 'SELECT' && (result.rowCount ?? 0) > 0) writes.recordQuery(query);
        return { rows: result.rows as R[], numAffectedRows: BigInt(result.rowCount ?? 0) };
      },
      // biome-ignore lint/correctness/useYield: the interface requires a generator, but streaming is not supported.
      async *streamQuery() {
        throw new Error('streaming is not supported; read in pages');
      },
    };
  }

  async init(): Promise<void> {}
  async acquireConnection(): Promise<DatabaseConnection> {
    return this.#connection;
  }
  async beginTransaction(): Promise<void> {
    throw new Error('a transaction is already open');
  }
  async commitTransaction(): Promise<void> {}
  async rollbackTransaction(): Promise<void> {}
  async releaseConnection(): Promise<void> {}
  async destroy(): Promise<void> {}
}
