import t, { type Test } from 'tap';
import { isOwnOutcome, OWNERS } from '../helpers/contract.js';
import { FIRST_PUT, makeTenant, startTestService, syncTenant, type TestResponse } from '../helpers/service.js';
import { pathOf } from '../helpers/tenant-client.js';

const service = await startTestService(t, { simulator: { licenses: 120 } });
const { ask, newId, contract, simulator } = service;
const { control, demo } = simulator;

type Body = TestResponse['body'];
type Caller = { readonly key?: string };

const see = async (tenantId: string, caller: Caller = {}): Promise<Body> => {
  const { status, body } = await ask('GET', `${pathOf(tenantId)}/overview`, caller);
  if (status !== 200) throw new Error(`${status} ${JSON.stringify(body)}`);
  return body;
};

/** The parts of the overview as their own operations return them. */
async function readParts(tenantId: string, caller: Caller): Promise<Body> {
  const path = pathOf(tenantId);
  const read = async (name: string): Promise<Body> => (await ask('GET', `${path}${name}`, caller)).body;
  const orNull = async (name: string): Promise<Body> => {
    const { status, body } = await ask('GET', `${path}${name}`, caller);
    return status === 404 ? null : body;
  };
  const listOf = async (name: string): Promise<Body> => (await read(name)).data;
  const schedule = await read('/schedule');
  const ended = 'succeeded,succeeded_with_warnings,needs_review,failed';
  return {
    tenant: await read(''),
    ubi: await orNull('/ubi'),
    company_creation_preference: await orNull('/company-creation-preference'),
    credentials: await listOf('/credentials?page[size]=100'),
    credentials_truncated: false,
    licenses: await listOf('/licenses?page[size]=500'),
    licenses_truncated: false,
    setup: await read('/setup'),
    schedule,
    last_synced_datetime: schedule.last_synced_datetime,
    last_sync: (await listOf(`/syncs?mode=full&page[size]=1&status=${ended}`))[0] ?? null,
    active_sync: (await listOf('/syncs?mode=full&page[size]=1&status=queued,running'))[0] ?? null,
    reviews: await listOf('/syncs?status=needs_review&page[size]=20'),
    open_conflicts: await listOf('/conflicts?status=open&page[size]=20'),
    open_conflicts_count: (await listOf('/conflicts?status=open&page[size]=500')).length,
  };
}

/** Checks all parts except the age of the list, which grows, and the coverage of the caller. */
async function checkParts(t: Test, tenantId: string, what: string, caller: Caller = {}): Promise<Body> {
  const overview = await see(tenantId, caller);
  const { own_coverage: _own, list: _list, ...parts } = overview;
  t.strictSame(parts, await readParts(tenantId, caller), what);
  return overview;
}

t.test('getOverview follows a tenant through every step', async (t) => {
  t.match(await ask('GET', `${pathOf(newId())}/overview`), { status: 404, body: { code: 'not_found' } });
  const tenantId = await makeTenant(service, 'tenant');
  const path = pathOf(tenantId);
  t.match(
    await checkParts(t, tenantId, 'a new tenant'),
    {
      tenant: { id: tenantId, etag: '"1"' },
      ubi: null,
      company_creation_preference: null,
      credentials: [],
      own_coverage: null,
      licenses: [],
      list: null,
      schedule: { status: 'not_started' },
      last_synced_datetime: null,
      last_sync: null,
      active_sync: null,
      reviews: [],
      open_conflicts: [],
      open_conflicts_count: 0,
    },
    'everything is null or empty',
  );

  await ask('PUT', `${path}/ubi`, { headers: FIRST_PUT, body: { ubi: demo.ubi } });
  t.match(await checkParts(t, tenantId, 'with a UBI'), {
    ubi: { ubi: demo.ubi, etag: '"1"' },
    list: { age_seconds: null, problem: null },
  });
  await ask('PUT', `${path}/company-creation-preference`, {
    headers: FIRST_PUT,
    body: { strategy: 'one_per_vendor' },
  });
  t.match(await checkParts(t, tenantId, 'with a preference'), {
    company_creation_preference: { strategy: 'one_per_vendor', etag: '"1"' },
  });
  const { username, password } = demo;
  await ask('POST', `${path}/credentials`, {
    body: { description: 'office', username, password, owner: 'company' },
  });
  t.match(await checkParts(t, tenantId, 'with a credential'), { credentials: [{ status: 'valid', etag: '"1"' }] });

  // The first one starts the first sync.
  control.injectFault({ fault: 'slow_first_byte', action: 'sync_vendor', delayMs: 500 });
  const [listed] = (await ask('GET', `${path}/available-licenses`)).body.data;
  await ask('POST', `${path}/licenses`, { body: { license_number: listed.license_number } });
  t.match((await see(tenantId)).list, { age_seconds: Number, problem: null }, 'the list was read');
  await syncTenant(service, tenantId);
  t.match(await checkParts(t, tenantId, 'after the first sync'), {
    licenses: [{ license_number: listed.license_number, problem: null, etag: '"1"' }],
    schedule: { status: 'running' },
    last_synced_datetime: String,
    last_sync: { status: /^succeeded/ },
    active_sync: null,
    setup: { next_step: null },
  });

  control.injectFault({ fault: 'slow_first_byte', action: 'sync_vendor', delayMs: 700 });
  const run = await ask('POST', `${path}/syncs`, { body: { refresh: 'force' } });
  t.equal((await see(tenantId)).active_sync?.id, run.body.id, 'a sync in progress');
  await syncTenant(service, tenantId);
  control.clearFaults();

  // A manual company with a license of a vendor that already has a company: a conflict.
  await ask('POST', `${path}/companies`, { body: { name: 'Manual', license_numbers: ['990000001'] } });
  control.addSite({ ubi: demo.ubi, location: '990000001', name: 'NEW' });
  await syncTenant(service, tenantId, { refresh: 'force' });
  const withConflict = await checkParts(t, tenantId, 'with a conflict');
  t.match(withConflict, { open_conflicts: [{ status: 'open' }], open_conflicts_count: 1 });

  await service.sql(`update sync_runs set status = 'needs_review' where id = $1`, [withConflict.last_sync.id]);
  t.match(await checkParts(t, tenantId, 'with a review'), { reviews: [{ id: withConflict.last_sync.id }] });
  await service.sql(`update sync_runs set status = 'succeeded_with_warnings' where id = $1`, [
    withConflict.last_sync.id,
  ]);

  control.vanish({ location: listed.license_number });
  await syncTenant(service, tenantId, { refresh: 'force' });
  t.match(await checkParts(t, tenantId, 'with a license that is no longer listed'), {
    licenses: [{ problem: { reason: 'missing' } }],
  });
  control.restore({ location: listed.license_number });
});

t.test('getOverview shows each caller what they may see', async (t) => {
  const tenantId = await makeTenant(service, 'preference');
  const path = pathOf(tenantId);
  const [one, two] = ['one', 'two'].map((userId) => ({ key: service.tokenOf({ tenantId, role: 'user', userId }) }));
  const { username, password } = demo;
  const save = async (caller: Caller, owner: string, description: string): Promise<string> => {
    const login = { description, username, password, owner };
    const { status, body } = await ask('POST', `${path}/credentials`, { ...caller, body: login });
    t.equal(status, 201, description);
    return body.id;
  };
  t.match(
    (await see(tenantId, one)).own_coverage,
    { user_id: 'one', covered: false, credential: null, own_status: null },
    'a user without a login',
  );
  const ofOne = await save(one as Caller, 'user', 'of one');
  const ofTwo = await save(two as Caller, 'user', 'of two');
  const ofCompany = await save({}, 'company', 'of the company');
  await service.sql(`update credentials set status = 'rejected' where id = $1`, [ofTwo]);
  const idsSeenBy = async (caller: Caller | undefined): Promise<string[]> =>
    (await checkParts(t, tenantId, 'the parts that the caller can read', caller)).credentials.map(({ id }: Body) => id);
  t.strictSame(await idsSeenBy(one), [ofOne, ofCompany], 'a user sees their own');
  t.strictSame(await idsSeenBy(two), [ofTwo, ofCompany], 'and not that of another user');
  t.strictSame(await idsSeenBy({}), [ofOne, ofTwo, ofCompany], 'an operator sees all');
  const admin = { key: service.tokenOf({ tenantId, role: 'admin', userId: 'admin' }) };
  t.strictSame(await idsSeenBy(admin), [ofOne, ofTwo, ofCompany], 'an admin, too');

  const coverage = (await ask('GET', `${path}/credential-coverage`)).body.data;
  for (const [userId, caller] of Object.entries({ one, two, admin })) {
    t.strictSame(
      (await see(tenantId, caller)).own_coverage,
      coverage.find(({ user_id }: Body) => user_id === userId),
      `the coverage of ${userId}`,
    );
  }
  t.match(coverage, [
    { user_id: 'admin', covered: true, credential: { id: ofCompany, reason: 'own_missing' } },
    { user_id: 'one', covered: true, credential: { id: ofOne, reason: 'own' } },
    { user_id: 'two', covered: true, credential: { id: ofCompany, reason: 'own_rejected' }, own_status: 'rejected' },
  ]);
  t.equal((await ask('GET', `${path}/credential-coverage`, one)).status, 403, 'users cannot list the coverage');
  t.equal((await see(tenantId)).own_coverage, null, 'an API key has none');

  const other = await makeTenant(service, 'tenant');
  for (const role of ['admin', 'user'] as const) {
    const key = service.tokenOf({ tenantId: other, role, userId: 'foreign' });
    t.match(await ask('GET', `${path}/overview`, { key }), { status: 404, body: { code: 'not_found' } }, role);
  }
});

t.test('getOverview costs at most twice as many statements as getSetup, and reads no companies', async (t) => {
  const tenantId = await makeTenant(service);
  await syncTenant(service, tenantId);
  const key = service.tokenOf({ tenantId, role: 'user', userId: 'reader' });
  await see(tenantId, { key });
  let texts: string[] = [];
  const recorded = new WeakSet<object>();
  const record = (client: { query: (...args: never[]) => unknown }): void => {
    if (recorded.has(client)) return;
    recorded.add(client);
    const query = client.query.bind(client);
    client.query = (...args: never[]) => {
      const [first] = args as unknown as [string | { text?: string }];
      texts.push(typeof first === 'string' ? first : (first.text ?? ''));
      return query(...args);
    };
  };
  service.service.db.pool.on('acquire', record as never);
  const statementsOf = async (name: string): Promise<string[]> => {
    texts = [];
    await ask('GET', `${pathOf(tenantId)}/${name}`, { key });
    const begin = texts.findIndex((text) => text.includes(`app.tenant_id = '${tenantId}'`));
    return texts.slice(begin, texts.findIndex((text, index) => index > begin && text === 'commit') + 1);
  };
  const [setup, overview] = [await statementsOf('setup'), await statementsOf('overview')];
  service.service.db.pool.off('acquire', record as never);
  t.match(overview[0], /read only/, 'one read-only transaction');
  t.ok(setup.length > 10 && overview.length <= 2 * setup.length, `${setup.length} and ${overview.length} statements`);
  t.notOk(
    overview.some((text) => /from "?(companies|company_licenses|changes)"?/.test(text)),
    'without open conflicts, no statement reads companies, their licenses or the feed',
  );
});

t.test('long lists are cut off', async (t) => {
  const tenantId = await makeTenant(service);
  await service.sql(
    `insert into licenses (tenant_id, id, license_key, license_number, active, sync_enabled, create_companies, sync_rooms,
       notify_on_change, share_with_leaflink)
     select $1, gen_random_uuid(), 'k' || n, 'k' || n, true, false, false, false, false, false from generate_series(1, 501) n`,
    [tenantId],
  );
  await service.sql(
    `insert into credentials (tenant_id, id, owner, description, username, username_key, sealed_password, status)
     select $1, gen_random_uuid(), 'company', 'd' || n, 'u' || n, 'u' || n, '\\x00', 'rejected' from generate_series(1, 100) n`,
    [tenantId],
  );
  const overview = await see(tenantId);
  t.match(overview, { licenses_truncated: true, credentials_truncated: true });
  t.equal(overview.licenses.length, 500);
  t.equal(overview.credentials.length, 100);
  await service.sql('delete from tenants where tenant_id = $1', [tenantId]);
});

t.test('every documented answer of these operations was seen', async (t) => {
  t.strictSame(contract.listUnseen(OWNERS['overview.test.ts'], isOwnOutcome), []);
});
