import { type Compilable, DummyDriver, type Kysely } from 'kysely';
import type pg from 'pg';
import { createKyselyOver, type Db, getTypeParser, PAGEWISE, requireTenantId } from './database.js';
import { isConnectionLost, toStorageError } from './sqlstate.js';
import type { DB } from './tables.js';

/** A statement with its values as texts, in the order of their places. Not named: a pooler may stand in between. */
export interface Statement {
  readonly text: string;
  readonly values: readonly (string | null)[];
}

/** For putting a statement together with the query builder; it runs nothing. */
export const statementBuilder: Kysely<DB> = createKyselyOver(new DummyDriver());

/** @param query of `drafting`, with no other values than texts and numbers */
export const toStatement = (query: Compilable): Statement => {
  const { sql, parameters } = query.compile();
  return { text: sql, values: parameters.map((value) => (value === null ? null : String(value))) };
};

/**
 * Opens what the statement after it runs in. It is no statement of its own transaction: until the Sync after both,
 * Postgres keeps one transaction open, and what is set locally ends with it, whether the other succeeds or fails.
 */
const AS_TENANT = `select set_config('role', 'biotrack_app', true), set_config('app.tenant_id', $1, true),
  set_config('lock_timeout', '5s', true), set_config('${PAGEWISE.name}', '${PAGEWISE.value}', true)`;
const AS_OPERATOR = `select set_config('role', 'biotrack_operator', true), set_config('lock_timeout', '5s', true)`;

/**
 * What moves with everything that a list of the tenant's companies or changes can show; of tenant $1. A new tenant with
 * the id of a deleted one begins elsewhere.
 */
export const TENANT_REVISION = `select extract(epoch from inserted_datetime) || '.' || revision || '.' || last_change_seq
  as revision from tenants where tenant_id = $1`;

/**
 * One statement of a tenant in one round trip, committed with it: every row of any other tenant does not exist in it.
 * What needs two statements, or is audited, takes `withTenant`.
 * @param statement is done again where a connection of the pool had died unnoticed: it must be one that may be
 * @param tenantId a lower-case UUID; anything else is a fault of the caller and throws
 */
export async function queryAsTenant<Row>(db: Db, tenantId: string, statement: Statement): Promise<Row[]> {
  requireTenantId(tenantId);
  return ask(db, { text: AS_TENANT, values: [tenantId] }, statement);
}

/** The same for the operator: what belongs to no tenant. */
export const queryAsOperator = <Row>(db: Db, statement: Statement): Promise<Row[]> =>
  ask(db, { text: AS_OPERATOR, values: [] }, statement);

async function ask<Row>(db: Db, opening: Statement, statement: Statement): Promise<Row[]> {
  const noted = (error: unknown): never => {
    const fault = toStorageError(error);
    if (fault !== undefined) db.onEvent({ kind: 'fault', fault });
    throw error;
  };
  const connect = (): Promise<pg.PoolClient> => db.pool.connect().catch(noted);
  const askOn = (client: pg.PoolClient): Promise<Row[]> => runOn<Row>(client, opening, statement).catch(noted);
  const client = await connect();
  try {
    return await askOn(client);
  } catch (error) {
    const fault = toStorageError(error);
    if (fault === undefined || !isConnectionLost(error)) throw error;
    db.onEvent({ kind: 'retried', fault });
  }
  return askOn(await connect());
}

const runOn = <Row>(client: pg.PoolClient, opening: Statement, statement: Statement): Promise<Row[]> =>
  new Promise((resolve, reject) => {
    client.query(
      new OpenedStatement<Row>(opening, statement, (error, rows) => {
        // A connection on which a statement failed is given up: it is not worth telling apart in which state it is.
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
 * Two statements in one write, as the driver lets cursors and COPY bring their own messages: it calls the methods below
 * for what comes back. https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-PIPELINING
 */
class OpenedStatement<Row> implements pg.Submittable {
  readonly #opening: Statement;
  readonly #statement: Statement;
  readonly #settle: (error: Error | undefined, rows: Row[]) => void;
  readonly #rows: Row[] = [];
  #isOpen = false;
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
    if (!this.#isOpen) return;
    const row: Record<string, unknown> = {};
    for (const [index, { name, parse }] of this.#fields.entries()) {
      const cell = cells[index];
      row[name] = cell === null || cell === undefined ? null : parse(cell);
    }
    this.#rows.push(row as Row);
  }

  handleCommandComplete(): void {
    this.#isOpen = true;
  }

  handleReadyForQuery(): void {
    this.#end(undefined);
  }

  handleError(error: Error): void {
    this.#end(error);
  }

  /** None of these comes of a statement without a row limit. */
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
