import fc from 'fast-check';
import t from 'tap';
import { parseDocument } from '../../src/biotrack/document.js';
import { pickCount } from '../helpers/counts.js';
import { readSeed } from '../helpers/seed.js';

/** A body has the same result whether it is parsed in pieces or at once, valid or not. */

const reading = { member: 'vendor', map: (row: unknown) => ({ row }) };
const RUNS = pickCount({ few: 600, full: 3_000, long: 3_000 });
const AT_ONCE = { largeBytes: Number.POSITIVE_INFINITY, pieceBytes: 1 };

const json = fc.jsonValue({ maxDepth: 3 });
const document = fc
  .record({
    before: fc.dictionary(fc.string(), json, { maxKeys: 3 }),
    vendor: fc.oneof({ weight: 8, arbitrary: fc.array(json, { maxLength: 12 }) }, json),
    after: fc.dictionary(fc.constantFrom('vendor', 'success', '__proto__', 'x"', 'y\\'), json, { maxKeys: 2 }),
    space: fc.constantFrom('', ' ', '\n', '\t '),
  })
  .map(({ before, vendor, after, space }) => {
    const members = [...Object.entries(before), ['vendor', vendor] as const, ...Object.entries(after)];
    const texts = members.map(([name, value]) => `${JSON.stringify(name)}${space}:${space}${JSON.stringify(value)}`);
    return `${space}{${texts.join(`${space},${space}`)}}${space}`;
  });

/** Random changes of a text. */
const damage = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  remove: fc.integer({ min: 0, max: 3 }),
  insert: fc.constantFrom('', '', ',', '[', ']', '{', '}', '"', '\\', ':', '1', 'null', '[]', ',,', '"vendor":['),
});

t.test('parsing in pieces has the same result as parsing at once', async (t) => {
  const seed = readSeed();
  t.comment(`TEST_SEED=${seed}`);
  let whole = 0;
  let broken = 0;
  await fc.assert(
    fc.asyncProperty(
      document,
      fc.array(damage, { maxLength: 2 }),
      fc.integer({ min: 1, max: 40 }),
      async (text, damages, pieceBytes) => {
        let given = text;
        for (const { at, remove, insert } of damages) {
          const place = Math.floor(at * given.length);
          given = given.slice(0, place) + insert + given.slice(place + remove);
        }
        const body = Buffer.from(given, 'utf8');
        const pieces = await parseDocument(body, 'utf-8', reading, { largeBytes: 0, pieceBytes });
        const once = await parseDocument(body, 'utf-8', reading, AT_ONCE);
        if (once.kind === 'object') whole += 1;
        else broken += 1;
        if (JSON.stringify(pieces) !== JSON.stringify(once)) throw new Error(`${given}\n${JSON.stringify(pieces)}`);
      },
    ),
    { seed, numRuns: RUNS },
  );
  t.ok(whole > RUNS / 6 && broken > RUNS / 6, `${whole} valid and ${broken} invalid documents`);
});

t.test('parsing in pieces accepts no invalid JSON', async (t) => {
  const read = async (text: string) => {
    const result = await parseDocument(Buffer.from(text), 'utf-8', reading, { largeBytes: 0, pieceBytes: 1 });
    return result.kind === 'object' ? JSON.stringify(result.object) : result.kind;
  };
  t.equal(await read('{"vendor":[1,2,3],"success":1}'), '{"vendor":[{"row":1},{"row":2},{"row":3}],"success":1}');
  t.equal(await read('{"vendor":[]}'), '{"vendor":[]}');
  for (const list of ['[1,]', '[,1]', '[1,,2]', '[1 2]', '[1,2', '[1,2}', '[{"a":1],2]', '[,]', '[1,2]]', '["a,]']) {
    t.equal(await read(`{"vendor":${list}}`), 'invalid_json', list);
  }
  t.equal(
    await read('{"vendor":[1],"vendor":[2,3]}'),
    '{"vendor":[{"row":2},{"row":3}]}',
    'the last of repeated members counts',
  );
  t.equal(
    await read('{"x":{"vendor":[1,2]},"vendor":[3]}'),
    '{"x":{"vendor":[1,2]},"vendor":[{"row":3}]}',
    'only the member of the document itself',
  );
  t.equal(
    await read('{"vendor":[{"transactionid":12345678901234567890}]}'),
    '{"vendor":[{"row":{"transactionid":"12345678901234567890"}}]}',
  );
  t.equal(
    await read('{"vendor":["\\",[\\\\",{"a":"]"}]}'),
    '{"vendor":[{"row":"\\",[\\\\"},{"row":{"a":"]"}}]}',
    'brackets in strings',
  );
});
