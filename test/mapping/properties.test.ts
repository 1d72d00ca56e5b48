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
  { name: 'small', size: SMALL, lists: pickCount({ few: 2_000, full: 20_000, long: 100_000 }) },
  { name: 'middle', size: MIDDLE, lists: pickCount({ few: 100, full: 1_000, long: 10_000 }) },
  { name: 'large', size: LARGE, lists: pickCount({ few: 12, full: 30, long: 300 }) },
];

const percent = (part: number, whole: number): string => `${((100 * part) / whole).toFixed(1)} %`;

/** The least share of rows that must be so; the first three are the project's, the others keep the traps in. */
const FLOORS: readonly (readonly [keyof Tally, string, number])[] = [
  ['duplicates', 'duplicates', 20],
  ['blankUbis', 'blank UBIs', 20],
  ['sharedNames', 'a name shared with another UBI', 10],
  ['blankNames', 'blank names', 5],
  ['leadingZeros', 'leading zeros', 10],
  ['respelt', 'license numbers in another spelling', 10],
  ['labs', 'labs', 4],
  ['deleted', 'deleted', 5],
  ['unnumbered', 'a null transaction id', 10],
];

t.comment(`FC_SEED=${SEED} replays this run`);

for (const { name, size, lists } of LEGS) {
  t.test(`every law on ${lists} ${name} lists and their histories`, (t) => {
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
    t.equal(result.numRuns, lists, 'all lists were played');
    for (const [field, what, floor] of FLOORS) {
      const share = 100 * (Number(tally[field]) / tally.rows);
      t.comment(`${name}: ${what}: ${percent(Number(tally[field]), tally.rows)} of ${tally.rows} rows`);
      t.ok(share >= floor, `${what}: ${share.toFixed(1)} %, at least ${floor} %`);
    }
    const happened = [...tally.happenings].map(([what, times]) => `${what} ${times}`).join(', ');
    t.comment(
      `${name}: ${happened}; manual companies ${tally.manualCompanies}, conflicts ${tally.conflicts}, decided ${tally.decisions}`,
    );
    t.equal(tally.happenings.size, 21, 'everything that can happen did');
    t.ok(tally.conflicts > 0, `${tally.conflicts} conflicts`);
    t.ok(tally.decisions > 0, `${tally.decisions} decisions in force`);
    for (const law of LAWS) {
      const count = cases.get(law.name) ?? 0;
      t.ok(count > 0, `${law.name} (${law.sentence}): ${count} cases`);
    }
    t.end();
  });
}

t.test('a part that leaves something out is caught', (t) => {
  /** What each wrong collector forgets of the part. */
  const forgetful: readonly (readonly [string, (part: ReturnType<typeof partOf>) => ReturnType<typeof partOf>])[] = [
    [
      'namesakes',
      (input) => ({
        ...input,
        part: input.part && { ...input.part, namesakes: { companies: [], licenses: [] } },
      }),
    ],
    ['vendor companies', (input) => ({ ...input, snapshot: { ...input.snapshot, vendorCompanies: [] } })],
    [
      'licenses that are listed as before',
      (input) => {
        const changed = new Set(input.changed);
        const licenses = input.snapshot.licenses.filter(({ licenseKey }) => changed.has(licenseKey));
        return { ...input, snapshot: { ...input.snapshot, licenses } };
      },
    ],
    [
      'companies that hold nothing',
      (input) => {
        const held = new Set(input.snapshot.licenses.map(({ companyId }) => companyId));
        const companies = input.snapshot.companies.filter(({ id }) => held.has(id));
        return { ...input, snapshot: { ...input.snapshot, companies } };
      },
    ],
  ];
  for (const [what, forget] of forgetful) {
    let caught: unknown;
    const property = fc.property(historyOf(SMALL), (history) => {
      play(REAL, history, createTally(), (sync, isLast) => {
        if (isLast) checkDelta(sync, (input, old) => forget(partOf(input, old)));
      });
    });
    const result = fc.check(property, { seed: SEED, numRuns: 3_000, endOnFailure: true });
    if (result.failed) caught = result.errorInstance;
    t.ok(caught instanceof Error, `forgetting ${what} is caught after ${result.numRuns} lists`);
  }
  t.end();
});

t.test('I14: normalising any text is idempotent and agrees with the specification', (t) => {
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
  const runs = pickCount({ few: 5_000, full: 50_000, long: 500_000 });
  const result = fc.check(
    fc.property(text, (raw) => {
      const key = toLicenseKey(raw);
      if (key !== keyOf(raw)) throw new Error(`a key that the specification does not give: ${JSON.stringify(key)}`);
      if (toLicenseKey(key) !== key) throw new Error('the key of a license key is another one');
      const ubiKey = toUbiKey(raw);
      if (ubiKey !== ubiKeyOf(raw)) throw new Error('a UBI key that the specification does not give');
      if (ubiKey !== null && toUbiKey(ubiKey) !== ubiKey) throw new Error('the key of a UBI key is another one');
      if (toNameKey(toNameKey(raw)) !== toNameKey(raw)) throw new Error('the key of a name key is another one');
    }),
    { seed: SEED, numRuns: runs },
  );
  t.notOk(result.failed, fc.defaultReportMessage(result) ?? `${runs} texts`);
  t.equal(result.numRuns, runs, 'all of them were tried');
  t.end();
});
