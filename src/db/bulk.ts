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
const CHUNK_LENGTH = 64 * 1024;
/** Little enough to lie in memory. */
const CHUNKS_AHEAD = 192;

/** So few rows are sent as arrays: making and dropping a stage takes longer than they do. */
const FEW = 500;

/**
 * Of an update, in one statement. Few enough to be made and serialised in some tens of milliseconds, and many enough: in
 * tables that were never analysed each statement goes through all rows of the tenant once, by a hash join. (Kept from that,
 * it takes a nested loop over both sides.)
 */
const CELLS_PER_UPDATE = 200_000;

/** Whatever waits is served first. */
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Rows to be written. Their text for COPY is made as it is sent, or ahead, while Postgres is busy with other rows. */
export class RowSource {
  readonly #rows: Iterator<Row>;
  readonly #first: Row[] = [];
  readonly #chunks: Iterator<Buffer>;
  readonly #ahead: Buffer[] = [];

  constructor(rows: Iterable<Row>) {
    this.#rows = rows[Symbol.iterator]();
    this.#chunks = toCopyChunks(this.#all());
  }

  /** All of them, where they are few. */
  findFew(): readonly Row[] | undefined {
    while (this.#first.length <= FEW) {
      const { value, done } = this.#rows.next();
      if (done === true) return this.#first;
      this.#first.push(value);
    }
    return undefined;
  }

  /** A chunk at a time, with turns for others in between, as long as it is worth it. */
  async makeAhead(isBusy: () => boolean): Promise<void> {
    if (this.findFew() !== undefined) return;
    for (let count = 1; count <= CHUNKS_AHEAD && isBusy(); count += 1) {
      this.#make(count);
      await nextTurn();
    }
  }

  /** With turns for others in between: a connection that takes all at once would never leave any. */
  async *takeChunks(): AsyncGenerator<Buffer> {
    for (;;) {
      this.#make(1);
      const chunk = this.#ahead.shift();
      if (chunk === undefined) return;
      yield chunk;
      await nextTurn();
    }
  }

  #make(count: number): void {
    while (this.#ahead.length < count) {
      const { value, done } = this.#chunks.next();
      if (done === true) return;
      this.#ahead.push(value);
    }
  }

  *#all(): Generator<Row> {
    yield* this.#first;
    for (let next = this.#rows.next(); next.done !== true; next = this.#rows.next()) yield next.value;
  }
}

/**
 * Inserts rows. Many go by COPY: through a stage, because COPY refuses a table with row security. The stage is read back
 * without a join, so that the plan is the same on tables that were never analysed.
 * @param table a table's name, never input
 * @param next what is written next: its text is made while Postgres takes these rows
 */
export async function insertRows(
  tx: Tx | OperatorTx,
  table: keyof DB,
  columns: Columns,
  rows: RowSource,
  next: readonly RowSource[] = [],
): Promise<void> {
  const few = rows.findFew();
  if (few?.length === 0) return;
  const client = clientOf(tx);
  const insert = `insert into ${quoted(table)} (${toNames(columns)})`;
  if (few !== undefined) {
    const cells = Object.entries(columns).map(([name, type]) => `${quoted(name)}::${type}`);
    await client.query(`${insert} select ${cells.join(', ')} from ${toIncoming(columns)}`, toArrays(columns, few));
  } else {
    const stage = quoted(`stage_of_${table}`);
    const definitions = Object.entries(columns).map(([name, type]) => `${quoted(name)} ${type}`);
    await client.query(`create temp table ${stage} (${definitions.join(', ')}) on commit drop`);
    await copyInto(client, stage, columns, rows);
    await makingAhead(next, client.query(`${insert} select ${toNames(columns)} from ${stage}; drop table ${stage}`));
  }
  writesOf(tx).note('insert', table);
}

/** Waits for Postgres, and makes the text of what is written next meanwhile. */
async function makingAhead(next: readonly RowSource[], query: Promise<unknown>): Promise<void> {
  let isBusy = true;
  const made = async (): Promise<void> => {
    for (const source of next) await source.makeAhead(() => isBusy);
  };
  const asked = query.finally(() => {
    isBusy = false;
  });
  await Promise.all([asked, made()]);
}

/** Inserts rows by COPY into a table of no tenant's, which has no row security. */
export async function copyRows(tx: OperatorTx, table: keyof DB, columns: Columns, rows: RowSource): Promise<void> {
  if (rows.findFew()?.length === 0) return;
  await copyInto(clientOf(tx), quoted(table), columns, rows);
  writesOf(tx).note('insert', table);
}

const copyInto = (client: pg.PoolClient, table: string, columns: Columns, rows: RowSource): Promise<void> =>
  pipeline(Readable.from(rows.takeChunks()), client.query(copyFrom(`copy ${table} (${toNames(columns)}) from stdin`)));

/**
 * Updates many rows, some thousands in one statement: the next ones are made while Postgres takes these.
 * @param keys the columns that find a row; the others are set
 * @param alsoSet further assignments, for every row
 * @param next as with `insertRows`
 */
export async function updateRows(
  tx: Tx | OperatorTx,
  table: keyof DB,
  keys: readonly string[],
  columns: Columns,
  rows: Iterable<Row>,
  alsoSet: readonly string[] = [],
  next: readonly RowSource[] = [],
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
    const following = nextTurn().then(() => batches.next().value);
    [batch] = await Promise.all([following, makingAhead(next, updated)]);
  }
  writesOf(tx).note('update', table);
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

/** All cells travel as text, one array for each column, and are cast to their column's type on arrival. */
function toIncoming(columns: Columns): string {
  const parameters = Object.keys(columns).map((_name, index) => `$${index + 1}::text[]`);
  return `unnest(${parameters.join(', ')}) as incoming(${toNames(columns)})`;
}

const toArrays = (columns: Columns, rows: readonly Row[]): (string | null)[][] =>
  Object.keys(columns).map((_name, index) => rows.map((row) => toText(row[index] ?? null)));

const toNames = (columns: Columns): string => Object.keys(columns).map(quoted).join(', ');

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
