import t from 'tap';
import { clientOf, withTenant } from '../../src/db/database.js';
import { runStatement } from '../../src/db/single-statement.js';
import { toTailStatement } from '../../src/modules/changes/repository.js';
import { toPageStatement } from '../../src/modules/companies/list-repository.js';
import { isOwnOutcome, OWNERS } from '../helpers/contract.js';
import { checkReplica, readFeed, readFeedTables, readTail } from '../helpers/feed.js';
import { makeTenant, startTestService, syncTenant, type TestResponse } from '../helpers/service.js';
import { createTenantClient, pathOf } from '../helpers/tenant-client.js';

/** Companies: lists, edits, manual companies, explanation and history. What a run does to them is in `test/sync`. */

const service = await startTestService(t);
const { ask, newId, contract, simulator, sql } = service;
const { control, demo } = simulator;
const { readAll, holderOf, switchTo, edit } = createTenantClient(service);

type Body = TestResponse['body'];

interface Company {
  readonly id: string;
  readonly name: string;
  readonly display_name: string;
  readonly ubi: string | null;
  readonly licenses: readonly {
    readonly license_number: string;
    readonly active: boolean;
    readonly ubi: string | null;
    readonly address: { readonly city: string | null };
  }[];
  readonly updated_datetime: string;
  readonly [name: string]: unknown;
}

t.test('the ETag of a list of companies changes with everything the list can show', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_vendor');
  const path = `/v1/tenants/${tenantId}/companies`;
  const poll = async (query: string, etag: string) =>
    ask('GET', `${path}${query}`, { headers: { 'if-none-match': etag } });
  const read = async (query = ''): Promise<string> => (await ask('GET', `${path}${query}`)).headers.get('etag') ?? '';

  const empty = await read();
  t.match(empty, /^"[A-Za-z0-9_-]{22}"$/, 'strong');
  t.match(await poll('', empty), { status: 304, body: undefined }, 'an empty list has an ETag too');
  await syncTenant(service, tenantId);
  t.equal((await poll('', empty)).status, 200, 'changed by the first sync');

  const etag = await read();
  const same = await poll('', etag);
  t.match(same, { status: 304, body: undefined });
  t.equal(same.headers.get('etag'), etag);
  t.equal((await poll('', `"x", W/${etag}`)).status, 304, 'one of several tags, compared weakly');
  t.equal((await poll('', '*')).status, 304, 'any tag');
  for (const other of ['"x"', etag.slice(1, -1), `${etag.slice(0, -2)}"`, 'nonsense']) {
    t.equal((await poll('', other)).status, 200, other);
  }
  const queries = ['?page[size]=5', '?licenses=all', '?archived=include', '?name=a', `?ubi=${demo.ubi}`];
  const etags = await Promise.all(queries.map((query) => read(query)));
  t.equal(new Set([etag, ...etags]).size, queries.length + 1, 'each query has its own ETag');
  t.equal(await read('?page[size]=100'), etag, 'the default page size, given explicitly');
  const { body: first } = await ask('GET', `${path}?page[size]=5`);
  t.not(await read(new URL(first.next_page).search), etags[0], 'each page has its own ETag');
  t.match(
    await ask('GET', `/v1/tenants/${newId()}/companies`, { headers: { 'if-none-match': '*' } }),
    { status: 404, body: { code: 'not_found' } },
    'an unknown tenant returns 404',
  );

  await syncTenant(service, tenantId, { refresh: 'force' });
  t.equal((await poll('', etag)).status, 304, 'unchanged by a sync without changes');
  const [row] = control.rows().filter(({ deleted }) => !deleted);
  control.rename({ location: String(row?.location), name: 'ANOTHER NAME' });
  await syncTenant(service, tenantId, { refresh: 'force' });
  t.equal((await poll('', etag)).status, 200, 'changed by a renamed company');
});

t.test('a read after a change returns the change, with many concurrent readers', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_vendor');
  await syncTenant(service, tenantId);
  const path = `/v1/tenants/${tenantId}/companies`;
  const [company] = (await ask('GET', path)).body.data;
  const poll = (etag: string) => ask('GET', path, { headers: { 'if-none-match': etag } });
  const read = () => ask('GET', path);
  let stale = 0;
  let polls = 0;
  for (let round = 0; round < 30; round += 1) {
    const etag = (await read()).headers.get('etag') ?? '';
    // These reads run while the change is made, and the others right after it.
    const before = Promise.all(Array.from({ length: 8 }, (_, index) => (index % 2 === 0 ? poll(etag) : read())));
    const { headers } = await ask('GET', `${path}/${company.id}`);
    const change = { body: { name: `Name ${round}` }, headers: { 'if-match': headers.get('etag') ?? '' } };
    const edited = await ask('PATCH', `${path}/${company.id}`, change);
    t.equal(edited.status, 200);
    const after = await Promise.all(Array.from({ length: 8 }, (_, index) => (index % 2 === 0 ? poll(etag) : read())));
    polls += after.length + (await before).length;
    const isNew = ({ id, name }: Company): boolean => id === company.id && name === `Name ${round}`;
    stale += after.filter(({ status, body }) => status !== 200 || !body.data.some(isNew)).length;
  }
  t.equal(stale, 0, `none of ${polls} reads was stale`);
});

t.test('a cached list is identical to the first one, and is gone with its tenant', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_vendor');
  await syncTenant(service, tenantId);
  for (const list of ['companies', 'companies?page[size]=3&licenses=all', 'changes?page[size]=5']) {
    const read = async () => {
      const { status, headers, body } = await ask('GET', `/v1/tenants/${tenantId}/${list}`);
      return { status, body, type: headers.get('content-type'), etag: headers.get('etag') };
    };
    const first = await read();
    t.match(first, { status: 200, type: 'application/json; charset=utf-8', etag: /^"/ }, list);
    t.not(first.body.data.length, 0);
    t.strictSame(await read(), first, list);
  }
  const path = `/v1/tenants/${tenantId}`;
  const { headers } = await ask('GET', path);
  t.equal((await ask('DELETE', path, { headers: { 'if-match': headers.get('etag') ?? '' } })).status, 204);
  for (const list of ['companies', 'changes?page[size]=5'])
    t.match(await ask('GET', `${path}/${list}`), { status: 404, body: { code: 'not_found' } }, list);
});

t.test('a page of a long list is read by an index scan, even in tables that were never analyzed', async (t) => {
  const tenantId = await makeTenant(service, 'tenant');
  await service.sql(
    `insert into companies (tenant_id, id, origin, source_name, display_name, name_group, search_text, is_own_company, created_reason, created_actor)
     select $1, gen_random_uuid(), 'biotrack', 'Name ' || n, 'Name ' || n, 'name ' || n, 'name ' || n, false, 'first_seen', 'test' from generate_series(1, 3000) n`,
    [tenantId],
  );
  await service.sql(
    `insert into changes (tenant_id, seq, kind, before, after, actor)
     select $1, n, 'company.updated', '{}', '{}', 'test' from generate_series(1, 3000) n`,
    [tenantId],
  );
  const lists = {
    companies: toPageStatement(tenantId, {
      filters: { archived: 'exclude' },
      page: { size: 100, after: undefined },
      shown: 'active',
    }),
    changes: toTailStatement(tenantId, 0, 101),
  };
  for (const [name, { text, values }] of Object.entries(lists)) {
    const explain = { text: `explain (analyze) ${text}`, values };
    const lines = await runStatement<{ 'QUERY PLAN': string }>(service.service.db, tenantId, explain);
    const plan = lines.map((line) => line['QUERY PLAN']).join('\n');
    t.match(plan, new RegExp(`Index Scan using ${name}_pkey on ${name} .*rows=101`), plan);
    t.notMatch(plan, /rows=3000/, name);
  }
  await service.sql('delete from tenants where tenant_id = $1', [tenantId]);
});

t.test('every write that a list can show increases the revision', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_vendor');
  await syncTenant(service, tenantId);
  const getRevision = async (): Promise<number> => {
    const [row] = await service.sql<{ revision: string }>('select revision from tenants where tenant_id = $1', [
      tenantId,
    ]);
    return Number(row?.revision);
  };
  // Reads the columns from the catalog, so that new columns are covered too.
  for (const table of ['companies', 'company_licenses', 'conflicts']) {
    const columns = await service.sql<{ name: string }>(
      `select column_name as name from information_schema.columns
        where table_schema = 'public' and table_name = $1 and column_name <> 'tenant_id'`,
      [table],
    );
    t.ok(columns.length > 12);
    for (const { name } of columns) {
      const before = await getRevision();
      await withTenant(service.service.db, tenantId, (tx) =>
        clientOf(tx).query(`update ${table} set "${name}" = "${name}"`),
      );
      t.ok((await getRevision()) > before, `${table}.${name}`);
    }
    const before = await getRevision();
    await withTenant(service.service.db, tenantId, (tx) => clientOf(tx).query(`delete from ${table} where false`));
    t.ok((await getRevision()) > before, `deleting from ${table}`);
  }
  const triggers = await service.sql<{ of: string }>(
    `select tgrelid::regclass::text as of from pg_trigger
      where tgname = 'move_revision' and tgtype & 28 = 28 and tgenabled = 'O' order by 1`,
  );
  t.same(
    triggers.map(({ of }) => of),
    ['companies', 'company_licenses', 'conflicts'],
    'on insert, update and delete',
  );
});

t.test('listCompanies', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_vendor');
  const path = `/v1/tenants/${tenantId}/companies`;
  t.strictSame((await ask('GET', path)).body, { data: [], next_page: null }, 'no companies before the first sync');
  await syncTenant(service, tenantId);

  const all = await readAll(`${path}?page[size]=500`);
  t.ok(all.length > 50, `${all.length} companies`);
  const ids = all.map(({ id }) => id);
  t.strictSame(ids, [...ids].sort(), 'ordered by id, oldest first');
  for (const size of [1, 7, 50, 100]) {
    const paged = await readAll(`${path}?page[size]=${size}`);
    t.strictSame(
      paged.map(({ id }) => id),
      ids,
      `the same list in pages of ${size}`,
    );
  }
  t.strictSame(await readAll(path), all, 'the default page size returns the same list');
  t.equal((await ask('GET', path)).body.data.length, Math.min(100, all.length));
  t.equal(new Set(all.map(({ display_name }) => display_name)).size, all.length, 'display names are unique');
  t.ok(
    all.every(
      ({ archived, origin, overrides }) => archived === false && origin === 'biotrack' && `${overrides}` === '',
    ),
  );
  const own = all.filter(({ is_own_company }) => is_own_company);
  t.strictSame(
    own.map(({ ubi }) => ubi),
    [demo.ubi],
    "is_own_company marks the tenant's own company",
  );

  const search = async (query: Record<string, string>): Promise<Company[]> =>
    readAll(`${path}?${new URLSearchParams({ 'page[size]': '500', ...query })}`);
  const expectSame = async (query: Record<string, string>, isMeant: (company: Company) => boolean): Promise<number> => {
    const wanted = all.filter(isMeant).map(({ id }) => id);
    t.strictSame(
      (await search(query)).map(({ id }) => id),
      wanted,
      `${JSON.stringify(query)}: ${wanted.length}`,
    );
    return wanted.length;
  };
  const some = all[10] as Company;
  const word = some.name.slice(1, 5);
  const isLike =
    (part: string) =>
    ({ name }: Company) =>
      name.toLowerCase().includes(part.toLowerCase());
  t.ok((await expectSame({ name: word }, isLike(word))) > 0);
  t.ok((await expectSame({ name: word.toLowerCase() }, isLike(word))) > 0, 'ignores case');
  await expectSame({ name: '' }, () => true);
  for (const name of ['%', '_', '\\', "'", '"', '&', 'Ñ', "'; drop table companies; --", '%%%', 'a%b', '\\%']) {
    await expectSame({ name }, isLike(name));
  }
  t.equal(await expectSame({ ubi: demo.ubi }, ({ ubi }) => ubi === demo.ubi), 1);
  t.equal(await expectSame({ ubi: ` ${demo.ubi}  ` }, ({ ubi }) => ubi === demo.ubi), 1, 'ignores whitespace');
  t.equal(await expectSame({ ubi: demo.ubi.replace(/^0/, '') }, () => false), 0, 'leading zeros are significant');
  const number = some.licenses[0]?.license_number as string;
  t.equal(await expectSame({ license_number: number }, ({ id }) => id === some.id), 1);
  t.equal(await expectSame({ license_number: number.slice(1) }, () => false), 0, 'matches the whole number');
  const city = some.licenses[0]?.address.city as string;
  const isIn = ({ licenses }: Company) =>
    licenses.some(({ address }) => address.city?.toLowerCase() === city.toLowerCase());
  t.ok((await expectSame({ city: city.toLowerCase() }, isIn)) > 1);
  t.ok(
    (await expectSame({ city, ubi: some.ubi as string }, (company) => isIn(company) && company.ubi === some.ubi)) > 0,
    'filters combine',
  );
  await expectSame({ origin: 'biotrack' }, () => true);
  await expectSame({ origin: 'manual' }, () => false);
  await expectSame({ archived: 'include' }, () => true);
  await expectSame({ archived: 'only' }, () => false);

  const at = some.updated_datetime;
  const after = new Date(new Date(at).getTime() + 1).toISOString();
  await expectSame({ updated_datetime: `${at},` }, ({ updated_datetime }) => updated_datetime >= at);
  await expectSame({ updated_datetime: `,${at}` }, ({ updated_datetime }) => updated_datetime < at);
  await expectSame(
    { updated_datetime: `${at},${after}` },
    ({ updated_datetime }) => updated_datetime >= at && updated_datetime < after,
  );
  await expectSame({ updated_datetime: ',' }, () => true);
  await expectSame({ updated_datetime: `${after},${at}` }, () => false);

  const wrong: Record<string, string>[] = [
    { updated_datetime: '' },
    { updated_datetime: at },
    { updated_datetime: 'yesterday,' },
    { updated_datetime: '2025-02-30T00:00:00Z,' },
    { updated_datetime: '0001-01-01T00:00:00Z,' },
    { updated_datetime: `${at},${at},${at}` },
    { archived: 'yes' },
    { origin: 'metrc' },
    { licenses: 'none' },
    { ubi: '' },
    { ubi: 'x'.repeat(65) },
    { license_number: ' ' },
    { name: 'x'.repeat(201) },
    { name: 'a\u0000b' },
    { city: '\u0007' },
    { 'page[size]': '0' },
    { 'page[size]': '501' },
    { 'page[size]': 'all' },
    { 'page[size]': '1.5' },
    { 'page[size]': '-1' },
    { page: '2' },
    { sort: 'id' },
  ];
  for (const query of wrong) {
    const [name] = Object.keys(query);
    t.match(
      await ask('GET', `${path}?${new URLSearchParams(query)}`),
      { status: 400, body: { code: 'invalid_request', errors: [{ pointer: `?${name}` }] } },
      JSON.stringify(query).slice(0, 80),
    );
  }

  const next = (await ask('GET', `${path}?page[size]=5&origin=biotrack`)).body.next_page as string;
  t.match(
    await ask('GET', next.replace('origin=biotrack', 'origin=manual')),
    { status: 400, body: { code: 'invalid_cursor' } },
    'a cursor is only valid with its filters',
  );
  const other = await makeTenant(service);
  t.match(
    await ask('GET', next.replace(tenantId, other)),
    { status: 400, body: { code: 'invalid_cursor' } },
    'and for its tenant',
  );
});

t.test('getCompany', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_license');
  await syncTenant(service, tenantId);
  const path = `/v1/tenants/${tenantId}/companies`;
  const name = 'ONE OF A KIND LTD';
  const { location } = control.addSite({ ubi: '401234567', name, city: 'TAOS', zip: '00123' });
  await syncTenant(service, tenantId, { refresh: 'force' });
  const [listed] = await readAll(`${path}?license_number=${location}`);
  const { status, body, headers } = await ask('GET', `${path}/${listed?.id}`);
  t.match({ status, body }, { status: 200, body: listed });
  t.match(headers.get('etag'), /^"\d+-[\w-]{22}"$/);
  t.match(body, {
    name,
    display_name: name,
    legal_business_name: null,
    ubi: '401234567',
    origin: 'biotrack',
    is_own_company: false,
    archived: false,
    superseded_by: null,
    overrides: [],
    licenses: [
      {
        license_number: location,
        name,
        ubi: '401234567',
        active: true,
        missing_since_datetime: null,
        address: { city: 'TAOS', zip: '00123' },
      },
    ],
  });

  control.vanish({ location });
  await syncTenant(service, tenantId, { refresh: 'force' });
  const gone = await ask('GET', `${path}/${body.id}`);
  t.match(
    gone,
    { status: 200, body: { id: body.id, name, archived: true, licenses: [] } },
    'also returns archived companies',
  );
  t.equal(gone.body.licenses.length, 0);
  const whole = await ask('GET', `${path}/${body.id}?licenses=all`);
  t.match(whole.body.licenses, [{ license_number: location, active: false }]);
  t.type(whole.body.licenses[0].missing_since_datetime, 'string');
  t.not(gone.headers.get('etag'), headers.get('etag'), 'the version changed');
  t.strictSame(
    (await readAll(path)).filter(({ id }) => id === body.id),
    [],
    'not listed by default',
  );
  t.equal((await readAll(`${path}?archived=only`)).filter(({ id }) => id === body.id).length, 1);
  t.match(await ask('GET', `${path}/${newId()}`), { status: 404, body: { code: 'not_found' } });
});

t.test('edits override BioTrack across syncs and switches', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_license');
  await syncTenant(service, tenantId);
  const { location } = control.rows({ ubi: demo.ubi })[1] as { location: string };
  const company = await holderOf(tenantId, location);
  const path = `${pathOf(tenantId)}/companies/${company.id}`;
  t.match(await ask('PATCH', path, { body: { name: 'x' } }), { status: 428 });
  t.match(await ask('PATCH', path, { body: { name: 'x' }, headers: { 'if-match': '"9999"' } }), { status: 412 });
  for (const body of [{}, { name: '' }, { name: ' ' }, { display_name: 'x' }, { custom_data: [] }, { name: 7 }]) {
    t.match(await ask('PATCH', path, { body, headers: { 'if-match': '"1"' } }), { status: 400 }, JSON.stringify(body));
  }
  for (const custom of ['{"a":"\\u0000"}', '{"a":["\\ud800"]}', '{"a":1e999}']) {
    const { headers } = await ask('GET', path);
    const rawBody = `{"custom_data":${custom}}`;
    t.match(
      await ask('PATCH', path, { rawBody, headers: { 'if-match': headers.get('etag') as string } }),
      { status: 400, body: { errors: [{ pointer: '/custom_data' }] } },
      custom,
    );
  }
  const edits = {
    name: 'Edited',
    legal_business_name: 'Edited LLC',
    relationship_type: 'customer',
    custom_data: { tier: 1, tags: ['a'] },
  };
  const leaflink = { leaflink_customer_id: '77' };
  t.match(await edit(tenantId, company.id, { ...edits, ...leaflink }), {
    status: 200,
    body: { ...edits, ...leaflink, display_name: 'Edited', overrides: Object.keys({ ...edits, ...leaflink }) },
  });
  control.rename({ location, name: 'RENAMED BY THE STATE' });
  const run = await syncTenant(service, tenantId, { refresh: 'force' });
  const items = await readAll(`${pathOf(tenantId)}/syncs/${run.id}/plan?page[size]=500`);
  t.ok(
    items.some(
      ({ company_id, after }) =>
        company_id === company.id && after?.source_name === 'RENAMED BY THE STATE' && !after.name,
    ),
    'the plan contains the source name',
  );
  t.match((await ask('GET', path)).body, { ...edits, ...leaflink, source_name: 'RENAMED BY THE STATE' });
  await switchTo(tenantId, 'one_per_vendor');
  t.match((await ask('GET', path)).body, edits, 'kept across a switch');
  await switchTo(tenantId, 'one_per_license');
  control.vanish({ location });
  await syncTenant(service, tenantId, { refresh: 'force' });
  t.match(
    (await ask('GET', path)).body,
    { ...edits, archived: true, leaflink_customer_id: null },
    'kept while archived',
  );
  control.restore({ location });
  await syncTenant(service, tenantId, { refresh: 'force' });
  t.match((await ask('GET', path)).body, { ...edits, ...leaflink, archived: false }, 'kept after the return');
  const cleared = await edit(tenantId, company.id, { name: null, custom_data: null });
  t.match(cleared.body, { name: 'RENAMED BY THE STATE', custom_data: null });
  t.strictSame(cleared.body.overrides, ['legal_business_name', 'relationship_type', 'leaflink_customer_id']);
});

t.test('a rename that only changes the case writes one change', async (t) => {
  const tenantId = await makeTenant(service);
  const path = `/v1/tenants/${tenantId}/companies`;
  const made = await ask('POST', path, { body: { name: 'Case Study', license_numbers: [] } });
  const renamed = await ask('PATCH', `${path}/${made.body.id}`, {
    body: { name: 'CASE STUDY' },
    headers: { 'if-match': made.headers.get('etag') as string },
  });
  t.match(renamed, { status: 200, body: { name: 'CASE STUDY', display_name: 'CASE STUDY' } });
  const kinds = await service.sql(
    `select kind, count(*)::int as changes from changes where company_id = $1 group by kind order by kind`,
    [made.body.id],
  );
  t.same(kinds, [
    { kind: 'company.created', changes: 1 },
    { kind: 'company.edited', changes: 1 },
    { kind: 'company.updated', changes: 1 },
  ]);
});

t.test('a LeafLink customer belongs to a license', async (t) => {
  const [seller, buyer] = ['880000031', '880000032'];
  const numbers = ['88330001', '88330002', '88330003'] as const;
  for (const [index, location] of numbers.entries()) {
    control.addSite({ ubi: index === 2 ? buyer : seller, location, name: `SITE ${location}` });
  }
  const tenantId = await makeTenant(service, 'credential', 'one_per_license');
  await syncTenant(service, tenantId, { refresh: 'force' });
  const [first, second, third] = (await Promise.all(numbers.map((number) => holderOf(tenantId, number)))) as [
    Body,
    Body,
    Body,
  ];
  const before = await readFeed(service, tenantId);
  const set = (id: string, customer: string | null): Promise<TestResponse> =>
    edit(tenantId, id, { leaflink_customer_id: customer });
  t.match(await set(first.id, '501'), {
    status: 200,
    body: { leaflink_customer_id: '501', licenses: [{ leaflink_customer_id: '501' }] },
  });
  t.match(await readTail(service, tenantId, before), [
    {
      kind: 'license.updated',
      reason: 'edited_by_user',
      company_id: first.id,
      before: { leaflink_customer_id: null },
      after: { leaflink_customer_id: '501' },
    },
  ]);
  checkReplica(await readFeed(service, tenantId, before), await readFeedTables(sql, tenantId));
  checkReplica(await readFeed(service, tenantId), await readFeedTables(sql, tenantId));
  t.equal((await set(first.id, '501')).status, 200, 'again');
  t.match(await set(second.id, '501'), {
    status: 409,
    body: {
      code: 'leaflink_customer_taken',
      conflicting_id: first.id,
      errors: [{ pointer: '/leaflink_customer_id' }],
    },
  });
  t.equal((await set(second.id, '502')).status, 200);
  t.equal((await set(third.id, '503')).status, 200);
  const run = await syncTenant(service, tenantId);
  t.match(run.counts, { created: 0, updated: 0, moved: 0 }, 'the next sync does not touch it');

  await switchTo(tenantId, 'one_per_vendor');
  const vendor = await holderOf(tenantId, numbers[0]);
  t.match(
    (await ask('GET', `${pathOf(tenantId)}/companies/${vendor.id}`)).body,
    { leaflink_customer_id: null, licenses: [{ leaflink_customer_id: '501' }, { leaflink_customer_id: '502' }] },
    'of each license',
  );
  for (const customer of ['504', null]) {
    t.match(await set(vendor.id, customer), {
      status: 422,
      body: { code: 'not_one_license', errors: [{ pointer: '/leaflink_customer_id' }] },
    });
  }
  control.sell({ location: numbers[0], toUbi: buyer });
  await syncTenant(service, tenantId, { refresh: 'force' });
  t.match((await holderOf(tenantId, numbers[1])).leaflink_customer_id, '502', 'the only license that is left');
  control.vanish({ location: numbers[0] });
  await syncTenant(service, tenantId, { refresh: 'force' });
  control.restore({ location: numbers[0] });
  await syncTenant(service, tenantId, { refresh: 'force' });
  await switchTo(tenantId, 'one_per_license');
  for (const [index, number] of numbers.entries()) {
    t.match((await holderOf(tenantId, number)).leaflink_customer_id, `50${index + 1}`, `${number} keeps its customer`);
  }
  checkReplica(await readFeed(service, tenantId, before), await readFeedTables(sql, tenantId));
  control.vanish({ location: numbers[2] });
  await syncTenant(service, tenantId, { refresh: 'force' });
  t.match(await set(second.id, '503'), { status: 409, body: { conflicting_id: third.id } });
  t.equal((await set(third.id, null)).status, 200, 'it can be removed from a license that has vanished');
  t.equal((await set(second.id, '503')).status, 200);
  t.equal((await set(second.id, '502')).status, 200);
  const manual = await ask('POST', `${pathOf(tenantId)}/companies`, { body: { name: 'Without a license' } });
  t.equal((await set(manual.body.id, null)).status, 200, 'there is nothing to remove');
  t.match(await set(manual.body.id, '505'), { status: 422, body: { code: 'not_one_license' } });
  t.match(await set(first.id, null), { status: 200, body: { leaflink_customer_id: null } });
  t.equal((await set(second.id, '501')).status, 200, 'it is free again');
});

t.test('a manual company becomes the vendor company of its license', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_license');
  const [ubi, named, other] = ['880000005', '88300001', '88300002'];
  const made = await ask('POST', `${pathOf(tenantId)}/companies`, {
    body: { name: 'Created manually first', license_numbers: [named] },
  });
  for (const location of [named, other]) control.addSite({ ubi, location, name: 'LISTED BY THE STATE' });
  await syncTenant(service, tenantId, { refresh: 'force' });
  const own = await holderOf(tenantId, other);
  t.not(own.id, made.body.id);
  const run = await switchTo(tenantId, 'one_per_vendor');
  t.equal(run.counts.adopted, 1);
  const items = await readAll(`${pathOf(tenantId)}/syncs/${run.id}/plan?page[size]=500`);
  const actions = items.filter((item) => item.company_id === made.body.id && item.license_id === null);
  t.strictSame(
    actions.map(({ action }) => action),
    ['adopted'],
    'not unchanged too',
  );
  t.equal(items.filter(({ action }) => action === 'unchanged').length, run.counts.unchanged);
  t.equal((await holderOf(tenantId, other)).id, made.body.id, 'it holds all licenses of the vendor');
  const explained = (await ask('GET', `${pathOf(tenantId)}/companies/${made.body.id}/explain`)).body;
  t.match(explained, { origin: 'manual', own_company_of: null, vendor_company_of: ubi });
  t.match(
    explained.vendor_candidates.find(({ license_number }: Body) => license_number === other),
    {
      company_id: own.id,
      company_name: (await ask('GET', `${pathOf(tenantId)}/companies/${own.id}`)).body.display_name,
      verdict: 'manual_company_wins',
    },
  );
  t.match(
    explained.licenses.find(({ license_number }: Body) => license_number === other),
    { rejected: [{ company_id: own.id, company_name: own.display_name }] },
    'with the name of the rejected company',
  );
  t.match((await ask('GET', `${pathOf(tenantId)}/companies/${own.id}/explain`)).body, {
    superseded_by: made.body.id,
    superseded_by_name: (await holderOf(tenantId, other)).display_name,
  });
  await switchTo(tenantId, 'one_per_license');
  t.equal((await holderOf(tenantId, other)).id, own.id, 'the own company holds it again');
  t.equal((await holderOf(tenantId, named)).id, made.body.id);
});

t.test('an active company still holds a license that is no longer listed', async (t) => {
  const ubi = '990000100';
  const [kept, gone] = ['990000101', '990000102'];
  for (const location of [kept, gone]) control.addSite({ ubi, location, name: 'TWO SITES' });
  const tenantId = await makeTenant(service, 'credential', 'one_per_vendor');
  await syncTenant(service, tenantId, { refresh: 'force' });
  control.vanish({ location: gone });
  await syncTenant(service, tenantId, { refresh: 'force' });
  const { id } = await holderOf(tenantId, kept);
  const body = { name: 'Created manually', license_numbers: [gone] };
  t.match(await ask('POST', `${pathOf(tenantId)}/companies`, { body }), {
    status: 409,
    body: { code: 'license_taken', conflicting_id: id },
  });
  control.vanish({ location: kept });
  await syncTenant(service, tenantId, { refresh: 'force' });
  const made = await ask('POST', `${pathOf(tenantId)}/companies`, { body });
  t.match(made, { status: 201 }, 'an archived company does not keep its licenses');
});

for (const strategy of ['one_per_license', 'one_per_vendor'] as const) {
  t.test(`a manual company of a missing license is as the next sync would leave it, ${strategy}`, async (t) => {
    const [ubi, location] = strategy === 'one_per_license' ? ['880000012', '88310002'] : ['880000013', '88310003'];
    control.addSite({ ubi, location, name: 'TO VANISH' });
    control.addSite({ ubi: '880000014', location: `${location}9`, name: 'NAMESAKE' });
    const tenantId = await makeTenant(service, 'credential', strategy);
    await syncTenant(service, tenantId, { refresh: 'force' });
    control.vanish({ location });
    await syncTenant(service, tenantId, { refresh: 'force' });
    const former = await holderOf(tenantId, location, '&archived=include');
    const before = await readFeed(service, tenantId);
    const made = await ask('POST', `${pathOf(tenantId)}/companies`, {
      body: { name: 'Namesake', license_numbers: [location] },
    });
    t.match(made, { status: 201, body: { ubi, name: 'Namesake', archived: false } });
    const lines = await readTail(service, tenantId, before);
    t.strictSame(
      lines.filter(({ company_id: id }) => id === made.body.id).map(({ kind, reason }) => [kind, reason]),
      [
        ['company.created', 'first_seen'],
        ['license.moved', 'added_manually'],
      ],
    );
    // Otherwise, a sync with the same inputs would not even plan.
    await sql(`update sync_states set compared_datetime = now() - interval '2 days' where tenant_id = $1`, [tenantId]);
    const run = await syncTenant(service, tenantId);
    t.match(run.counts, { created: 0, updated: 0, archived: 0, licenses_updated: 0, moved: 0 });
    const after = await ask('GET', `${pathOf(tenantId)}/companies/${made.body.id}?licenses=all`);
    t.strictSame(after.body, made.body);
    t.equal(after.body.etag, made.body.etag, 'the next sync does not rewrite it');
    const { body: left } = await ask('GET', `${pathOf(tenantId)}/companies/${former.id}`);
    t.match(left, { archived: true, superseded_by: made.body.id });
  });
}

t.test('a license that a user adds to a company moves with the reason added_manually', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_license');
  const location = '88310001';
  control.addSite({ ubi: '880000011', location, name: 'TO VANISH' });
  await syncTenant(service, tenantId, { refresh: 'force' });
  control.vanish({ location });
  await syncTenant(service, tenantId, { refresh: 'force' });
  const before = await readFeed(service, tenantId);
  const made = await ask('POST', `${pathOf(tenantId)}/companies`, {
    body: { name: 'Created manually', license_numbers: [location] },
  });
  t.equal(made.status, 201);
  const lines = await readTail(service, tenantId, before);
  t.match(lines.at(-1), { kind: 'license.moved', company_id: made.body.id, reason: 'added_manually' });
});

t.test('explanation and history', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_vendor');
  const run = await syncTenant(service, tenantId, { refresh: 'force' });
  const [sold, kept] = control.rows({ ubi: demo.ubi }).filter(({ deleted }) => !deleted) as { location: string }[];
  const seller = await holderOf(tenantId, sold?.location ?? '');
  const path = `${pathOf(tenantId)}/companies/${seller.id}`;
  const explained = (await ask('GET', `${path}/explain`)).body;
  t.match(explained, { id: seller.id, vendor_company_of: demo.ubi, created: { reason: 'first_seen', run_id: run.id } });
  t.equal(explained.vendor_candidates.filter(({ verdict }: Body) => verdict === 'chosen').length, 1);
  t.match(
    explained.licenses.find(({ license_number }: Body) => license_number === kept?.location),
    { rule: 'vendor_company', ubi_key: demo.ubi, active: true, decided: { run_id: run.id } },
  );
  await edit(tenantId, seller.id, { name: 'Our name' });
  control.sell({ location: sold?.location ?? '', toUbi: '007331902' });
  const second = await syncTenant(service, tenantId, { refresh: 'force' });
  const buyer = await holderOf(tenantId, sold?.location ?? '');
  const history = (await ask('GET', `${path}/history`)).body;
  t.match(history, { complete_from_datetime: null });
  t.match(history.names, [
    { name: seller.name, since_datetime: seller.inserted_datetime, run_id: run.id },
    { name: 'Our name', run_id: null, until_datetime: null },
  ]);
  t.match(
    history.licenses.find(({ license_number }: Body) => license_number === sold?.location),
    {
      since_reason: 'first_seen',
      from_company_name: null,
      until_reason: 'sold',
      to_company_id: buyer.id,
      to_company_name: buyer.display_name,
    },
  );
  t.match(
    history.owners.filter(({ license_number }: Body) => license_number === sold?.location),
    [{ ubi: demo.ubi }, { ubi: '007331902', until_datetime: null }],
    'the previous and the current vendor',
  );
  const bought = (await ask('GET', `${pathOf(tenantId)}/companies/${buyer.id}/history`)).body;
  t.match(
    bought.licenses.find(({ license_number }: Body) => license_number === sold?.location),
    { since_reason: 'sold', from_company_id: seller.id, from_company_name: 'Our name', until_datetime: null },
  );
  const [row] = await sql<{ kind: string }>(
    `select kind from changes where tenant_id = $1 and from_company_id = $2 and run_id = $3`,
    [tenantId, seller.id, second.id],
  );
  t.equal(row?.kind, 'license.transferred');
  control.sell({ location: sold?.location ?? '', toUbi: demo.ubi });
  t.match(await ask('GET', `${pathOf(tenantId)}/companies/${newId()}/explain`), { status: 404 });
  t.match(await ask('GET', `${pathOf(tenantId)}/companies/${newId()}/history`), { status: 404 });
});

t.test('every documented response of these operations was tested', async (t) => {
  t.strictSame(contract.listUnseen(OWNERS['companies.test.ts'], isOwnOutcome), []);
});
