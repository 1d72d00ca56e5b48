import { type Compilable, DummyDriver, type Kysely } from 'kysely';
import type pg from 'pg';
import { createKyselyOver, type Db, getTypeParser, INDEX_ORDER_SETTING, requireTenantId } from './database.js';
import { isConnectionLost, toStorageError } from './sqlstate.js';
import type { DB } from './tables.js';

/** A statement with its parameters as text. Not a named prepared statement: poolers do not support those. */
export interface Statement {
  readonly text: string;
  readonly values: readonly (string | null)[];
}

/** Builds statements for `toStatement`; cannot run them. */
export const statementBuilder: Kysely<DB> = createKyselyOver(new DummyDriver());

/** @param query built with `statementBuilder`; all parameters must be strings, numbers or null */
export const toStatement = (query: Compilable): Statement => {
  const { sql, parameters } = query.compile();
  return { text: sql, values: parameters.map((value) => (value === null ? null : String(value))) };
};

/**
 * Sent before the actual statement. Both run in one implicit transaction, which ends at the protocol's Sync message after
 * them, and the local settings with it.
 */
const AS_TENANT = `select set_config('role', 'biotrack_app', true), set_config('app.tenant_id', $1, true),
  set_config('lock_timeout', '5s', true), set_config('${INDEX_ORDER_SETTING.name}', '${INDEX_ORDER_SETTING.value}', true)`;
const AS_OPERATOR = `select set_config('role', 'biotrack_operator', true), set_config('lock_timeout', '5s', true)`;

/**
 * Selects the revision of tenant $1, which changes with everything that its lists can show. It includes the creation time, so
 * that a tenant recreated with the same id never reuses a revision.
 */
export const TENANT_REVISION = `select extract(epoch from inserted_datetime) || '.' || revision || '.' || last_change_seq
  as revision from tenants where tenant_id = $1`;

/**
 * Runs and commits one statement as a tenant in one round trip; row security hides the rows of other tenants. Use
 * `withTenant` for several statements or audited writes.
 * @param tenantId a lowercase UUID; throws a TypeError for anything else
 * @param statement must be idempotent: it is run again if the pooled connection turns out to be broken
 */
export async function queryAsTenant<Row>(db: Db, tenantId: string, statement: Statement): Promise<Row[]> {
  requireTenantId(tenantId);
  return runStatement(db, { text: AS_TENANT, values: [tenantId] }, statement);
}

/** The same as the operator, for tables that belong to no tenant. */
export const queryAsOperator = <Row>(db: Db, statement: Statement): Promise<Row[]> =>
  runStatement(db, { text: AS_OPERATOR, values: [] }, statement);

async function runStatement<Row>(db: Db, opening: Statement, statement: Statement): Promise<Row[]> {
  const reportAndThrow = (error: unknown): never => {
    const reason = toStorageError(error);
    if (reason !== undefined) db.onEvent({ kind: 'failed', reason });
    throw error;
  };
  const connect = (): Promise<pg.PoolClient> => db.pool.connect().catch(reportAndThrow);
  const runOnce = (client: pg.PoolClient): Promise<Row[]> =>
    runOn<Row>(client, opening, statement).catch(reportAndThrow);
  const client = await connect();
  try {
    return await runOnce(client);
  } catch (error) {
    const reason = toStorageError(error);
    if (reason === undefined || !isConnectionLost(error)) throw error;
    db.onEvent({ kind: 'retried', reason });
  }
  return runOnce(await connect());
}

const runOn = <Row>(client: pg.PoolClient, opening: Statement, statement: Statement): Promise<Row[]> =>
  new Promise((resolve, reject) => {
    client.query(
      new OpenedStatement<Row>(opening, statement, (error, rows) => {
        // After an error the state of the connection is unknown, so it is not reused.
        client.release(error);
        if (error === undefined) resolve(rows);
        else reject(error);
      }),
    );
  });

interface Field {
  readonly name: string;
  readonly parse: (text: string) => unknown;
}

/**
 * Sends two statements in one write. pg lets a Submittable, such as a cursor or COPY, send its own protocol messages and calls
 * the handlers below for the replies. https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-PIPELINING
 */
class OpenedStatement<Row> implements pg.Submittable {
  readonly #opening: Statement;
  readonly #statement: Statement;
  readonly #settle: (error: Error | undefined, rows: Row[]) => void;
  readonly #rows: Row[] = [];
  #isOpened = false;
  #isSettled = false;
  #fields: Field[] = [];

  constructor(opening: Statement, statement: Statement, settle: (error: Error | undefined, rows: Row[]) => void) {
    this.#opening = opening;
    this.#statement = statement;
    this.#settle = settle;
  }

  submit(connection: pg.Connection): void {
    connection.stream.cork();
    send(connection, this.#opening);
    send(connection, this.#statement, true);
    connection.sync();
    connection.stream.uncork();
  }

  handleRowDescription({ fields }: { fields: { name: string; dataTypeID: number }[] }): void {
    this.#fields = fields.map(({ name, dataTypeID }) => ({ name, parse: getTypeParser(dataTypeID, 'text') }));
  }

  handleDataRow({ fields: cells }: { fields: (string | null)[] }): void {
    if (!this.#isOpened) return;
    const row: Record<string, unknown> = {};
    for (const [index, { name, parse }] of this.#fields.entries()) {
      const cell = cells[index];
      row[name] = cell === null || cell === undefined ? null : parse(cell);
    }
    this.#rows.push(row as Row);
  }

  handleCommandComplete(): void {
    this.#isOpened = true;
  }

  handleReadyForQuery(): void {
    this.#end(undefined);
  }

  handleError(error: Error): void {
    this.#end(error);
  }

  /** Required by pg, but never called for statements without a row limit. */
  handleEmptyQuery(): void {}
  handlePortalSuspended(): void {}
  handleCopyInResponse(): void {}
  handleCopyData(): void {}

  #end(error: Error | undefined): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#settle(error, this.#rows);
  }
}

function send(connection: pg.Connection, { text, values }: Statement, hasRows = false): void {
  connection.parse({ name: '', text, types: [] }, true);
  connection.bind({ values: [...values] }, true);
  if (hasRows) connection.describe({ type: 'P' }, true);
  connection.execute(null, true);
}
