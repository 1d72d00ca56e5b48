import type pg from 'pg';
import { type Db, getTypeParser, requireTenantId } from './database.js';

/** A statement with its values as texts, in the order of their places. Not named: a pooler may stand in between. */
export interface Statement {
  readonly text: string;
  readonly values: readonly (string | null)[];
}

/**
 * Opens what the read after it runs in. It is no statement of its own transaction: until the Sync after both, Postgres
 * keeps one transaction open, and what is set locally ends with it, whether the read succeeds or fails.
 */
const OPENING = `select set_config('role', 'biotrack_app', true), set_config('app.tenant_id', $1, true),
  set_config('lock_timeout', '5s', true)`;

/**
 * What moves with everything that a list of the tenant's companies or changes can show; of tenant $1. A new tenant with
 * the id of a deleted one begins elsewhere.
 */
export const TENANT_MARK = `select extract(epoch from inserted_datetime) || '.' || revision || '.' || last_change_seq
  as mark from tenants where tenant_id = $1`;

/**
 * One statement of a tenant that only reads, in one round trip: every row of any other tenant does not exist in it.
 * What reads twice and must see one state, or writes, takes `withTenant`.
 * @param tenantId a lower-case UUID; anything else is a fault of the caller and throws
 */
export async function readAsTenant<Row>(db: Db, tenantId: string, statement: Statement): Promise<Row[]> {
  requireTenantId(tenantId);
  const client = await db.pool.connect();
  return new Promise((resolve, reject) => {
    client.query(
      new TenantRead<Row>(tenantId, statement, (error, rows) => {
        // A connection on which a read failed is given up: it is not worth telling apart in which state it is.
        client.release(error);
        if (error === undefined) resolve(rows);
        else reject(error);
      }),
    );
  });
}

interface Field {
  readonly name: string;
  readonly parse: (text: string) => unknown;
}

/**
 * Two statements in one write, as the driver lets cursors and COPY bring their own messages: it calls the methods below
 * for what comes back. https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-PIPELINING
 */
class TenantRead<Row> implements pg.Submittable {
  readonly #tenantId: string;
  readonly #statement: Statement;
  readonly #settle: (error: Error | undefined, rows: Row[]) => void;
  readonly #rows: Row[] = [];
  #isOpen = false;
  #isSettled = false;
  #fields: Field[] = [];

  constructor(tenantId: string, statement: Statement, settle: (error: Error | undefined, rows: Row[]) => void) {
    this.#tenantId = tenantId;
    this.#statement = statement;
    this.#settle = settle;
  }

  submit(connection: pg.Connection): void {
    connection.stream.cork();
    send(connection, { text: OPENING, values: [this.#tenantId] });
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

  /** None of these comes of a read without a row limit. */
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

function send(connection: pg.Connection, { text, values }: Statement, isRead = false): void {
  connection.parse({ name: '', text, types: [] }, true);
  connection.bind({ values: [...values] }, true);
  if (isRead) connection.describe({ type: 'P' }, true);
  connection.execute(null, true);
}
