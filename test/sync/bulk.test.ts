import process from 'node:process';
import t from 'tap';
import { copyRows, RowSource, updateRows } from '../../src/db/bulk.js';
import { closeDatabase, openDatabase, withOperator } from '../../src/db/database.js';
import { startTestService } from '../helpers/service.js';

const ROWS = 90_000;
const COLUMNS = { ubi_key: 'text', license_key: 'text', until_version: 'bigint', directory_id: 'integer', ubi: 'text' };

t.test('bulk writes yield to the event loop and write all rows', async (t) => {
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
  const tick = (): void => {
    rowsSince = 0;
    if (!isOver) setImmediate(tick);
  };
  tick();
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
  t.ok(longest < 2_000, `at most ${longest} of ${ROWS} new rows between two ticks`);

  longest = 0;
  // The service never updates this table; the test uses it because it has few columns.
  await sql('grant update on directory_license_owners to biotrack_operator');
  await withOperator(service.service.db, (tx) =>
    updateRows(tx, table, { keys, columns: COLUMNS, rows: makeRows(second) }),
  );

  t.equal(await count(second), ROWS);
  t.ok(longest <= 40_001, `at most ${longest} of ${ROWS} changed rows between two ticks`);
});

/** Rows are sent in several batches; this row is in the last one. */
const LATE = ROWS - 10;

t.test('a failed bulk write leaves no rows and a usable connection', async (t) => {
  const service = await startTestService(t, { simulator: { licenses: 20 } });
  const { sql } = service;
  await sql(`insert into directories (state, environment) values ('NM', 'production')`);
  await sql('grant update on directory_license_owners to biotrack_operator');
  const [row] = await sql<{ directory_id: number }>('select directory_id from directories');
  const id = row?.directory_id ?? 0;
  const db = openDatabase({ url: service.databaseUrl, poolSize: 1, applicationName: 'bulk' });
  t.teardown(() => closeDatabase(db));
  const unhandled: unknown[] = [];
  const note = (error: unknown): void => void unhandled.push(error);
  process.on('unhandledRejection', note);
  t.teardown(() => process.off('unhandledRejection', note));
  const table = 'directory_license_owners';
  const keys = ['directory_id', 'license_key', 'until_version'];
  function* makeRows(text: string, defect?: 'throws' | 'not a number'): Generator<(string | number)[]> {
    for (let index = 0; index < ROWS; index += 1) {
      if (index === LATE && defect === 'throws') throw new Error('no such row');
      yield [text, `${index}`, index === LATE && defect === 'not a number' ? 'none' : index, id, text];
    }
  }
  const copy = (rows: Iterable<(string | number)[]>): Promise<void> =>
    withOperator(db, (tx) => copyRows(tx, table, COLUMNS, new RowSource(rows)));
  const update = (rows: Iterable<(string | number)[]>): Promise<void> =>
    withOperator(db, (tx) => updateRows(tx, table, { keys, columns: COLUMNS, rows }));
  const count = async (text: string): Promise<unknown> =>
    (await sql('select count(*)::int as many from directory_license_owners where ubi = $1', [text]))[0];

  await t.rejects(copy(makeRows('first', 'throws')), /no such row/);
  await t.rejects(copy(makeRows('first', 'not a number')), /invalid input syntax/);
  t.same(await count('first'), { many: 0 });
  await copy(makeRows('first'));
  t.same(await count('first'), { many: ROWS });
  await t.rejects(update(makeRows('second', 'throws')), /no such row/);
  await t.rejects(update(makeRows('second', 'not a number')), /invalid input syntax/);
  t.same(await count('second'), { many: 0 });
  await update(makeRows('second'));
  t.same(await count('second'), { many: ROWS });
  t.same(unhandled, [], 'no unhandled rejections');
});
