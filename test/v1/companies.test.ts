import t from 'tap';
import { clientOf, withTenant } from '../../src/db/database.js';
import { queryAsTenant } from '../../src/db/single-statement.js';
import { toChangePageStatement } from '../../src/modules/changes/repository.js';
import { toPageStatement } from '../../src/modules/companies/repository.js';
import { isOwnOutcome, OWNERS } from '../helpers/contract.js';
import { makeTenant, startTestService, syncTenant, waitForRun } from '../helpers/service.js';

/** Runs and what they make: starting, reading and listing. What a run does to companies is in `test/sync`. */

const service = await startTestService(t);
const { ask, newId, contract, simulator } = service;
const { control, demo } = simulator;

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

/** All pages of a list. */
async function readAll(path: string): Promise<Company[]> {
  const all: Company[] = [];
  for (let next: string | null = path; next !== null; ) {
    const { status, body } = await ask('GET', next);
    if (status !== 200) throw new Error(`${next} → ${status}`);
    all.push(...body.data);
    next = body.next_page;
  }
  return all;
}

t.test('startSync', async (t) => {
  for (const [upTo, next] of [
    ['tenant', 'putUbi'],
    ['ubi', 'putCompanyCreationPreference'],
    ['preference', 'createCredential'],
  ] as const) {
    const id = await makeTenant(service, upTo);
    t.match(
      await ask('POST', `/v1/tenants/${id}/syncs`, { body: {} }),
      { status: 409, body: { code: 'setup_incomplete', next_step: { operation_id: next, path: /^\/v1\/tenants\// } } },
      `after ${upTo}`,
    );
  }
  const tenantId = await makeTenant(service, 'credential', 'one_per_vendor');
  const path = `/v1/tenants/${tenantId}/syncs`;
  for (const body of [
    { mode: 'dry_run' },
    { refresh: 'always' },
    { refresh: true },
    { dry_run: true },
    [],
    null,
    'x',
    1,
  ]) {
    t.match(
      await ask('POST', path, { body }),
      { status: 400, body: { code: 'invalid_request' } },
      JSON.stringify(body),
    );
  }
  t.strictSame((await ask('GET', path)).body, { data: [], next_page: null }, 'none of it started a run');

  const started = await ask('POST', path, { body: { mode: 'full', refresh: 'force' } });
  t.match(started, {
    status: 202,
    body: {
      trigger: 'request',
      mode: 'full',
      refresh: 'force',
      strategy: 'one_per_vendor',
      reason: null,
      reason_detail: null,
    },
  });
  t.ok(['queued', 'running'].includes(started.body.status));
  t.equal(started.headers.get('location'), `${path}/${started.body.id}`);
  const run = await waitForRun(service, tenantId, started.body.id);
  t.match(run, { attempt: 1, progress: { step: 'done', done: 4, total: 4 }, directory_version: 1 });
  t.match(run.status, /^succeeded/);
});

t.test('getSync and listSyncs', async (t) => {
  const tenantId = await makeTenant(service);
  const path = `/v1/tenants/${tenantId}/syncs`;
  const runs = [
    await syncTenant(service, tenantId),
    await syncTenant(service, tenantId),
    await syncTenant(service, tenantId),
  ];
  const read = await ask('GET', `${path}/${runs[0].id}`);
  t.match(read, { status: 200, body: runs[0] });
  const times = [read.body.requested_datetime, read.body.started_datetime, read.body.finished_datetime];
  t.strictSame(times, [...times].sort(), 'requested, started, finished');
  t.match(await ask('GET', `${path}/${newId()}`), { status: 404, body: { code: 'not_found' } });

  const toIds = (body: { data: { id: string }[] }): string[] => body.data.map(({ id }) => id);
  const newestFirst = runs.map(({ id }) => id).reverse();
  t.strictSame(toIds((await ask('GET', path)).body), newestFirst, 'newest first');
  const first = await ask('GET', `${path}?page[size]=2`);
  t.strictSame(toIds(first.body), newestFirst.slice(0, 2));
  t.strictSame(toIds((await ask('GET', first.body.next_page)).body), newestFirst.slice(2));
  t.match(await ask('GET', `${path}?page[after]=nonsense`), { status: 400, body: { code: 'invalid_cursor' } });
  t.match(await ask('GET', `${path}?status=failed`), { status: 400, body: { errors: [{ pointer: '?status' }] } });
});

t.test('a list of companies has an ETag that moves with whatever it can show', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_vendor');
  const path = `/v1/tenants/${tenantId}/companies`;
  const poll = async (query: string, etag: string) =>
    ask('GET', `${path}${query}`, { headers: { 'if-none-match': etag } });
  const read = async (query = ''): Promise<string> => (await ask('GET', `${path}${query}`)).headers.get('etag') ?? '';

  const empty = await read();
  t.match(empty, /^"[A-Za-z0-9_-]{22}"$/, 'strong');
  t.match(await poll('', empty), { status: 304, body: undefined }, 'nothing yet, and that is known');
  await syncTenant(service, tenantId);
  t.equal((await poll('', empty)).status, 200, 'a first sync is seen');

  const etag = await read();
  const same = await poll('', etag);
  t.match(same, { status: 304, body: undefined });
  t.equal(same.headers.get('etag'), etag);
  t.equal((await poll('', `"x", W/${etag}`)).status, 304, 'one of several, a weak one is as good');
  t.equal((await poll('', '*')).status, 304, 'whatever there is');
  for (const other of ['"x"', etag.slice(1, -1), `${etag.slice(0, -2)}"`, 'nonsense']) {
    t.equal((await poll('', other)).status, 200, other);
  }
  const queries = ['?page[size]=5', '?licenses=all', '?archived=include', '?name=a', `?ubi=${demo.ubi}`];
  const etags = await Promise.all(queries.map((query) => read(query)));
  t.equal(new Set([etag, ...etags]).size, queries.length + 1, 'another query is another list');
  t.equal(await read('?page[size]=100'), etag, 'the default, said aloud');
  const { body: first } = await ask('GET', `${path}?page[size]=5`);
  t.not(await read(new URL(first.next_page).search), etags[0], 'another page is another list');
  t.match(
    await ask('GET', `/v1/tenants/${newId()}/companies`, { headers: { 'if-none-match': '*' } }),
    { status: 404, body: { code: 'not_found' } },
    'not of a tenant that does not exist',
  );

  await syncTenant(service, tenantId, { refresh: 'force' });
  t.equal((await poll('', etag)).status, 304, 'a sync without news is none');
  const [row] = control.rows().filter(({ deleted }) => !deleted);
  control.rename({ location: String(row?.location), name: 'ANOTHER NAME' });
  await syncTenant(service, tenantId, { refresh: 'force' });
  t.equal((await poll('', etag)).status, 200, 'a name is');
});

t.test('whoever asks after a change is told of it, however many ask at once', async (t) => {
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
    // Their reads are under way when the change is made, and those of the others come right after it.
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
  t.equal(stale, 0, `of ${polls} polls none was told less than it could have read itself`);
});

t.test('a list that is sent again is the same to the byte, and ends with its tenant', async (t) => {
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

t.test('a page of a long list is read in the order of its index, in tables that were never analysed', async (t) => {
  const tenantId = await makeTenant(service, 'tenant');
  await service.sql(
    `insert into companies (tenant_id, id, origin, source_name, display_name, name_group, is_own_company)
     select $1, gen_random_uuid(), 'biotrack', 'Name ' || n, 'Name ' || n, 'name ' || n, false from generate_series(1, 3000) n`,
    [tenantId],
  );
  await service.sql(
    `insert into changes (tenant_id, seq, kind, before, after, actor)
     select $1, n, 'company.updated', '{}', '{}', 'test' from generate_series(1, 3000) n`,
    [tenantId],
  );
  const lists = {
    companies: toPageStatement(tenantId, { archived: 'exclude' }, 100, undefined, 'active'),
    changes: toChangePageStatement(tenantId, 100, 0),
  };
  for (const [name, { text, values }] of Object.entries(lists)) {
    const explain = { text: `explain (analyze) ${text}`, values };
    const lines = await queryAsTenant<{ 'QUERY PLAN': string }>(service.service.db, tenantId, explain);
    const plan = lines.map((line) => line['QUERY PLAN']).join('\n');
    t.match(plan, new RegExp(`Index Scan using ${name}_pkey on ${name} .*rows=101`), plan);
    t.notMatch(plan, /rows=3000/, name);
  }
  await service.sql('delete from tenants where tenant_id = $1', [tenantId]);
});

t.test('no write that a list can show leaves the revision where it was', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_vendor');
  await syncTenant(service, tenantId);
  const getRevision = async (): Promise<number> => {
    const [row] = await service.sql<{ revision: string }>('select revision from tenants where tenant_id = $1', [
      tenantId,
    ]);
    return Number(row?.revision);
  };
  // As the service writes, with each column that there is: what is added later is seen as well.
  for (const table of ['companies', 'company_licenses']) {
    const columns = await service.sql<{ name: string }>(
      `select column_name as name from information_schema.columns
        where table_schema = 'public' and table_name = $1 and column_name <> 'tenant_id'`,
      [table],
    );
    t.ok(columns.length > 15);
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
    ['companies', 'company_licenses'],
    'at insert, update and delete',
  );
});

t.test('listCompanies', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_vendor');
  const path = `/v1/tenants/${tenantId}/companies`;
  t.strictSame((await ask('GET', path)).body, { data: [], next_page: null }, 'none before the first sync');
  await syncTenant(service, tenantId);

  const all = await readAll(`${path}?page[size]=500`);
  t.ok(all.length > 50, `${all.length} companies`);
  const ids = all.map(({ id }) => id);
  t.strictSame(ids, [...ids].sort(), 'oldest first');
  for (const size of [1, 7, 50, 100]) {
    const paged = await readAll(`${path}?page[size]=${size}`);
    t.strictSame(
      paged.map(({ id }) => id),
      ids,
      `in pages of ${size} the same`,
    );
  }
  t.strictSame(await readAll(path), all, '100 on a page unless told');
  t.equal((await ask('GET', path)).body.data.length, Math.min(100, all.length));
  t.equal(new Set(all.map(({ display_name }) => display_name)).size, all.length, 'display names tell them apart');
  t.ok(
    all.every(
      ({ archived, origin, overrides }) => archived === false && origin === 'biotrack' && `${overrides}` === '',
    ),
  );
  const own = all.filter(({ is_own_company }) => is_own_company);
  t.strictSame(
    own.map(({ ubi }) => ubi),
    [demo.ubi],
    "the tenant's own company is flagged",
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
  t.ok((await expectSame({ name: word.toLowerCase() }, isLike(word))) > 0, 'upper and lower case are the same');
  await expectSame({ name: '' }, () => true);
  for (const name of ['%', '_', '\\', "'", '"', '&', 'Ñ', "'; drop table companies; --", '%%%', 'a%b', '\\%']) {
    await expectSame({ name }, isLike(name));
  }
  t.equal(await expectSame({ ubi: demo.ubi }, ({ ubi }) => ubi === demo.ubi), 1);
  t.equal(await expectSame({ ubi: ` ${demo.ubi}  ` }, ({ ubi }) => ubi === demo.ubi), 1, 'white space aside');
  t.equal(await expectSame({ ubi: demo.ubi.replace(/^0/, '') }, () => false), 0, 'leading zeros count');
  const number = some.licenses[0]?.license_number as string;
  t.equal(await expectSame({ license_number: number }, ({ id }) => id === some.id), 1);
  t.equal(await expectSame({ license_number: number.slice(1) }, () => false), 0, 'exactly this number');
  const city = some.licenses[0]?.address.city as string;
  const isIn = ({ licenses }: Company) =>
    licenses.some(({ address }) => address.city?.toLowerCase() === city.toLowerCase());
  t.ok((await expectSame({ city: city.toLowerCase() }, isIn)) > 1);
  t.ok(
    (await expectSame({ city, ubi: some.ubi as string }, (company) => isIn(company) && company.ubi === some.ubi)) > 0,
    'filters narrow each other',
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
    { sort: 'name' },
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
    'a cursor is bound to its filters',
  );
  const other = await makeTenant(service);
  t.match(
    await ask('GET', next.replace(tenantId, other)),
    { status: 400, body: { code: 'invalid_cursor' } },
    'and to its tenant',
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
  t.match(headers.get('etag'), /^"\d+"$/);
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
    'an archived one answers too',
  );
  t.equal(gone.body.licenses.length, 0);
  const whole = await ask('GET', `${path}/${body.id}?licenses=all`);
  t.match(whole.body.licenses, [{ license_number: location, active: false }]);
  t.type(whole.body.licenses[0].missing_since_datetime, 'string');
  t.not(gone.headers.get('etag'), headers.get('etag'), 'it has another version');
  t.strictSame(
    (await readAll(path)).filter(({ id }) => id === body.id),
    [],
    'not in the list',
  );
  t.equal((await readAll(`${path}?archived=only`)).filter(({ id }) => id === body.id).length, 1);
  t.match(await ask('GET', `${path}/${newId()}`), { status: 404, body: { code: 'not_found' } });
});

t.test('every promised answer of these operations was seen', async (t) => {
  t.strictSame(contract.listUnseen(OWNERS['companies.test.ts'], isOwnOutcome), []);
});
