// The conversion of rows to vendors, in every observed shape and with random values.
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import { fromApi4Vendor as toApi4Vendor } from '../../src/biotrack/api4/to-vendor.js';
import { fromRestVendor as toRestVendor } from '../../src/biotrack/rest/to-vendor.js';
import { type Activity, ROW_FIELDS, SKIP_REASONS, type Skip, type Vendor } from '../../src/domain/vendor.js';
import { pickCount } from '../helpers/counts.js';
import { readSeed } from '../helpers/seed.js';

const RUNS = pickCount({ few: 800, full: 5_000, long: 50_000 });
const SEED = readSeed();
const TYPES = { '8': 'Retailer', '10': 'Retailer with medical endorsement' };

t.comment(`TEST_SEED=${SEED}`);

/** Checks the property for random samples. A failure includes the sample and the seed. */
function holds<T>(arbitrary: fc.Arbitrary<T>, property: (sample: T) => void): void {
  fc.assert(fc.property(arbitrary, property), { seed: SEED, numRuns: RUNS });
}

const equal = (actual: unknown, expected: unknown): void => {
  if (!isDeepStrictEqual(actual, expected)) {
    throw new Error(`${JSON.stringify(actual)} is not ${JSON.stringify(expected)}`);
  }
};

/** Whether the text has a lone surrogate. */
const hasLoneSurrogate = (text: string): boolean => /\p{Surrogate}/u.test(text);

/** A value on the wire, possibly absent, and its expected meaning. */
interface Shape<T> {
  readonly wire: unknown;
  readonly means: T;
}

const shape = <T>(wire: unknown, means: T): Shape<T> => ({ wire, means });
const ABSENT = Symbol('absent');
const nothing = <T>(means: T): fc.Arbitrary<Shape<T>> =>
  fc.constantFrom(shape<T>(null, means), shape<T>(ABSENT, means), shape<T>('', means), shape<T>('  ', means));

/** A word without spaces, so that the tests control the spaces. */
const word = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
  .map((text) => text.replace(/[\s\0]/gu, ''))
  .filter((text) => text !== '' && !hasLoneSurrogate(text) && text.toLowerCase() !== 'none');
const padded = (text: string): fc.Arbitrary<string> => fc.constantFrom(text, ` ${text}`, `${text}  `, `\t${text}\n`);
const gaps = fc.constantFrom(' ', '  ', '   ', '\t');

const identifier: fc.Arbitrary<Shape<string>> = fc.oneof(
  fc.stringMatching(/^[A-Z0]{0,4}[0-9]{3,9}$/).chain((text) => padded(text).map((wire) => shape(wire, text))),
  fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }).map((number) => shape(number, String(number))),
);
const ubi: fc.Arbitrary<Shape<string | null>> = fc.oneof(
  { weight: 4, arbitrary: identifier },
  nothing<string | null>(null),
);

const name: fc.Arbitrary<Shape<string | null>> = fc.oneof(
  fc
    .tuple(word, gaps, word)
    .map(([first, gap, second]) => `${first}${gap}${second}`)
    .chain((text) => padded(text).map((wire) => shape<string | null>(wire, text))),
  fc.nat().map((number) => shape<string | null>(number, String(number))),
  nothing<string | null>(null),
);

const line: fc.Arbitrary<Shape<string | null>> = fc.oneof(
  fc
    .tuple(fc.nat({ max: 9_999 }), gaps, word, gaps, word)
    .chain(([number, a, first, b, second]) =>
      padded(`${number}${a}${first}${b}${second}`).map((wire) =>
        shape<string | null>(wire, `${number} ${first} ${second}`),
      ),
    ),
  nothing<string | null>(null),
);
const isOn = fc.oneof(
  fc.constantFrom(shape(1, true), shape('1', true), shape(true, true)),
  fc.constantFrom(shape(0, false), shape('0', false), shape(false, false), shape('', false)),
  fc.constantFrom(shape(null, false), shape(ABSENT, false)),
);
const locationType: fc.Arbitrary<Shape<string | null>> = fc.oneof(
  fc.nat({ max: 60 }).map((code) => shape<string | null>(code, String(code))),
  fc.nat({ max: 60 }).chain((code) => padded(String(code)).map((wire) => shape<string | null>(wire, String(code)))),
  fc.constantFrom('8A', 'toString', '__proto__', 'constructor').map((code) => shape<string | null>(code, code)),
  nothing<string | null>(null),
);
const zip: fc.Arbitrary<Shape<string | null>> = fc.oneof(
  fc.stringMatching(/^(\d{5}|\d{9}|\d{5}-\d{4})$/).map((text) => shape<string | null>(text, text)),
  fc.integer({ min: 1, max: 99_999 }).map((number) => shape<string | null>(number, String(number).padStart(5, '0'))),
  fc
    .integer({ min: 10_000_000, max: 999_999_999 })
    .map((number) => shape<string | null>(number, String(number).padStart(9, '0'))),
  nothing<string | null>(null),
);
const transaction: fc.Arbitrary<Shape<string | null>> = fc.oneof(
  fc.nat().map((number) => shape<string | null>(number, String(number))),
  fc.bigInt({ min: 0n, max: 10n ** 60n }).map((number) => shape<string | null>(String(number), String(number))),
  fc.nat().map((number) => shape<string | null>(`000${number}`, String(number))),
  nothing<string | null>(null),
);

/** A second address line: a text of its own, or one of the ways to write none. */
const secondLine = fc.oneof(
  line.map((own) => ({ kind: 'own' as const, own })),
  fc.constantFrom('none', 'NONE', ' None ').map((wire) => ({ kind: 'nothing' as const, wire })),
  fc.constantFrom('whole', 'lower', 'end').map((how) => ({ kind: 'repeated' as const, how })),
);

const api4Row = fc.record({
  location: identifier,
  ubi,
  name,
  locationtype: locationType,
  address1: line,
  address2: secondLine,
  city: line,
  state: fc.constantFrom(
    shape<string | null>('NM', 'NM'),
    shape<string | null>(' NM ', 'NM'),
    shape<string | null>(null, null),
  ),
  zip,
  producer: isOn,
  processor: isOn,
  retail: isOn,
  medical: isOn,
  deleted: isOn,
  transactionid: transaction,
  transactionid_original: transaction,
  order: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 16, maxLength: 16 }),
});

/** The row as an object with keys in random order, without absent ones. */
function toRow(fields: Readonly<Record<string, unknown>>, order: readonly number[]): unknown {
  const entries = Object.entries(fields).filter(([, value]) => value !== ABSENT);
  const ordered = entries.map((entry, index) => ({ entry, at: order[index] ?? 0 })).sort((a, b) => a.at - b.at);
  return JSON.parse(JSON.stringify(Object.fromEntries(ordered.map(({ entry }) => entry))));
}

function toSecondLine(
  second: { kind: string; own?: Shape<string | null>; wire?: string; how?: string },
  first: string | null,
) {
  if (second.own !== undefined) {
    const { wire, means } = second.own;
    const isInFirst =
      means !== null && first !== null && ` ${first} `.toLowerCase().includes(` ${means} `.toLowerCase());
    return shape(wire, isInFirst ? null : means);
  }
  if (second.wire !== undefined) return shape(second.wire, null);
  if (first === null) return shape(null, null);
  const end = first.split(' ').slice(1).join('  ');
  return shape(second.how === 'end' ? end : second.how === 'lower' ? ` ${first.toLowerCase()}` : first, null);
}

t.test('api4: every observed shape has its meaning', async (t) => {
  holds(api4Row, ({ order, address2, ...shapes }) => {
    // Lowercasing can change the number of words; such lines are not compared.
    const first = shapes.address1.means;
    const isPlain = first === null || first.toLowerCase().split(' ').length === first.split(' ').length;
    const second = isPlain && !(first ?? '').includes(',') ? toSecondLine(address2, first) : shape(null, null);
    const wires = Object.fromEntries(Object.entries(shapes).map(([key, { wire }]) => [key, wire]));
    const flags: readonly (readonly [Activity, boolean])[] = [
      ['medical', shapes.medical.means],
      ['processor', shapes.processor.means],
      ['producer', shapes.producer.means],
      ['retail', shapes.retail.means],
    ];
    const code = shapes.locationtype.means;
    const expected: Vendor = {
      licenseNumber: shapes.location.means,
      ubi: shapes.ubi.means,
      name: shapes.name.means,
      licenseType: code === '8' ? TYPES['8'] : code === '10' ? TYPES['10'] : null,
      licenseTypeRaw: code,
      activities: flags.filter(([, on]) => on).map(([activity]) => activity),
      address: {
        line1: first,
        line2: second.means,
        city: shapes.city.means,
        state: shapes.state.means,
        zip: shapes.zip.means,
      },
      isDeleted: shapes.deleted.means,
      isLab: false,
      transactionId: shapes.transactionid.means,
      transactionIdOriginal: shapes.transactionid_original.means,
    };
    const row = toRow({ ...wires, address2: second.wire }, order);
    equal(toApi4Vendor(row, 'vendors', TYPES), expected);
    equal(toApi4Vendor(row, 'labs', TYPES), { ...expected, activities: ['lab'], isLab: true });
    equal(toApi4Vendor(row, 'transporters', TYPES), { ...expected, activities: ['transporter'] });
  });
  t.pass(`${RUNS} rows, seed ${SEED}`);
});

const KEYS = [
  'location',
  'ubi',
  'name',
  'locationtype',
  'address1',
  'address2',
  'city',
  'state',
  'zip',
  'producer',
  'processor',
  'retail',
  'medical',
  'deleted',
  'transactionid',
  'transactionid_original',
  'LocationLicense',
  'UBI',
  'Name',
  'Type',
  'Address',
  'Zip',
  'Transporter',
  'Deleted',
  'TransactionID',
  '__proto__',
];

/** Any JSON value, with a preference for unusual ones. */
const anything = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom('\0', 'a\ud800b', '\udc00', ' ', 'none', 2 ** 53, 1e308, -1, 0.5, '9'.repeat(400), 'x'.repeat(3_000)),
  fc.string({ unit: 'binary' }),
  identifier.map(({ wire }) => wire),
);

t.test('any JSON value becomes a vendor, a partly read vendor or a skip without unstorable text', async (t) => {
  const seen = new Map<string, number>();
  const members = fc.dictionary(fc.constantFrom(...KEYS), anything, { maxKeys: 23 });
  const named = fc
    .tuple(members, identifier)
    .map(([given, { wire }]) => ({ ...given, location: wire, LocationLicense: wire }));
  holds(fc.oneof(named, members, anything), (value) => {
    const row: unknown = JSON.parse(JSON.stringify(value));
    for (const convert of [() => toApi4Vendor(row, 'vendors', TYPES), () => toRestVendor(row, 'vendors', TYPES)]) {
      const listed = convert();
      equal(convert(), listed);
      const kinds =
        'reason' in listed
          ? [listed.reason]
          : 'unreadable' in listed
            ? listed.unreadable.map(({ field }) => field)
            : ['vendor'];
      for (const kind of kinds) seen.set(kind, (seen.get(kind) ?? 0) + 1);
      checkStorable('unreadable' in listed ? listed.vendor : listed);
    }
  });
  for (const kind of [...SKIP_REASONS, ...ROW_FIELDS, 'vendor']) {
    t.ok(seen.has(kind), `${kind}: ${seen.get(kind) ?? 0} times`);
  }
});

function checkStorable(listed: Vendor | Skip): void {
  const texts: unknown[] =
    'address' in listed ? [...Object.values(listed), ...Object.values(listed.address)] : Object.values(listed);
  for (const text of texts) {
    if (typeof text !== 'string') continue;
    if (text === '' || text.trim() !== text) throw new Error(`not trimmed: ${JSON.stringify(text)}`);
    if (text.includes('\0') || hasLoneSurrogate(text)) throw new Error(`not storable: ${JSON.stringify(text)}`);
  }
  if ('reason' in listed) return;
  if (listed.licenseNumber.length > 200 || (listed.ubi?.length ?? 0) > 200) throw new Error('too long for an index');
  for (const id of [listed.transactionId, listed.transactionIdOriginal]) {
    if (id !== null && !/^(0|[1-9]\d*)$/.test(id)) throw new Error(`not digits: ${id}`);
  }
  equal(listed.activities, [...new Set(listed.activities)].sort());
}

t.test('rest: every observed shape has its meaning', async (t) => {
  const flag = fc.boolean();
  const row = fc.record({
    producer: flag,
    processor: flag,
    retail: flag,
    transporter: flag,
    deleted: flag,
    type: fc.nat({ max: 12 }),
    id: transaction,
  });
  holds(fc.tuple(row, ubi, identifier, name), ([given, ubiShape, location, nameShape]) => {
    const wire = {
      ID: 1,
      Name: nameShape.wire,
      UBI: ubiShape.wire,
      LocationLicense: location.wire,
      Address: '1 A ST',
      Address2: '',
      City: 'X',
      State: 'FL',
      Zip: '33101',
      Type: given.type,
      Producer: given.producer,
      Processor: given.processor,
      Retail: given.retail,
      Transporter: given.transporter,
      Deleted: given.deleted,
      TransactionID: given.id.wire,
    };
    const code = given.type === 0 ? null : String(given.type);
    equal(toRestVendor(toRow(wire, []), 'vendors', TYPES), {
      licenseNumber: location.means,
      ubi: ubiShape.means,
      name: nameShape.means,
      licenseType: code === '8' ? TYPES['8'] : code === '10' ? TYPES['10'] : null,
      licenseTypeRaw: code,
      activities: (['processor', 'producer', 'retail', 'transporter'] as const).filter((activity) => given[activity]),
      address: { line1: '1 A ST', line2: null, city: 'X', state: 'FL', zip: '33101' },
      isDeleted: given.deleted,
      isLab: false,
      transactionId: given.id.means,
      transactionIdOriginal: null,
    });
  });
  t.pass(`${RUNS} rows, seed ${SEED}`);
});
