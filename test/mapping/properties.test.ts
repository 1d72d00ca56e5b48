import process from 'node:process';
import fc from 'fast-check';
import t from 'tap';
import { toLicenseKey, toNameKey, toUbiKey } from '../../src/domain/key.js';
import { pickCount } from '../helpers/counts.js';
import { partOf } from './delta.js';
import { checkDelta, checkLaws, LAWS } from './laws.js';
import {
  createTally,
  type HistorySize,
  historyOf,
  keyOf,
  LARGE,
  MIDDLE,
  play,
  REAL,
  readSeed,
  SMALL,
  type Tally,
  ubiKeyOf,
} from './world.js';

const SEED = readSeed();

interface Leg {
  readonly name: string;
  readonly size: HistorySize;
  readonly lists: number;
}

const LEGS: readonly Leg[] = [
  { name: 'small', size: SMALL, lists: pickCount({ few: 1_000, full: 20_000, long: 100_000 }) },
  { name: 'middle', size: MIDDLE, lists: pickCount({ few: 60, full: 1_000, long: 10_000 }) },
  { name: 'large', size: LARGE, lists: pickCount({ few: 12, full: 30, long: 300 }) },
];

const percent = (part: number, whole: number): string => `${((100 * part) / whole).toFixed(1)} %`;

/** The minimum share of rows with each trait, in percent, so that the lists contain the difficult cases. */
const FLOORS: readonly (readonly [keyof Tally, string, number])[] = [
  ['duplicates', 'duplicates', 20],
  ['blankUbis', 'blank UBIs', 20],
  ['sharedNames', 'a name shared with another UBI', 10],
  ['blankNames', 'blank names', 5],
  ['leadingZeros', 'leading zeros', 10],
  ['respelled', 'license numbers in another spelling', 10],
  ['labs', 'labs', 4],
  ['deleted', 'deleted', 5],
  ['unnumbered', 'a null transaction id', 10],
];

t.comment(`TEST_SEED=${SEED} replays this run`);

for (const { name, size, lists } of LEGS) {
  t.test(`every law holds for ${lists} ${name} lists and their histories`, (t) => {
    const tally = createTally();
    const cases = new Map(LAWS.map((law) => [law.name, 0]));
    const property = fc.property(historyOf(size), (history) => {
      play(REAL, history, tally, (sync, isLast) => checkLaws(sync, isLast, cases));
    });
    const begin = process.cpuUsage();
    const result = fc.check(property, { seed: SEED, numRuns: lists });
    const { user, system } = process.cpuUsage(begin);
    t.comment(`${name}: ${tally.lists} lists, ${tally.syncs} syncs, ${((user + system) / 1e6).toFixed(1)} s of CPU`);
    t.notOk(result.failed, fc.defaultReportMessage(result) ?? 'no law is broken');
    if (result.failed) {
      t.end();
      return;
    }
    t.equal(result.numRuns, lists, 'all lists were checked');
    for (const [field, what, floor] of FLOORS) {
      const share = 100 * (Number(tally[field]) / tally.rows);
      t.comment(`${name}: ${what}: ${percent(Number(tally[field]), tally.rows)} of ${tally.rows} rows`);
      t.ok(share >= floor, `${what}: ${share.toFixed(1)} %, at least ${floor} %`);
    }
    const happened = [...tally.events].map(([what, times]) => `${what} ${times}`).join(', ');
    t.comment(
      `${name}: ${happened}; manual companies ${tally.manualCompanies}, conflicts ${tally.conflicts}, decided ${tally.decisions}`,
    );
    t.equal(tally.events.size, 21, 'every kind of event occurred');
    t.ok(tally.conflicts > 0, `${tally.conflicts} conflicts`);
    t.ok(tally.decisions > 0, `${tally.decisions} decisions in force`);
    for (const law of LAWS) {
      const count = cases.get(law.name) ?? 0;
      t.ok(count > 0, `${law.name} (${law.sentence}): ${count} cases`);
    }
    t.end();
  });
}

t.test('a delta plan with an incomplete part is detected', (t) => {
  /** Each removes something from the part. */
  const incompletes: readonly (readonly [string, (part: ReturnType<typeof partOf>) => ReturnType<typeof partOf>])[] = [
    [
      'namesakes',
      (input) => ({
        ...input,
        part: input.part && { ...input.part, namesakes: { companies: [], licenses: [] } },
      }),
    ],
    ['vendor companies', (input) => ({ ...input, snapshot: { ...input.snapshot, vendorCompanies: [] } })],
    [
      'unchanged licenses',
      (input) => {
        const changed = new Set(input.changed);
        const licenses = input.snapshot.licenses.filter(({ licenseKey }) => changed.has(licenseKey));
        return { ...input, snapshot: { ...input.snapshot, licenses } };
      },
    ],
    [
      'companies without licenses',
      (input) => {
        const held = new Set(input.snapshot.licenses.map(({ companyId }) => companyId));
        const companies = input.snapshot.companies.filter(({ id }) => held.has(id));
        return { ...input, snapshot: { ...input.snapshot, companies } };
      },
    ],
  ];
  for (const [what, omit] of incompletes) {
    let caught: unknown;
    const property = fc.property(historyOf(SMALL), (history) => {
      play(REAL, history, createTally(), (sync, isLast) => {
        if (isLast) checkDelta(sync, (input, old) => omit(partOf(input, old)));
      });
    });
    const result = fc.check(property, { seed: SEED, numRuns: 3_000, endOnFailure: true });
    if (result.failed) caught = result.errorInstance;
    t.ok(caught instanceof Error, `omitting ${what} is detected after ${result.numRuns} lists`);
  }
  t.end();
});

t.test('I14: normalizing any text is idempotent and matches the specification', (t) => {
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({
      unit: fc.constantFrom(
        ' ',
        '\t',
        '\u00a0',
        '\u3000',
        '\n',
        'e',
        'é',
        'e\u0301',
        '\u0301',
        '0',
        'ß',
        'İ',
        'Å',
        'Σ',
      ),
    }),
  );
  const runs = pickCount({ few: 2_000, full: 50_000, long: 500_000 });
  const result = fc.check(
    fc.property(text, (raw) => {
      const key = toLicenseKey(raw);
      if (key !== keyOf(raw)) throw new Error(`not the key of the specification: ${JSON.stringify(key)}`);
      if (toLicenseKey(key) !== key) throw new Error('a license key is not its own key');
      const ubiKey = toUbiKey(raw);
      if (ubiKey !== ubiKeyOf(raw)) throw new Error('not the UBI key of the specification');
      if (ubiKey !== null && toUbiKey(ubiKey) !== ubiKey) throw new Error('a UBI key is not its own key');
      if (toNameKey(toNameKey(raw)) !== toNameKey(raw)) throw new Error('a name key is not its own key');
    }),
    { seed: SEED, numRuns: runs },
  );
  t.notOk(result.failed, fc.defaultReportMessage(result) ?? `${runs} texts`);
  t.equal(result.numRuns, runs, 'all texts were checked');
  t.end();
});
