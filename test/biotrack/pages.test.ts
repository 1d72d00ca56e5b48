import process from 'node:process';
import fc from 'fast-check';
import t from 'tap';
import { BiotrackError } from '../../src/biotrack/errors.js';
import { fetchPages } from '../../src/biotrack/rest/pages.js';
import { pickCount } from '../helpers/counts.js';

const LIST = { member: 'Vendor', action: 'sync_vendor', cursorParameter: 'After', maxBodyBytes: 1_000_000 };

interface Row {
  readonly LocationLicense: string;
  readonly UBI: string;
  readonly TransactionID: number;
}

/** A state's list, in the order of transaction numbers: an edited row moves to the end. */
class PagedState {
  rows: Row[] = [];
  #next = 1;
  requests = 0;

  add(license: string, ubi = '1'): void {
    this.rows.push({ LocationLicense: license, UBI: ubi, TransactionID: this.#next++ });
  }

  edit(index: number, ubi?: string): void {
    const row = this.rows[index % this.rows.length];
    if (row === undefined) return;
    this.rows = this.rows.filter((each) => each !== row);
    this.add(row.LocationLicense, ubi ?? row.UBI);
  }

  vanish(index: number): void {
    if (this.rows.length <= 1) return;
    this.rows.splice(index % this.rows.length, 1);
    this.#next += 1;
  }

  /** Offset paging, the kind that misses rows when the list moves. */
  page(offset: number, size: number, hasMarker: boolean): Record<string, unknown> {
    this.requests += 1;
    const isLast = offset + size >= this.rows.length;
    return {
      Vendor: this.rows.slice(offset, offset + size),
      NextCursor: isLast ? null : String(offset + size),
      ...(hasMarker ? { NextTransactionID: this.#next } : {}),
    };
  }
}

const change = fc.oneof(
  fc.record({ kind: fc.constant('edit' as const), index: fc.nat(50) }),
  fc.record({ kind: fc.constant('vanish' as const), index: fc.nat(50) }),
  fc.record({ kind: fc.constant('add' as const), index: fc.nat(50) }),
  fc.record({ kind: fc.constant('swap' as const), index: fc.nat(50) }),
);

t.test('a list that moves while it is paged is never returned in part', async (t) => {
  const seed = Number(process.env.TEST_SEED ?? Date.now() % 2_147_483_647);
  let moved = 0;
  let returned = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 15 }),
      fc.array(fc.tuple(fc.nat(12), change), { maxLength: 12 }),
      fc.boolean(),
      async (count, size, changes, hasMarker) => {
        const state = new PagedState();
        for (let index = 0; index < count; index += 1) state.add(`L${index}`);
        const states: string[] = [JSON.stringify(state.rows)];
        const work = fetchPages(async (query) => {
          for (const [at, { kind, index }] of changes) {
            if (at !== state.requests || state.requests === 0) continue;
            if (kind === 'edit') state.edit(index);
            else if (kind === 'vanish') state.vanish(index);
            else if (kind === 'add') state.add(`N${state.requests}-${index}`);
            else {
              state.edit(index, '2');
              state.edit(index + 1, '3');
            }
            states.push(JSON.stringify(state.rows));
          }
          return state.page(Number(query.get('After') ?? 0), size, hasMarker);
        }, LIST);
        try {
          const rows = await work;
          returned += 1;
          if (!states.includes(JSON.stringify(rows))) throw new Error(`a half list: ${JSON.stringify(rows)}`);
        } catch (error) {
          if (!(error instanceof BiotrackError)) throw error;
          moved += 1;
        }
      },
    ),
    { seed, numRuns: pickCount({ few: 400, full: 2_000, long: 50_000 }) },
  );
  t.comment(`seed ${seed}: ${returned} lists returned whole, ${moved} refused`);
  t.ok(returned > 0);
});

const answerOf = async (pages: readonly Record<string, unknown>[]): Promise<string | number> => {
  let at = 0;
  try {
    const rows = await fetchPages(
      async () => pages[at++] ?? { Vendor: [], NextCursor: null, NextTransactionID: 9 },
      LIST,
    );
    return rows.length;
  } catch (error) {
    if (!(error instanceof BiotrackError)) throw error;
    return `${error.answer} after ${at}`;
  }
};
const rowOf = (id: number): Row => ({ LocationLicense: `L${id}`, UBI: '1', TransactionID: id });

t.test('only null, "", 0, "0" or no cursor ends a list', async (t) => {
  for (const end of [null, '', 0, '0', undefined])
    t.equal(await answerOf([{ Vendor: [rowOf(1)], NextCursor: end }]), 1, String(end));
  t.equal(await answerOf([{ Vendor: rowOf(1) }]), 1, 'the only row can be an object');
  for (const odd of [{ id: 5 }, ['x'], true, '   ', -1, 1.5, 2 ** 53])
    t.equal(
      await answerOf([{ Vendor: [rowOf(1)], NextCursor: odd }]),
      'invalid_pagination after 1',
      JSON.stringify(odd),
    );
  for (const spelling of ['nextCursor', 'next_cursor', 'NEXTCURSOR'])
    t.equal(
      await answerOf([
        { Vendor: [rowOf(1)], [spelling]: 'b', NextTransactionID: 9 },
        { Vendor: [rowOf(2)], [spelling]: null, NextTransactionID: 9 },
      ]),
      2,
      spelling,
    );
  t.equal(await answerOf([{ Vendor: [rowOf(1)], NextCursor: 'a', nextCursor: null }]), 'invalid_pagination after 1');
});

t.test('a cursor that leads nowhere is noticed at its first repetition', async (t) => {
  const page = { Vendor: [rowOf(1)], NextTransactionID: 9 };
  t.equal(
    await answerOf([
      { ...page, NextCursor: 'a' },
      { ...page, NextCursor: 'a' },
    ]),
    'invalid_pagination after 2',
  );
  t.equal(
    await answerOf([
      { ...page, NextCursor: 'a' },
      { ...page, NextCursor: 'b' },
    ]),
    'invalid_pagination after 2',
    'an ignored cursor parameter: the first page again, with another cursor',
  );
  t.equal(
    await answerOf([
      { Vendor: [rowOf(1)], NextCursor: 'a' },
      { Vendor: [], NextCursor: 'b' },
      { Vendor: [], NextCursor: 'c' },
    ]),
    'invalid_pagination after 3',
    'empty pages without end',
  );
});

t.test('a list that changes during every read is refused', async (t) => {
  let id = 0;
  const pages = Array.from({ length: 6 }, (_, index) => ({
    Vendor: [rowOf(++id)],
    NextCursor: index % 2 === 0 ? 'a' : null,
    NextTransactionID: id,
  }));
  t.equal(await answerOf(pages), 'list_moved after 6');
});

t.test('a blank or zero NextTransactionID does not show that the list stayed the same', async (t) => {
  for (const marker of ['', ' ', 0, '0', null]) {
    const page = (rows: object[], cursor: string | null) => ({
      Vendor: rows,
      NextCursor: cursor,
      NextTransactionID: marker,
    });
    // In the first read, the second row moves behind the pages that were already read.
    const reads = [
      [page([rowOf(1)], 'b'), page([rowOf(3)], null)],
      [page([rowOf(1)], 'b'), page([rowOf(3), rowOf(2)], null)],
      [page([rowOf(1)], 'b'), page([rowOf(3), rowOf(2)], null)],
    ].flat();
    const rows = await fetchPages(async () => reads.shift() as Record<string, unknown>, LIST);
    t.equal(rows.length, 3, JSON.stringify(marker));
  }
});
