import pg from 'pg';
import t from 'tap';
import { isOwnOutcome, OWNERS } from '../helpers/contract.js';
import { FIRST_PUT, makeTenant, startTestService, syncTenant } from '../helpers/service.js';
import { until } from '../helpers/until.js';

const service = await startTestService(t, {
  hasLine: true,
  states: (environment) => ({
    NM: { environments: { production: environment, training: environment } },
    WA: { environments: { production: environment } },
    NY: { status: 'left', left_on: '2025', environments: {} },
  }),
});
const { ask, newId, contract } = service;

const NAMED = { name: 'Example Mesa Farms', state: 'NM', environment: 'training' };
const isRecent = (text: string): boolean => Math.abs(Date.now() - new Date(text).getTime()) < 60_000;

t.test('putTenant', async (t) => {
  const id = newId();
  const path = `/v1/tenants/${id}`;
  t.match(await ask('PUT', path, { body: NAMED }), { status: 428, body: { code: 'precondition_required' } });
  t.match(
    await ask('PUT', path, { body: NAMED, headers: { 'if-match': '"1"' } }),
    { status: 412, body: { code: 'precondition_failed' } },
    'there is no version to match',
  );
  const created = await ask('PUT', path, { body: NAMED, headers: FIRST_PUT });
  t.match(created, { status: 201, body: { id, ...NAMED } });
  t.ok(isRecent(created.body.inserted_datetime));
  const etag = created.headers.get('etag') as string;

  t.match(await ask('PUT', path, { body: NAMED }), { status: 428, body: { code: 'precondition_required' } });
  t.match(await ask('PUT', path, { body: NAMED, headers: FIRST_PUT }), { status: 412 }, 'the tenant already exists');
  for (const name of ['if-match', 'if-none-match']) {
    for (const value of ['"1', '1', 'W/1', '"1" "2"', '']) {
      t.match(
        await ask('PUT', path, { body: NAMED, headers: { [name]: value } }),
        { status: 400, body: { errors: [{ pointer: `header:${name}` }] } },
        `${name}: ${value}`,
      );
    }
  }

  const renamed = await ask('PUT', path, { body: { ...NAMED, name: 'Ñandú & Söhne' }, headers: { 'if-match': etag } });
  t.match(renamed, { status: 200, body: { name: 'Ñandú & Söhne', state: 'NM' } });
  t.not(renamed.headers.get('etag'), etag);
  t.match(await ask('PUT', path, { body: NAMED, headers: { 'if-match': etag } }), { status: 412 }, 'the ETag is stale');
  const second = renamed.headers.get('etag') as string;
  const either = { 'if-match': `${etag}, ${second}` };
  const moved = await ask('PUT', path, { body: { ...NAMED, state: 'WA', environment: 'production' }, headers: either });
  t.match(moved, { status: 200, body: { state: 'WA', environment: 'production' } }, 'one of several ETags is enough');

  const now = { 'if-match': moved.headers.get('etag') as string };
  t.match(await ask('PUT', path, { body: { ...NAMED, state: 'ZZ' }, headers: now }), {
    status: 422,
    body: { code: 'unknown_state', errors: [{ pointer: '/state' }] },
  });
  t.match(await ask('PUT', path, { body: { ...NAMED, state: 'WA', environment: 'training' }, headers: now }), {
    status: 422,
    body: { code: 'unknown_state', errors: [{ pointer: '/environment' }] },
  });
  const unsupported = newId();
  const where = { state: 'WA', environment: 'production' };
  const saved = await ask('PUT', `/v1/tenants/${unsupported}`, { body: { ...NAMED, ...where }, headers: FIRST_PUT });
  await service.sql(`update tenants set state = 'ZZ' where tenant_id = $1`, [unsupported]);
  t.match(
    await ask('PUT', `/v1/tenants/${unsupported}`, {
      body: { name: 'Renamed', state: 'ZZ', environment: 'production' },
      headers: { 'if-match': saved.headers.get('etag') as string },
    }),
    { status: 200, body: { name: 'Renamed', state: 'ZZ' } },
    'a tenant of an unsupported state can be renamed',
  );
  t.match(
    await ask('PUT', `/v1/tenants/${newId()}`, { body: { ...NAMED, state: 'NY' }, headers: FIRST_PUT }),
    { status: 422, body: { code: 'unknown_state' } },
    'a state that left BioTrack cannot be chosen',
  );

  const synced = await makeTenant(service);
  await syncTenant(service, synced);
  const before = await ask('GET', `/v1/tenants/${synced}`);
  const match = { 'if-match': before.headers.get('etag') as string };
  for (const change of [{ environment: 'training' }, { state: 'WA' }]) {
    const body = { name: 'Test', state: 'NM', environment: 'production', ...change };
    t.match(await ask('PUT', `/v1/tenants/${synced}`, { body, headers: match }), {
      status: 409,
      body: { code: 'fixed_after_first_sync' },
    });
  }
  const body = { name: 'Another name', state: 'NM', environment: 'production' };
  t.match(
    await ask('PUT', `/v1/tenants/${synced}`, { body, headers: match }),
    { status: 200, body },
    'the name can still change',
  );

  const racing = newId();
  const race = await Promise.all(
    Array.from({ length: 8 }, () => ask('PUT', `/v1/tenants/${racing}`, { body: NAMED, headers: FIRST_PUT })),
  );
  t.strictSame(
    race.map(({ status }) => status).sort(),
    [201, 412, 412, 412, 412, 412, 412, 412],
    'one of eight concurrent requests creates it',
  );
  const edits = await Promise.all(
    Array.from({ length: 8 }, (_each, index) =>
      ask('PUT', `/v1/tenants/${racing}`, { body: { ...NAMED, name: `by ${index}` }, headers: { 'if-match': '"1"' } }),
    ),
  );
  t.strictSame(
    edits.map(({ status }) => status).sort(),
    [200, 412, 412, 412, 412, 412, 412, 412],
    'one of eight concurrent edits succeeds',
  );
});

/** RFC 9110, 13.2.2: If-Match first, then If-None-Match. A tenant has the version 1 when it is new. */
t.test('preconditions', async (t) => {
  const cases: readonly [
    ifMatch: string | undefined,
    ifNoneMatch: string | undefined,
    fresh: number,
    existing: number,
  ][] = [
    [undefined, undefined, 428, 428],
    ['"1"', undefined, 412, 200],
    ['W/"1"', undefined, 412, 200],
    ['"7", W/"1" , "x"', undefined, 412, 200],
    ['"7"', undefined, 412, 412],
    ['"x"', undefined, 412, 412],
    ['*', undefined, 412, 200],
    [undefined, '*', 201, 412],
    [undefined, '"7"', 201, 428],
    [undefined, 'W/"1"', 201, 412],
    ['"1"', '"7"', 412, 200],
    ['"1"', '*', 412, 412],
    ['"1"', '"1"', 412, 412],
    ['"7"', '"8"', 412, 412],
  ];
  for (const [ifMatch, ifNoneMatch, fresh, existing] of cases) {
    const headers = {
      ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }),
      ...(ifNoneMatch === undefined ? {} : { 'if-none-match': ifNoneMatch }),
    };
    const present = await makeTenant(service, 'tenant');
    const put = async (id: string) => (await ask('PUT', `/v1/tenants/${id}`, { body: NAMED, headers })).status;
    t.strictSame([await put(newId()), await put(present)], [fresh, existing], JSON.stringify(headers));
  }
});

t.test('ids are accepted in upper case, and returned in lower case', async (t) => {
  const id = await makeTenant(service, 'tenant');
  const path = `/v1/tenants/${id.toUpperCase()}`;
  t.match(await ask('GET', path), { status: 200, body: { id } });
  const made = newId();
  const put = await ask('PUT', `/v1/tenants/${made.toUpperCase()}`, { body: NAMED, headers: FIRST_PUT });
  t.match(put, { status: 201, body: { id: made } });
  const key = await ask('POST', '/v1/api-keys', {
    body: { description: 'x', role: 'admin', tenant_id: id.toUpperCase() },
  });
  t.match(key, { status: 201, body: { tenant_id: id } });
  const own = { key: key.body.secret };
  t.equal((await ask('GET', `${path}/setup`, own)).status, 200, 'an id in upper case is the tenant of the key');
  t.equal((await ask('GET', `/v1/tenants/${made.toUpperCase()}/setup`, own)).status, 404, 'another tenant is not');
});

t.test('getTenant', async (t) => {
  const id = await makeTenant(service, 'tenant');
  const { status, body, headers } = await ask('GET', `/v1/tenants/${id}`);
  t.match({ status, body }, { status: 200, body: { id, name: 'Test', state: 'NM', environment: 'production' } });
  t.match(headers.get('etag'), /^"\d+-[\w-]{22}"$/);
  t.equal(body.etag, '"1"');
  const head = await ask('HEAD', `/v1/tenants/${id}`);
  t.match(
    { status: head.status, body: head.body, etag: head.headers.get('etag') },
    {
      status: 200,
      body: undefined,
      etag: headers.get('etag'),
    },
  );
});

t.test('listTenants', async (t) => {
  const made = [await makeTenant(service, 'tenant'), await makeTenant(service, 'tenant')];
  const { body } = await ask('GET', '/v1/tenants');
  const ids = body.data.map(({ id }: { id: string }) => id);
  t.strictSame(ids, [...ids].sort(), 'ordered by id');
  t.ok(made.every((id) => ids.includes(id)));
  const [first] = [await ask('GET', `/v1/tenants?page[size]=${ids.length - 1}`)];
  t.equal(first.body.data.length, ids.length - 1);
  const last = await ask('GET', first.body.next_page);
  t.strictSame(
    last.body.data.map(({ id }: { id: string }) => id),
    ids.slice(-1),
  );
  t.equal(last.body.next_page, null);
  const whole = await ask('GET', `/v1/tenants?page[size]=${ids.length}`);
  t.equal(whole.body.next_page, null, 'a full page can be the last one');
  t.match(await ask('GET', '/v1/tenants?page[after]=x'), { status: 400, body: { code: 'invalid_cursor' } });
});

t.test('deleteTenant: a large tenant, and others meanwhile', async (t) => {
  const { sql } = service;
  const tenantId = await makeTenant(service, 'credential', 'one_per_license');
  const other = await makeTenant(service, 'credential', 'one_per_vendor');
  await syncTenant(service, other);
  const many = 12_000;
  await sql(
    `insert into companies (tenant_id, id, origin, source_name, display_name, name_group, search_text, is_own_company, created_reason, created_actor)
     select $1, md5('company' || n)::uuid, 'biotrack', 'Name ' || n, 'Name ' || n, 'name ' || n, 'name ' || n, false, 'first_seen', 'test'
       from generate_series(1, ${many}) n`,
    [tenantId],
  );
  await sql(
    `insert into company_licenses (tenant_id, id, company_id, own_company_id, license_key, license_number, search_text, activities, is_lab, active, content_hash)
     select $1, md5('license' || n)::uuid, md5('company' || n)::uuid, md5('company' || n)::uuid, n, n, '', '{}', false, true, ''
       from generate_series(1, ${many}) n`,
    [tenantId],
  );
  const path = `/v1/tenants/${tenantId}`;
  const etag = (await ask('GET', path)).headers.get('etag') ?? '';
  const client = new pg.Client({ connectionString: service.databaseUrl });
  await client.connect();
  t.teardown(() => client.end());
  // Holds up the deletion in its second statement.
  await client.query('begin');
  await client.query(`select from company_licenses where tenant_id = $1 and license_key = '${many}' for update`, [
    tenantId,
  ]);
  const deleted = ask('DELETE', path, { headers: { 'if-match': etag } });
  await until('the deletion waits', async () => {
    const waiting = await sql(
      `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query ilike 'delete%'`,
    );
    return waiting.length > 0;
  });
  const made = await ask('POST', `/v1/tenants/${other}/companies`, { body: { name: 'Meanwhile' } });
  t.equal(made.status, 201, 'another tenant is edited');
  t.match(await syncTenant(service, other, { refresh: 'force' }), { status: /^succeeded/ }, 'and synced');
  const created = await ask('PUT', `/v1/tenants/${newId()}`, {
    body: NAMED,
    headers: FIRST_PUT,
  });
  t.equal(created.status, 201, 'and a third one is created');
  await client.query('commit');
  t.equal((await deleted).status, 204);
  t.strictSame(await sql('select from companies where tenant_id = $1', [tenantId]), []);
  t.equal((await ask('GET', path)).status, 404);
});

t.test('deleteTenant', async (t) => {
  const id = await makeTenant(service, 'credential', 'one_per_vendor');
  const other = await makeTenant(service);
  await syncTenant(service, id);
  await syncTenant(service, other);
  const admin = await ask('POST', '/v1/api-keys', { body: { description: 'x', role: 'admin', tenant_id: id } });
  const path = `/v1/tenants/${id}`;
  const countRows = async (): Promise<Record<string, number>> => {
    const tables = await service.sql<{ table_name: string }>(
      `select table_name from information_schema.columns
        where column_name = 'tenant_id' and table_schema = 'public' and table_name <> 'audit'`,
    );
    const counts: Record<string, number> = {};
    for (const { table_name: table } of tables) {
      const [row] = await service.sql<{ many: number }>(
        `select count(*)::int as many from ${table} where tenant_id = $1`,
        [id],
      );
      if (row !== undefined && row.many > 0) counts[table] = row.many;
    }
    return counts;
  };
  t.ok(Object.keys(await countRows()).length >= 9, 'it has rows in at least nine tables');
  const listed = (await ask('GET', `/v1/tenants/${other}/companies`)).body;

  t.match(await ask('DELETE', path), { status: 428, body: { code: 'precondition_required' } });
  t.match(await ask('DELETE', path, { headers: { 'if-match': '"99"' } }), {
    status: 412,
    body: { code: 'precondition_failed' },
  });
  const etag = (await ask('GET', path)).headers.get('etag') as string;
  t.equal((await ask('DELETE', path, { headers: { 'if-match': etag } })).status, 204);
  t.strictSame(await countRows(), {}, 'no table has rows of it');
  t.match(await ask('GET', path), { status: 404, body: { code: 'not_found' } });
  t.match(await ask('DELETE', path, { headers: { 'if-match': etag } }), { status: 404 });
  t.match(await ask('GET', '/v1/states', { key: admin.body.secret }), { status: 401 }, 'its API keys no longer work');
  t.strictSame((await ask('GET', `/v1/tenants/${other}/companies`)).body, listed, 'other tenants are unchanged');
});

t.test('every documented answer of these operations was seen', async (t) => {
  t.strictSame(contract.listUnseen(OWNERS['tenants.test.ts'], isOwnOutcome), []);
});
