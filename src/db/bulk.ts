import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { clientOf, type OperatorTx, type Tx, writesOf } from './database.js';
import type { DB } from './tables.js';

/** A value as a column takes it. Arrays are of text; anything else that is an object is JSON. */
export type Cell = string | number | boolean | null | Date | readonly string[] | { readonly [key: string]: unknown };

/** Columns and their Postgres types, in the order of the cells of a row. */
export type Columns = Readonly<Record<string, string>>;

type Row = readonly Cell[];

/** Big enough to cost few writes, small enough for Postgres to work on one while the next is made. */
const CHUNK_LENGTH = 256 * 1024;
/** Enough to have something to send at once, and little enough to lie in memory. */
const CHUNKS_AHEAD = 12;

/** Rows as COPY takes them. Their text is made as it is sent, or ahead, while Postgres is busy with other rows. */
export class CopyText {
  readonly #chunks: Iterator<Buffer>;
  readonly #ahead: Buffer[] = [];

  constructor(rows: Iterable<Row>) {
    this.#chunks = toCopyChunks(rows);
  }

  makeAhead(count = CHUNKS_AHEAD): void {
    while (this.#ahead.length < count) {
      const { value, done } = this.#chunks.next();
      if (done === true) return;
      this.#ahead.push(value);
    }
  }

  isEmpty(): boolean {
    this.makeAhead(1);
    return this.#ahead.length === 0;
  }

  *take(): Generator<Buffer> {
    for (;;) {
      this.makeAhead(1);
      const chunk = this.#ahead.shift();
      if (chunk === undefined) return;
      yield chunk;
    }
  }
}

/**
 * Inserts many rows by COPY: through a stage, because COPY refuses a table with row security. The stage is read back
 * without a join, so that the plan is the same on tables that were never analysed.
 * @param table a table's name, never input
 * @param meanwhile done while Postgres takes the rows from the stage
 */
export async function insertRows(
  tx: Tx | OperatorTx,
  table: keyof DB,
  columns: Columns,
  rows: CopyText,
  meanwhile: () => void = () => {},
): Promise<void> {
  if (rows.isEmpty()) return;
  const client = clientOf(tx);
  const names = Object.keys(columns).map(quoted).join(', ');
  const stage = quoted(`stage_of_${table}`);
  const definitions = Object.entries(columns).map(([name, type]) => `${quoted(name)} ${type}`);
  await client.query(`create temp table ${stage} (${definitions.join(', ')}) on commit drop`);
  await copyInto(client, stage, names, rows);
  const taken = client.query(
    `insert into ${quoted(table)} (${names}) select ${names} from ${stage}; drop table ${stage}`,
  );
  await Promise.all([taken, Promise.resolve().then(meanwhile)]);
  writesOf(tx).note('insert', table);
}

/** Inserts many rows by COPY into a table of no tenant's, which has no row security. */
export async function copyRows(tx: OperatorTx, table: keyof DB, columns: Columns, rows: CopyText): Promise<void> {
  if (rows.isEmpty()) return;
  await copyInto(clientOf(tx), quoted(table), Object.keys(columns).map(quoted).join(', '), rows);
  writesOf(tx).note('insert', table);
}

const copyInto = (client: pg.PoolClient, table: string, names: string, rows: CopyText): Promise<void> =>
  pipeline(Readable.from(rows.take()), client.query(copyFrom(`copy ${table} (${names}) from stdin`)));

/**
 * Updates many rows in one statement. All cells travel as text and are cast to their column's type on arrival.
 * @param keys the columns that find a row; the others are set
 * @param alsoSet further assignments, for every row
 */
export async function updateRows(
  tx: Tx | OperatorTx,
  table: keyof DB,
  keys: readonly string[],
  columns: Columns,
  rows: readonly Row[],
  alsoSet: readonly string[] = [],
): Promise<void> {
  if (rows.length === 0) return;
  const entries = Object.entries(columns);
  const incoming = (name: string, type: string): string => `incoming.${quoted(name)}::${type}`;
  const assignments = entries
    .filter(([name]) => !keys.includes(name))
    .map(([name, type]) => `${quoted(name)} = ${incoming(name, type)}`);
  const matches = entries
    .filter(([name]) => keys.includes(name))
    .map(([name, type]) => `target.${quoted(name)} = ${incoming(name, type)}`);
  const parameters = entries.map((_entry, index) => `$${index + 1}::text[]`).join(', ');
  await clientOf(tx).query(
    `update ${quoted(table)} target set ${[...assignments, ...alsoSet].join(', ')}
       from unnest(${parameters}) as incoming(${Object.keys(columns).map(quoted).join(', ')})
      where ${matches.join(' and ')}`,
    entries.map((_entry, index) => rows.map((row) => toText(row[index] ?? null))),
  );
  writesOf(tx).note('update', table);
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** COPY's text format: https://www.postgresql.org/docs/current/sql-copy.html */
function* toCopyChunks(rows: Iterable<Row>): Generator<Buffer, undefined> {
  let chunk = '';
  for (const row of rows) {
    let isFirst = true;
    for (const cell of row) {
      chunk += isFirst ? toCopyField(cell) : `\t${toCopyField(cell)}`;
      isFirst = false;
    }
    chunk += '\n';
    if (chunk.length < CHUNK_LENGTH) continue;
    yield Buffer.from(chunk, 'utf8');
    chunk = '';
  }
  if (chunk !== '') yield Buffer.from(chunk, 'utf8');
  return undefined;
}

const COPY_ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' };

function toCopyField(cell: Cell): string {
  if (cell === null) return '\\N';
  const text = typeof cell === 'string' ? cell : (toText(cell) as string);
  // Few cells have anything to escape, and looking costs less than replacing nothing.
  if (!ESCAPED.test(text)) return text;
  return text.replace(new RegExp(ESCAPED, 'g'), (character) => COPY_ESCAPES[character] as string);
}

const ESCAPED = /[\\\t\n\r]/;

function toText(cell: Cell): string | null {
  if (cell === null || typeof cell === 'string') return cell;
  if (typeof cell === 'number' || typeof cell === 'boolean') return String(cell);
  if (cell instanceof Date) return cell.toISOString();
  return isList(cell) ? toArrayLiteral(cell) : JSON.stringify(cell);
}

const isList = (cell: object): cell is readonly string[] => Array.isArray(cell);

const toArrayLiteral = (items: readonly string[]): string =>
  `{${items.map((item) => `"${item.replace(/["\\]/g, '\\$&')}"`).join(',')}}`;
