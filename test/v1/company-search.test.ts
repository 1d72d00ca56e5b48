import fc from 'fast-check';
import t from 'tap';
import { joinSearchFields, toSearchNumber, toSearchText, toSearchWords } from '../../src/domain/search-text.js';
import { readSeed } from '../helpers/seed.js';
import { makeTenant, startTestService, syncTenant, type TestResponse } from '../helpers/service.js';
import { createTenantClient, pathOf } from '../helpers/tenant-client.js';

/** Search, filters, orders and totals of the list of companies. */

const SEED = readSeed();
const FORMS = ['NFC', 'NFD', 'NFKC', 'NFKD'] as const;

const service = await startTestService(t, {
  states: (both) => ({
    NM: {
      license_types: { '3': 'Manufacturer', '10': 'Retailer' },
      environments: { production: both, training: both },
    },
  }),
});
const { ask, newId, simulator, sql } = service;
const { control, demo } = simulator;
const { readAll, holderOf, switchTo, edit } = createTenantClient(service);

type Body = TestResponse['body'];

t.comment(`TEST_SEED=${SEED}`);

const holds = <T>(arbitrary: fc.Arbitrary<T>, property: (sample: T) => void): void =>
  fc.assert(fc.property(arbitrary, property), { seed: SEED, numRuns: 500 });

const TRICKY = [
  'CAFÉ',
  'Cafe\u0301',
  'cafe',
  'Straße',
  'STRASSE',
  'ẞ',
  'Ｆｕｌｌ',
  'Ørsted',
  'Łódź',
  'Æther',
  'Đorđe',
  'İstanbul',
  'ısparta',
  'ΟΔΟΣ',
  'οδος',
  'ﬁne',
  '①②',
  "O'Brien",
  'O’Brien',
  'obrien',
  'A&B',
  'ab',
  '50%',
  '500',
  'a_b',
  'axb',
  'c\\d',
  'cd',
  'Ñandú',
  'soft\u00adhyphen',
  'no\u00a0break',
  '한국',
  '🌿',
  'Nº7',
  'co-op',
];
const phrase = fc
  .array(fc.oneof(fc.constantFrom(...TRICKY), fc.string({ unit: 'binary', minLength: 1, maxLength: 6 })), {
    minLength: 1,
    maxLength: 4,
  })
  .map((words) => words.join(' ').replace(/[\p{Cc}\p{Cs}\p{Cn}\p{Co}]/gu, 'x'));

t.test('toSearchText', async (t) => {
  for (const [text, expected] of Object.entries({
    'CAFÉ Ñandú': 'cafe nandu',
    'Ｆｕｌｌ　Ｗｉｄｔｈ': 'full width',
    'Straße ẞ Ørsted Łódź Æther Đorđe ısparta İ': 'strasse ss orsted lodz aether dorde isparta i',
    'ΟΔΟΣ οδος': 'οδοσ οδοσ',
    "  O'Brien –  A&B, (Co-op) ": 'obrien ab coop',
    'a%b_c\\d': 'a%b_c\\d',
    '–!': '',
  }))
    t.equal(toSearchText(text), expected, text);
  t.equal(toSearchNumber('603-123 456'), '603123456');
  t.strictSame(toSearchWords(' % - Mesa mesa 603-1 _\\ 5% '), ['mesa', '6031', '5%']);
  t.equal(joinSearchFields('a b', ['b', '', 'c', 'a']), 'a b\nc');

  holds(phrase, (text) => {
    const expected = toSearchText(text);
    for (const form of FORMS) if (toSearchText(text.normalize(form)) !== expected) throw new Error(form);
    if (toSearchText(expected) !== expected) throw new Error('not idempotent');
    for (const word of text.split(/\s+/))
      for (const part of toSearchWords(word)) if (!expected.includes(part)) throw new Error(part);
  });
  holds(fc.stringMatching(/^[ -~]*$/), (text) => {
    // Plain texts take another path.
    if (toSearchText(`é${text}`) !== toSearchText(`e${text}`)) throw new Error(text);
  });
});

const list = (tenantId: string, query: Record<string, string> = {}): Promise<Body[]> =>
  readAll(`${pathOf(tenantId)}/companies?${new URLSearchParams({ 'page[size]': '500', ...query })}`);
const read = (tenantId: string, query: Record<string, string> = {}): Promise<TestResponse> =>
  ask('GET', `${pathOf(tenantId)}/companies?${new URLSearchParams(query)}`);
const idsOf = (companies: readonly Body[]): string[] => companies.map(({ id }) => id);

/** Written without the service's functions. */
function fold(text: string): string {
  const letters: Record<string, string> = { ß: 'ss', œ: 'oe', ø: 'o', ł: 'l', æ: 'ae', đ: 'd', ı: 'i', ς: 'σ' };
  let folded = '';
  for (const character of text.normalize('NFKD').toLowerCase().normalize('NFKD')) {
    if (/[\p{L}\p{N}\p{S}%_\\]/u.test(character)) folded += letters[character] ?? character;
    else if (/\s/.test(character)) folded += ' ';
  }
  return folded.replace(/ +/g, ' ').trim();
}

const textsOf = (company: Body): string[] => [
  ...[company.name, company.display_name, company.source_name, company.legal_business_name].map((text) =>
    fold(text ?? ''),
  ),
  fold(company.ubi ?? '').replaceAll(' ', ''),
  ...company.licenses.flatMap((license: Body) => [
    fold(license.name ?? ''),
    fold(license.address.city ?? ''),
    ...[license.license_number, license.ubi].map((number) => fold(number ?? '').replaceAll(' ', '')),
  ]),
];

const find = (companies: readonly Body[], q: string): string[] => {
  const words = fold(q)
    .split(' ')
    .filter((word) => /[^%_\\]/.test(word));
  return idsOf(
    companies.filter((company) => {
      const texts = textsOf(company);
      return words.every((word) => texts.some((text) => text.includes(word)));
    }),
  );
};

async function createManual(tenantId: string, name: string, numbers: readonly string[] = []): Promise<Body> {
  const made = await ask('POST', `${pathOf(tenantId)}/companies`, { body: { name, license_numbers: numbers } });
  if (made.status !== 201) throw new Error(`${name}: ${JSON.stringify(made.body)}`);
  return made.body;
}

t.test('q finds the companies that a filter of all companies finds', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_vendor');
  control.addSite({ ubi: '603-999 111', location: 'LIC 77-88.99', name: 'Œuvre Straße', city: 'Peñasco' });
  await syncTenant(service, tenantId, { refresh: 'force' });
  const names = fc.sample(
    phrase.filter((name) => name.trim() !== '' && name.length <= 200),
    { seed: SEED, numRuns: 25 },
  );
  for (const [index, name] of [...TRICKY.slice(0, 8), '50% a_b c\\d', ...names].entries()) {
    const { id } = await createManual(tenantId, name, index % 3 === 0 ? [`M-${index}_${index % 2} é`] : []);
    if (index % 4 === 0) {
      const legal = TRICKY[index % TRICKY.length];
      t.equal((await edit(tenantId, id, { legal_business_name: `${legal} Legal ${index}` })).status, 200);
    }
  }
  const some = (await list(tenantId))[3] as Body;
  t.equal((await edit(tenantId, some.id, { name: 'Édited Näme' })).status, 200);
  const all = {
    active: await list(tenantId),
    all: await list(tenantId, { licenses: 'all' }),
  };

  const expectSame = async (q: string, shown: 'active' | 'all' = 'active'): Promise<number> => {
    const expected = find(all[shown], q);
    t.strictSame(
      idsOf(await list(tenantId, { q, licenses: shown })),
      expected,
      `${JSON.stringify(q)}: ${expected.length}`,
    );
    return expected.length;
  };
  for (const q of [
    '603999111',
    '603-999-111',
    '6039 991',
    'LIC7788',
    'lic 77',
    '7788.99',
    'penasco',
    'PEÑASCO oeuvre',
    'strasse',
  ])
    t.ok((await expectSame(q)) > 0, q);
  for (const q of ['edited name', String(some.source_name), 'legal', 'a_b', 'c\\d', '50%', '0% _b'])
    t.ok((await expectSame(q)) > 0, q);
  t.equal(await expectSame('M-0'), 0, 'inactive licenses are not shown');
  t.ok((await expectSame('m-0_0e', 'all')) > 0, 'unless all licenses are');
  for (const q of ['a%b', '%a', '_', 'Cafe__', "'; drop table companies; --", '"', '$1'].filter((q) =>
    /\w{2}|%\w|\w%/.test(q),
  ))
    await expectSame(q);
  const everything = idsOf(all.active);
  t.strictSame(idsOf(await list(tenantId, { q: '' })), everything, 'empty is absent');

  // Parts of texts that exist, in other spellings.
  const texts = all.all.flatMap(({ name, display_name: shown, ubi, licenses }) => [
    name,
    shown,
    ubi ?? 'x',
    ...licenses.map((license: Body) => license.license_number),
  ]);
  const part = fc
    .tuple(fc.constantFrom(...texts), fc.nat(), fc.nat({ max: 8 }), fc.constantFrom(...FORMS), fc.boolean())
    .map(([text, start, length, form, isUpper]) => {
      const characters = [...(text as string)];
      const from = start % characters.length;
      const taken = characters
        .slice(from, from + 1 + length)
        .join('')
        .normalize(form);
      return isUpper ? taken.toUpperCase() : taken;
    });
  const queries = fc.sample(
    fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => parts.join(' ')),
    { seed: SEED, numRuns: 150 },
  );
  let found = 0;
  for (const q of queries) {
    if (!/[^%_\\ ]/.test(fold(q)) || fold(q).split(' ').length > 10 || [...q].length > 200) continue;
    found += Math.min(1, await expectSame(q, found % 2 === 0 ? 'active' : 'all'));
  }
  t.ok(found > 50, `${found} of ${queries.length} queries found something`);

  // Every writer keeps the texts; the invariants compare all of them when the test ends.
  await switchTo(tenantId, 'one_per_license');
  control.rename({ location: 'LIC 77-88.99', name: 'Another Ñame' });
  await syncTenant(service, tenantId, { refresh: 'force' });
  t.equal((await list(tenantId, { q: 'another name 7788' })).length, 1);
  t.equal((await list(tenantId, { q: 'oeuvre' })).length, 0);
  control.vanish({ location: 'LIC 77-88.99' });
  await syncTenant(service, tenantId, { refresh: 'force' });
  t.equal((await list(tenantId, { q: 'another name' })).length, 0);
  t.equal((await list(tenantId, { q: 'another name', archived: 'only', licenses: 'all' })).length, 1);
  t.equal((await edit(tenantId, some.id, { name: null })).status, 200);
  t.equal((await list(tenantId, { q: 'edited' })).length, 0);
});

async function readInPages(tenantId: string, query: Record<string, string>, size: number): Promise<string[]> {
  return idsOf(
    await readAll(`${pathOf(tenantId)}/companies?${new URLSearchParams({ ...query, 'page[size]': `${size}` })}`),
  );
}

t.test('pages in every order are the sorted list', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_vendor');
  await syncTenant(service, tenantId);
  for (const name of ['Émile', 'EMILE', "Emi'le", 'emile 2', '🌿', '–', 'x'.repeat(200), `${'ﷺ'.repeat(40)}`])
    await createManual(tenantId, name);
  // Equal times, and times that differ by a microsecond.
  await sql(
    `update companies set updated_datetime = timestamptz '2026-03-01 10:00:00.123456+02' + n % 5 * interval '1 microsecond'
       from (select id as of_id, row_number() over (order by id) as n from companies where tenant_id = $1) numbered
      where tenant_id = $1 and id = of_id`,
    [tenantId],
  );
  const all = await list(tenantId);
  const times = new Map(
    (
      await sql<{ id: string; at: string }>(
        `select id, extract(epoch from updated_datetime)::text as at from companies where tenant_id = $1`,
        [tenantId],
      )
    ).map(({ id, at }) => [id, at]),
  );
  const byText = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));
  const keys: Record<string, (a: Body, b: Body) => number> = {
    name: (a, b) => {
      const [one, other] = [a, b].map(({ display_name: name }) => [...fold(name)].slice(0, 200).join(''));
      return byText(one as string, other as string);
    },
    updated_datetime: (a, b) => byText(times.get(a.id) ?? '', times.get(b.id) ?? ''),
    licenses: (a, b) => a.licenses.length - b.licenses.length,
    '': () => 0,
  };
  for (const [sort, compare] of Object.entries(keys)) {
    const ascending = idsOf([...all].sort((a, b) => compare(a, b) || byText(a.id, b.id)));
    const order: Record<string, string> = sort === '' ? {} : { sort };
    t.ok(
      sort === '' ||
        new Set(all.map((company) => all.findIndex((other) => compare(company, other) === 0))).size < all.length,
      `${sort}: has ties`,
    );
    for (const [size, direction] of [
      [1, 'asc'],
      [2, 'desc'],
      [3, 'asc'],
      [3, 'desc'],
      [500, 'asc'],
    ] as const) {
      const expected = direction === 'asc' ? ascending : [...ascending].reverse();
      const name = `${sort} ${direction}, pages of ${size}`;
      t.strictSame(await readInPages(tenantId, { ...order, direction }, size), expected, name);
    }
    t.strictSame(await readInPages(tenantId, order, 50), ascending, 'ascending by default');
    const filtered = await readInPages(tenantId, { ...order, q: 'e', origin: 'biotrack', include: 'total' }, 7);
    const isFound = new Set(
      find(
        all.filter(({ origin }) => origin === 'biotrack'),
        'e',
      ),
    );
    t.strictSame(
      filtered,
      ascending.filter((id) => isFound.has(id)),
      `${sort}: with filters`,
    );
  }

  const { next_page: next } = (await read(tenantId, { sort: 'name', 'page[size]': '2' })).body;
  t.equal((await ask('GET', next)).status, 200);
  for (const other of [
    'sort=licenses',
    'sort=updated_datetime',
    'sort=name&direction=desc',
    'direction=asc',
    'sort=name&q=a',
  ])
    t.match(
      await ask('GET', next.replace('sort=name', other)),
      { status: 400, body: { code: 'invalid_cursor' } },
      other,
    );
});

t.test('filters', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_vendor');
  await syncTenant(service, tenantId);
  await createManual(tenantId, 'Manual', ['X 1']);
  const all = await list(tenantId);
  const expectSame = async (query: Record<string, string>, isMeant: (company: Body) => boolean): Promise<number> => {
    const expected = idsOf(all.filter(isMeant));
    t.strictSame(idsOf(await list(tenantId, query)), expected, `${JSON.stringify(query)}: ${expected.length}`);
    const { total } = (await read(tenantId, { ...query, include: 'total', 'page[size]': '1' })).body;
    t.equal(total, expected.length, 'its total');
    return expected.length;
  };
  const licenses = all.flatMap((company) => company.licenses);
  const types = new Set(licenses.map((license) => license.license_type));
  t.ok(types.size > 1);
  for (const { license_type: type, license_type_raw: raw } of [licenses[0], licenses.at(-1)]) {
    const isOfType = (company: Body) => company.licenses.some((license: Body) => license.license_type === type);
    t.ok((await expectSame({ license_type: type }, isOfType)) > 0);
    t.ok((await expectSame({ license_type: raw }, isOfType)) > 0);
    t.equal(await expectSame({ license_type: String(type).slice(1) }, () => false), 0);
  }
  for (const activity of ['producer', 'processor', 'retail', 'medical', 'transporter', 'lab'])
    await expectSame({ activity }, ({ licenses: own }) =>
      own.some((license: Body) => license.activities.includes(activity)),
    );
  const [one, other] = [licenses[0], licenses.find((license) => license.address.city !== licenses[0].address.city)];
  await expectSame({ city: one.address.city, license_type: other.license_type }, ({ licenses: own }) =>
    [
      own.some((license: Body) => license.address.city?.toLowerCase() === one.address.city.toLowerCase()),
      own.some((license: Body) => license.license_type === other.license_type),
    ].every(Boolean),
  );
  t.equal(await expectSame({ is_own_company: 'true' }, ({ is_own_company: own }) => own), 1);
  await expectSame({ is_own_company: 'false' }, ({ is_own_company: own }) => !own);
  const ids = [all[5], all[2], all[2]].map((company) => (company as Body).id);
  t.equal(await expectSame({ ids: ids.join() }, ({ id }) => ids.includes(id)), 2);
  t.equal(await expectSame({ ids: ids.join().toUpperCase(), sort: 'name' }, ({ id }) => ids.includes(id)), 2);
  await expectSame({ ids: newId() }, () => false);
  const hundred = Array.from({ length: 100 }, (_, index) => all[index]?.id ?? newId());
  await expectSame({ ids: hundred.join() }, ({ id }) => hundred.includes(id));
  await expectSame({ has_conflict: 'true' }, () => false);
  await expectSame({ has_conflict: 'false' }, () => true);

  const wrong: Record<string, string>[] = [
    { q: 'x'.repeat(201) },
    { q: '%' },
    { q: ' – _ \\ ' },
    { q: 'a\u0000b' },
    { q: 'a b c d e f g h i j k' },
    { sort: 'city' },
    { sort: '' },
    { direction: 'up' },
    { include: 'licenses' },
    { activity: 'growing' },
    { license_type: '' },
    { is_own_company: 'yes' },
    { is_own_company: '' },
    { has_conflict: '1' },
    { ids: '' },
    { ids: ',' },
    { ids: `${ids[0]},` },
    { ids: `${ids[0]}, ${ids[1]}` },
    { ids: `{${ids[0]}}` },
    { ids: Array.from({ length: 101 }, () => newId()).join() },
    { ids: 'x,'.repeat(999) },
  ];
  for (const query of wrong) {
    const [name] = Object.keys(query);
    t.match(
      await read(tenantId, query),
      { status: 400, body: { code: 'invalid_request', errors: [{ pointer: `?${name}` }] } },
      JSON.stringify(query).slice(0, 80),
    );
  }
  t.match(
    (await read(tenantId, { ids: Array.from({ length: 101 }, () => newId()).join() })).body.detail,
    /more than 100/,
  );
  const thousand = await read(tenantId, { ids: Array.from({ length: 1_000 }, () => newId()).join() });
  t.match(thousand, { status: 400, body: { code: 'invalid_request', detail: /more than 16 KiB/ } });
  t.equal((await read(tenantId, { q: 'a b c d e f g h i j a' })).status, 200, 'words are counted once');
});

t.test('totals and conflicts follow every change, also in cached pages', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_vendor');
  const expectTotals = async (label: string): Promise<number> => {
    for (const archived of ['exclude', 'include', 'only']) {
      const { length } = await list(tenantId, { archived });
      const page = (await read(tenantId, { archived, include: 'total', 'page[size]': '1' })).body;
      t.equal(page.total, length, `${label}, ${archived}`);
    }
    return (await read(tenantId, { include: 'total' })).body.total;
  };
  t.notHas((await read(tenantId)).body, 'total', 'absent unless requested');
  t.equal(await expectTotals('empty'), 0);
  t.strictSame((await read(tenantId, { include: 'total' })).body, { data: [], next_page: null, total: 0 });
  await createManual(tenantId, 'Before the first sync');
  t.equal(await expectTotals('a manual company before the first sync'), 1);
  await syncTenant(service, tenantId);
  const first = await expectTotals('the first sync');
  const number = '880000777';
  const manual = await createManual(tenantId, 'Manual', [number]);
  t.equal(await expectTotals('a manual company'), first + 1);
  await edit(tenantId, manual.id, { name: 'Renamed' });
  await expectTotals('an edit');

  // The lists are cached under their ETags.
  const conflicting = (): Promise<TestResponse> => read(tenantId, { has_conflict: 'true', include: 'total' });
  t.match(await conflicting(), { body: { total: 0 } });
  const none = (await conflicting()).headers.get('etag');
  control.addSite({ ubi: demo.ubi, location: number, name: 'NEW' });
  await syncTenant(service, tenantId, { refresh: 'force' });
  const [conflict] = (await ask('GET', `${pathOf(tenantId)}/conflicts`)).body.data;
  const open = await conflicting();
  t.strictSame(idsOf(open.body.data), [...conflict.company_ids].sort());
  t.equal(open.body.total, 2);
  t.not(open.headers.get('etag'), none);
  t.equal((await list(tenantId, { has_conflict: 'false' })).length, (await expectTotals('a conflict')) - 2);
  const body = { decision: 'merge', company_id: manual.id };
  t.equal((await ask('POST', `${pathOf(tenantId)}/conflicts/${conflict.id}/resolve`, { body })).status, 200);
  t.match(await conflicting(), { body: { data: [], total: 0 } });
  await expectTotals('a decision');
  await switchTo(tenantId, 'one_per_license');
  await expectTotals('a switch');
  await switchTo(tenantId, 'one_per_vendor');
  await expectTotals('a switch back');
  t.ok(await holderOf(tenantId, number));
  control.vanish({ location: number });
  await syncTenant(service, tenantId, { refresh: 'force' });
  await expectTotals('a license that is no longer listed');
});
