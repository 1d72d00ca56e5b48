import process from 'node:process';
import t from 'tap';
import { copyRows, RowSource, updateRows } from '../../src/db/bulk.js';
import { closeDatabase, openDatabase, withOperator } from '../../src/db/database.js';
import { startTestService } from '../helpers/service.js';

const ROWS = 90_000;
const COLUMNS = { ubi_key: 'text', license_key: 'text', until_version: 'bigint', directory_id: 'integer', ubi: 'text' };

t.test('who sends many rows to Postgres leaves others their turns, and all of them arrive', async (t) => {
  const service = await startTestService(t, { simulator: { licenses: 20 } });
  const { sql } = service;
  await sql(`insert into directories (state, environment) values ('NM', 'production')`);
  const [row] = await sql<{ directory_id: number }>('select directory_id from directories');
  const id = row?.directory_id ?? 0;
  let [longest, rowsSince, isOver] = [0, 0, false];
  function* makeRows(text: string): Generator<(string | number)[]> {
    for (let index = 0; index < ROWS; index += 1) {
      rowsSince += 1;
      longest = Math.max(longest, rowsSince);
      yield [text, `${index}`, index, id, text];
    }
  }
  const takeTurns = (): void => {
    rowsSince = 0;
    if (!isOver) setImmediate(takeTurns);
  };
  takeTurns();
  t.teardown(() => {
    isOver = true;
  });
  const table = 'directory_license_owners';
  const keys = ['directory_id', 'license_key', 'until_version'];
  const count = async (text: string): Promise<number> =>
    (
      await sql<{ many: number }>('select count(*)::int as many from directory_license_owners where ubi = $1', [text])
    )[0]?.many ?? 0;
  const [first, second] = ['x'.repeat(100), 'y'.repeat(100)];

  await withOperator(service.service.db, (tx) => copyRows(tx, table, COLUMNS, new RowSource(makeRows(first))));
  t.equal(await count(first), ROWS);
  t.ok(longest < 2_000, `of ${ROWS} new rows ${longest} at most between two turns`);

  longest = 0;
  // Which is written once and never changed: but it is here, and has few columns.
  await sql('grant update on directory_license_owners to biotrack_operator');
  await withOperator(service.service.db, (tx) =>
    updateRows(tx, table, { keys, columns: COLUMNS, rows: makeRows(second) }),
  );

  t.equal(await count(second), ROWS);
  t.ok(longest <= 40_001, `of ${ROWS} changed rows ${longest} at most between two turns`);
});

/** They are sent in several pieces; this one is in the last. */
const LATE = ROWS - 10;

t.test('what fails half-way leaves nothing, and a connection that can be used', async (t) => {
  const service = await startTestService(t, { simulator: { licenses: 20 } });
  const { sql } = service;
  await sql(`insert into directories (state, environment) values ('NM', 'production')`);
  await sql('grant update on directory_license_owners to biotrack_operator');
  const [row] = await sql<{ directory_id: number }>('select directory_id from directories');
  const id = row?.directory_id ?? 0;
  const db = openDatabase({ url: service.databaseUrl, poolSize: 1, applicationName: 'bulk' });
  t.teardown(() => closeDatabase(db));
  const stray: unknown[] = [];
  const note = (error: unknown): void => void stray.push(error);
  process.on('unhandledRejection', note);
  t.teardown(() => process.off('unhandledRejection', note));
  const table = 'directory_license_owners';
  const keys = ['directory_id', 'license_key', 'until_version'];
  function* makeRows(text: string, spoil?: 'throws' | 'is no number'): Generator<(string | number)[]> {
    for (let index = 0; index < ROWS; index += 1) {
      if (index === LATE && spoil === 'throws') throw new Error('no such row');
      yield [text, `${index}`, index === LATE && spoil === 'is no number' ? 'none' : index, id, text];
    }
  }
  const copy = (rows: Iterable<(string | number)[]>): Promise<void> =>
    withOperator(db, (tx) => copyRows(tx, table, COLUMNS, new RowSource(rows)));
  const update = (rows: Iterable<(string | number)[]>): Promise<void> =>
    withOperator(db, (tx) => updateRows(tx, table, { keys, columns: COLUMNS, rows }));
  const count = async (text: string): Promise<unknown> =>
    (await sql('select count(*)::int as many from directory_license_owners where ubi = $1', [text]))[0];

  await t.rejects(copy(makeRows('first', 'throws')), /no such row/);
  await t.rejects(copy(makeRows('first', 'is no number')), /invalid input syntax/);
  t.same(await count('first'), { many: 0 });
  await copy(makeRows('first'));
  t.same(await count('first'), { many: ROWS });
  await t.rejects(update(makeRows('second', 'throws')), /no such row/);
  await t.rejects(update(makeRows('second', 'is no number')), /invalid input syntax/);
  t.same(await count('second'), { many: 0 });
  await update(makeRows('second'));
  t.same(await count('second'), { many: ROWS });
  t.same(stray, [], 'nothing fails unheard');
});
