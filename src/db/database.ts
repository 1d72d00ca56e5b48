import { AsyncLocalStorage } from 'node:async_hooks';
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
import type { DB } from './tables.js';

/**
 * The database. It can do nothing by itself: a query needs a transaction, and a transaction needs to say whose it is,
 * so that no statement ever runs without row security.
 */
export interface Db {
  readonly pool: pg.Pool;
}

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
  /** Told of errors of idle connections, which no caller waits for. */
  readonly onConnectionError: (error: Error) => void;
}

const CONNECT_TIMEOUT_MS = 5_000;

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
  pool.on('error', options.onConnectionError);
  // A server that restarts during a transaction reports it on the checked-out client, and nobody listening ends Node.
  pool.on('connect', (client) => client.on('error', options.onConnectionError));
  return { pool };
}

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

/** Runs `work` in one transaction of the operator. */
export async function withOperator<T>(db: Db, work: (tx: OperatorTx) => Promise<T>): Promise<T> {
  return transact(db, undefined, `begin; set local role biotrack_operator; ${LIMITS}`, (kysely) =>
    work(kysely as OperatorTx),
  );
}

/** The connection under a transaction, for what only the driver can do (COPY). */
export function clientOf(tx: Tx | OperatorTx): pg.PoolClient {
  const client = clients.get(tx);
  if (client === undefined) throw new TypeError('not a transaction of this house');
  return client;
}

const clients = new WeakMap<Kysely<DB>, pg.PoolClient>();

async function transact<T>(
  db: Db,
  tenantId: string | undefined,
  opening: string,
  work: (kysely: Kysely<DB>) => Promise<T>,
): Promise<T> {
  const client = await db.pool.connect();
  let broken: Error | undefined;
  try {
    await client.query(opening);
    const kysely = overClient(client);
    clients.set(kysely, client);
    const result = await work(kysely);
    await lastWords.getStore()?.(kysely as Tx | OperatorTx, tenantId);
    const { command } = await client.query('commit');
    // A transaction in which a statement failed ends so without an error of its own.
    if (command !== 'COMMIT') throw new Error('the transaction had failed before and was rolled back');
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

/** A query builder over one connection that is inside a transaction already. */
function overClient(client: pg.PoolClient): Kysely<DB> {
  return new Kysely<DB>({
    dialect: {
      createAdapter: () => new PostgresAdapter(),
      createDriver: () => new ClientDriver(client),
      createIntrospector: (kysely) => new PostgresIntrospector(kysely),
      createQueryCompiler: () => new PostgresQueryCompiler(),
    },
  });
}

class ClientDriver implements Driver {
  readonly #connection: DatabaseConnection;

  constructor(client: pg.PoolClient) {
    this.#connection = {
      async executeQuery<R>(query: CompiledQuery) {
        const result = await client.query(query.sql, [...query.parameters]);
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
