import t from 'tap';
import { copyRows, RowSource } from '../../src/db/bulk.js';
import { withOperator } from '../../src/db/database.js';
import { startTestService } from '../helpers/service.js';

const ROWS = 40_000;
const COLUMNS = { ubi_key: 'text', license_key: 'text', until_version: 'bigint', directory_id: 'integer', ubi: 'text' };

t.test('who sends many rows to Postgres leaves others their turns', async (t) => {
  const service = await startTestService(t, { simulator: { licenses: 20 } });
  await service.sql(`insert into directories (state, environment) values ('NM', 'production')`);
  const [row] = await service.sql<{ directory_id: number }>('select directory_id from directories');
  const id = row?.directory_id ?? 0;
  const text = 'x'.repeat(100);
  let [longest, rowsSince, isOver, turns] = [0, 0, false, 0];
  function* makeRows(): Generator<(string | number)[]> {
    for (let index = 0; index < ROWS; index += 1) {
      rowsSince += 1;
      longest = Math.max(longest, rowsSince);
      yield [text, `${index}`, index, id, text];
    }
  }
  const takeTurns = (): void => {
    turns += 1;
    rowsSince = 0;
    if (!isOver) setImmediate(takeTurns);
  };
  takeTurns();
  await withOperator(service.service.db, (tx) =>
    copyRows(tx, 'directory_license_owners', COLUMNS, new RowSource(makeRows())),
  );
  isOver = true;
  const [{ many } = { many: 0 }] = await service.sql<{ many: number }>(
    'select count(*)::int as many from directory_license_owners',
  );
  t.equal(many, ROWS, 'all of them arrive');
  t.ok(longest < 2_000, `${longest} of ${ROWS} rows at most between two of ${turns} turns`);
});
