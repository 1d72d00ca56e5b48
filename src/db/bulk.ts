import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { clientOf, type OperatorTx, type Tx, writesOf } from './database.js';
import type { DB } from './tables.js';

/** A value of a column. Arrays become text[], other objects JSON. */
export type Cell = string | number | boolean | null | Date | readonly string[] | { readonly [key: string]: unknown };

/** Column names and their Postgres types, in the order of the cells of a row. */
export type Columns = Readonly<Record<string, string>>;

type Row = readonly Cell[];

/** Large enough for few writes, small enough for Postgres to process one chunk while the next is rendered. */
const CHUNK_LENGTH = 64 * 1024;
/** Limits the memory for prepared chunks to about 12 MiB per source. */
const MAX_PREPARED_CHUNKS = 192;

/** Up to this many rows are sent as arrays, which is faster than creating and dropping a staging table. */
const MAX_SMALL_BATCH = 500;

/**
 * Cells per UPDATE statement. Few enough to serialize within tens of milliseconds. Many, because on tables without statistics
 * each statement scans all rows of the tenant once, in a hash join. (With hash joins disabled, Postgres chooses a nested loop
 * over both sides.)
 */
const CELLS_PER_UPDATE = 200_000;

/** Yields to the event loop. */
const yieldToEventLoop = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Rows to write. Their COPY text is rendered while it is sent, or ahead, while Postgres is busy with other rows. */
export class RowSource {
  readonly #rows: Iterator<Row>;
  readonly #head: Row[] = [];
  readonly #chunks: Iterator<Buffer>;
  readonly #prepared: Buffer[] = [];

  constructor(rows: Iterable<Row>) {
    this.#rows = rows[Symbol.iterator]();
    this.#chunks = toCopyChunks(this.#all());
  }

  /** All rows if there are few; undefined otherwise. */
  findSmallBatch(): readonly Row[] | undefined {
    while (this.#head.length <= MAX_SMALL_BATCH) {
      const { value, done } = this.#rows.next();
      if (done === true) return this.#head;
      this.#head.push(value);
    }
    return undefined;
  }

  /** Renders chunks ahead while `isBusy`, yielding to the event loop after each one. */
  async prepareChunks(isBusy: () => boolean): Promise<void> {
    if (this.findSmallBatch() !== undefined) return;
    for (let count = 1; count <= MAX_PREPARED_CHUNKS && isBusy(); count += 1) {
      this.#prepare(count);
      await yieldToEventLoop();
    }
  }

  /** Yields to the event loop after each chunk; a fast connection would otherwise block it. */
  async *streamChunks(): AsyncGenerator<Buffer> {
    for (;;) {
      this.#prepare(1);
      const chunk = this.#prepared.shift();
      if (chunk === undefined) return;
      yield chunk;
      await yieldToEventLoop();
    }
  }

  #prepare(count: number): void {
    while (this.#prepared.length < count) {
      const { value, done } = this.#chunks.next();
      if (done === true) return;
      this.#prepared.push(value);
    }
  }

  *#all(): Generator<Row> {
    yield* this.#head;
    for (let next = this.#rows.next(); next.done !== true; next = this.#rows.next()) yield next.value;
  }
}

/**
 * Inserts rows. Many rows go by COPY into a staging table first, because COPY does not support row security. The staging table
 * is read without a join, so that missing statistics do not matter.
 * @param next sources that are written next; their chunks are prepared while Postgres inserts these rows
 */
export async function insertRows(
  tx: Tx | OperatorTx,
  table: keyof DB,
  columns: Columns,
  rows: RowSource,
  next: readonly RowSource[] = [],
): Promise<void> {
  const few = rows.findSmallBatch();
  if (few?.length === 0) return;
  const client = clientOf(tx);
  const insert = `insert into ${quoted(table)} (${toNames(columns)})`;
  if (few !== undefined) {
    const cells = Object.entries(columns).map(([name, type]) => `${quoted(name)}::${type}`);
    await client.query(`${insert} select ${cells.join(', ')} from ${toIncoming(columns)}`, toArrays(columns, few));
  } else {
    const staging = quoted(`staging_${table}`);
    const definitions = Object.entries(columns).map(([name, type]) => `${quoted(name)} ${type}`);
    await client.query(`create temp table ${staging} (${definitions.join(', ')}) on commit drop`);
    await copyInto(client, staging, columns, rows);
    await prepareWhile(
      next,
      client.query(`${insert} select ${toNames(columns)} from ${staging}; drop table ${staging}`),
    );
  }
  writesOf(tx).record('insert', table);
}

/** Waits for a query and prepares chunks of the next sources meanwhile. */
async function prepareWhile(next: readonly RowSource[], query: Promise<unknown>): Promise<void> {
  let isBusy = true;
  const prepare = async (): Promise<void> => {
    for (const source of next) await source.prepareChunks(() => isBusy);
  };
  const finished = query.finally(() => {
    isBusy = false;
  });
  await Promise.all([finished, prepare()]);
}

/** Inserts rows by COPY into a table without row security. */
export async function copyRows(tx: OperatorTx, table: keyof DB, columns: Columns, rows: RowSource): Promise<void> {
  if (rows.findSmallBatch()?.length === 0) return;
  await copyInto(clientOf(tx), quoted(table), columns, rows);
  writesOf(tx).record('insert', table);
}

const copyInto = (client: pg.PoolClient, table: string, columns: Columns, rows: RowSource): Promise<void> =>
  pipeline(
    Readable.from(rows.streamChunks()),
    client.query(copyFrom(`copy ${table} (${toNames(columns)}) from stdin`)),
  );

export interface RowUpdate {
  /** The columns that identify a row; the others are set. */
  readonly keys: readonly string[];
  readonly columns: Columns;
  readonly rows: Iterable<Row>;
  /** Further SQL assignments for every row. */
  readonly alsoSet?: readonly string[];
  /** As in `insertRows`. */
  readonly next?: readonly RowSource[];
}

/** Updates many rows, several thousand per statement. The next batch is built while Postgres processes the current one. */
export async function updateRows(
  tx: Tx | OperatorTx,
  table: keyof DB,
  { keys, columns, rows, alsoSet = [], next = [] }: RowUpdate,
): Promise<void> {
  const batches = toBatches(rows, Math.floor(CELLS_PER_UPDATE / Object.keys(columns).length));
  let batch = batches.next().value;
  if (batch === undefined) return;
  const entries = Object.entries(columns);
  const incoming = (name: string, type: string): string => `incoming.${quoted(name)}::${type}`;
  const assignments = entries
    .filter(([name]) => !keys.includes(name))
    .map(([name, type]) => `${quoted(name)} = ${incoming(name, type)}`);
  const matches = entries
    .filter(([name]) => keys.includes(name))
    .map(([name, type]) => `target.${quoted(name)} = ${incoming(name, type)}`);
  const text = `update ${quoted(table)} target set ${[...assignments, ...alsoSet].join(', ')}
       from ${toIncoming(columns)}
      where ${matches.join(' and ')}`;
  while (batch !== undefined) {
    const updated: Promise<unknown> = clientOf(tx).query(text, toArrays(columns, batch));
    const nextBatch = yieldToEventLoop().then(() => batches.next().value);
    [batch] = await Promise.all([nextBatch, prepareWhile(next, updated)]);
  }
  writesOf(tx).record('update', table);
}

function* toBatches(rows: Iterable<Row>, size: number): Generator<readonly Row[], undefined> {
  let batch: Row[] = [];
  for (const row of rows) {
    batch.push(row);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
  return undefined;
}

/** All cells are sent as text, one array per column, and cast to the column types by Postgres. */
function toIncoming(columns: Columns): string {
  const parameters = Object.keys(columns).map((_name, index) => `$${index + 1}::text[]`);
  return `unnest(${parameters.join(', ')}) as incoming(${toNames(columns)})`;
}

const toArrays = (columns: Columns, rows: readonly Row[]): (string | null)[][] =>
  Object.keys(columns).map((_name, index) => rows.map((row) => toText(row[index] ?? null)));

const toNames = (columns: Columns): string => Object.keys(columns).map(quoted).join(', ');

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** Renders rows in the text format of COPY: https://www.postgresql.org/docs/current/sql-copy.html */
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
  // Testing first is faster, because few cells need escaping.
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
