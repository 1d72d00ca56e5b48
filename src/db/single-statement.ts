import { type Compilable, DummyDriver, type Kysely } from 'kysely';
import pg from 'pg';
import { createKyselyOver, type Db, INDEX_ORDER_SETTING, requireTenantId } from './database.js';
import { isConnectionLost, toStorageError } from './sqlstate.js';
import type { DB } from './tables.js';

/** A statement with its parameters as text. */
export interface Statement {
  /** With placeholders `$1`, `$2`, …; elsewhere, no digit may follow a `$`. */
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

/** Who runs a single statement that belongs to no tenant. */
export const OPERATOR = Symbol('operator');

/** Before the actual statement, in the same message: both run in one implicit transaction, with which the settings end. */
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
 * Runs and commits one statement in one round trip, as a tenant or as the operator; row security hides the rows of other
 * tenants. Use `withTenant` or `withOperator` for several statements or audited writes.
 * @param as a tenant's id, which is a lowercase UUID; throws a TypeError for anything else
 * @param statement must be idempotent: it is run again if the pooled connection turns out to be broken
 */
export async function runStatement<Row>(db: Db, as: string | typeof OPERATOR, statement: Statement): Promise<Row[]> {
  const text = `${toOpening(as)}; ${toQuotedText(statement)}`;
  const reportAndThrow = (error: unknown): never => {
    const reason = toStorageError(error);
    if (reason !== undefined) db.onEvent({ kind: 'failed', reason });
    throw error;
  };
  const connect = (): Promise<pg.PoolClient> => db.pool.connect().catch(reportAndThrow);
  const runOnce = (client: pg.PoolClient): Promise<Row[]> => runOn<Row>(client, text).catch(reportAndThrow);
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

function toOpening(as: string | typeof OPERATOR): string {
  if (as === OPERATOR) return AS_OPERATOR;
  requireTenantId(as);
  return toQuotedText({ text: AS_TENANT, values: [as] });
}

async function runOn<Row>(client: pg.PoolClient, text: string): Promise<Row[]> {
  try {
    // One result for each of the two statements, which the types do not know.
    const [, result] = (await client.query(text)) as unknown as [unknown, { readonly rows: Row[] }];
    client.release();
    return result.rows;
  } catch (error) {
    // The state of the connection is unknown, so it is not reused.
    client.release(error as Error);
    throw error;
  }
}

/** Only a message without parameters may have several statements, so the values are literals in the text. */
const toQuotedText = ({ text, values }: Statement): string =>
  text.replace(/\$(\d+)/g, (_placeholder, number: string) => toLiteral(values[Number(number) - 1]));

/** @throws TypeError for a text that the message cannot contain */
function toLiteral(value: string | null | undefined): string {
  if (value === undefined) throw new TypeError('a placeholder has no value');
  if (value === null) return 'null';
  if (value.includes('\0')) throw new TypeError('a text in Postgres cannot contain NUL');
  return pg.escapeLiteral(value);
}
