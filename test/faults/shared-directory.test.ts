import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { createBiotrack, parseStates } from '../../src/biotrack/index.js';
import { Secret } from '../../src/domain/secret.js';
import { createDirectoryService } from '../../src/modules/directory/index.js';
import { withDirectoryLease } from '../../src/modules/directory/lease.js';
import { makeTenant, startTestService, syncTenant, type TestService, waitForRun } from '../helpers/service.js';
import { PATIENCE_MS, until } from '../helpers/until.js';

/** One directory for all tenants of a state: who may read it, and how concurrent refreshes are shared. */

const GARBAGE = { description: 'unverified', username: 'unknown@example.com', password: 'garbage', owner: 'company' };

/** Delays the next answer. */
const slowDown = ({ simulator }: TestService, action: 'login' | 'sync_vendor', delayMs: number): void => {
  simulator.control.injectFault({ fault: 'slow_first_byte', action, delayMs, times: 1 });
};

/** A forced refresh of another process. */
async function refreshAsProcess(t: Test, { service, simulator }: TestService): Promise<void> {
  const environment = { dialect: 'api4', url: simulator.url, origin_id: 'test' };
  const biotrack = createBiotrack({ states: parseStates({ NM: { environments: { production: environment } } }) });
  t.teardown(biotrack.close);
  const { ubi, username, password } = simulator.demo;
  const target = { state: 'NM', environment: 'production' } as const;
  await createDirectoryService({ maxAgeSeconds: 600, guardRemovalPercent: 10 }).ensureFresh(service.db, {
    target,
    openSession: () => biotrack.openSession(target, { ubi, username, password: new Secret(password) }),
    includeLabs: false,
    force: true,
  });
}

/** Waits until a call to BioTrack is in progress. */
async function waitForCall({ simulator }: TestService, counter: 'listCallsInFlight' | 'callsInFlight'): Promise<void> {
  for (let tries = 0; simulator.control.counters()[counter] === 0; tries += 1) {
    if (tries > 6_000) throw new Error(`no call to BioTrack: ${counter}`);
    await delay(10);
  }
}

t.test('reading a directory requires a verified login', async (t) => {
  const service = await startTestService(t, { simulator: { licenses: 100 } });
  const { ask, simulator } = service;
  await syncTenant(service, await makeTenant(service));
  const stranger = await makeTenant(service, 'preference');
  const path = `/v1/tenants/${stranger}`;
  const saved = await ask('POST', `${path}/credentials`, { body: { ...GARBAGE, verify: 'skip' } });
  t.equal(saved.body.status, 'unverified');
  const looked = await ask('GET', `${path}/available-licenses`);
  t.match(looked, { status: 409, body: { code: 'setup_incomplete', next_step: { step: 'credentials' } } });
  t.equal(
    (await ask('GET', `${path}/credentials/${saved.body.id}`)).body.status,
    'rejected',
    'the first use verified it',
  );
  t.equal((await ask('POST', `${path}/syncs`, { body: {} })).status, 409);
  t.same((await ask('GET', `${path}/companies`)).body.data, []);

  const { username, password } = simulator.demo;
  const right = { description: 'right', username, password, owner: 'company', verify: 'skip' };
  const unverified = await ask('POST', `${path}/credentials`, { body: right });
  const { logins } = simulator.control.counters();
  const { length: asked } = simulator.control.requests();
  t.match((await syncTenant(service, stranger)).status, /^succeeded/);
  t.equal(simulator.control.counters().logins, logins + 1, 'verified, although the list is fresh');
  t.match(
    simulator.control.requests().slice(asked),
    [{ action: 'login' }, { action: 'sync_vendor', transactionStart: 2_147_483_647 }],
    'the list is not fetched again: an empty range shows whether the login can read it',
  );
  t.equal((await ask('GET', `${path}/credentials/${unverified.body.id}`)).body.status, 'valid', 'the result is saved');
});

t.test('deleting the tenant that leads a refresh does not fail the others', async (t) => {
  const service = await startTestService(t, { simulator: { licenses: 100 } });
  const { ask } = service;
  const [leader, joiner] = [await makeTenant(service), await makeTenant(service)];
  slowDown(service, 'sync_vendor', 2_500);
  await ask('POST', `/v1/tenants/${leader}/syncs`, { body: {} });
  await waitForCall(service, 'listCallsInFlight');
  const { body: run } = await ask('POST', `/v1/tenants/${joiner}/syncs`, { body: {} });
  const { headers } = await ask('GET', `/v1/tenants/${leader}`);
  const deleted = await ask('DELETE', `/v1/tenants/${leader}`, { headers: { 'if-match': headers.get('etag') ?? '' } });
  t.equal(deleted.status, 204);
  t.match((await waitForRun(service, joiner, run.id)).status, /^succeeded/);
  t.notMatch(service.logged(), /"run.reason":"internal"/);
});

t.test('a login problem of the leading tenant does not fail the others', async (t) => {
  const service = await startTestService(t, { simulator: { licenses: 100 } });
  const { ask, sql } = service;
  const [leader, joiner] = [await makeTenant(service), await makeTenant(service)];
  // The lease of another process, so that both tenants wait.
  await sql(
    `insert into directory_leases (state, environment, holder, until_datetime)
     values ('NM', 'production', gen_random_uuid(), now() + interval '1 hour')`,
  );
  const start = async (tenantId: string): Promise<string> =>
    (await ask('POST', `/v1/tenants/${tenantId}/syncs`, { body: {} })).body.id;
  const untilFetching = async (tenantId: string, id: string): Promise<void> => {
    for (let tries = 0; tries < 6_000; tries += 1) {
      if ((await ask('GET', `/v1/tenants/${tenantId}/syncs/${id}`)).body.credential !== null) return;
      await delay(10);
    }
  };
  const led = await start(leader);
  await untilFetching(leader, led);
  await delay(200);
  const joined = await start(joiner);
  await untilFetching(joiner, joined);
  await delay(200);
  await sql(`update credentials set status = 'rejected' where tenant_id = $1`, [leader]);
  await sql('delete from directory_leases');
  t.match(await waitForRun(service, leader, led), { status: 'failed', reason: 'credentials_rejected' });
  t.match(await waitForRun(service, joiner, joined), { status: /^succeeded/ });
});

t.test('a list that was requested earlier does not replace one that was requested later', async (t) => {
  const first = await startTestService(t, { simulator: { licenses: 100, offersSyncCheck: false } });
  const second = await startTestService(t, { beside: first, role: 'api' });
  const [slow, quick] = [await makeTenant(first), await makeTenant(first)];
  await syncTenant(first, slow);
  slowDown(first, 'sync_vendor', 3_000);
  const { body: run } = await first.ask('POST', `/v1/tenants/${slow}/syncs`, { body: { refresh: 'force' } });
  await waitForCall(first, 'listCallsInFlight');
  const added = first.simulator.control.addVendor({});
  await first.sql(`update directories set refreshed_datetime = now() - interval '1 hour'`);
  // As if the process had paused for longer than its lease.
  await first.sql('delete from directory_leases');
  const { body } = await second.ask('GET', `/v1/tenants/${quick}/available-licenses`);
  t.ok(body.data.length > 0, 'another process published the newer list meanwhile');
  t.match((await waitForRun(first, slow, run.id)).status, /^succeeded/);
  const [row] = await first.sql<{ missing: boolean }>(
    'select missing_since_datetime is not null as missing from directory_licenses where license_key = $1',
    [added.locations[0]],
  );
  t.same(row, { missing: false }, 'the vendor that only the newer list contains is still listed');
});

t.test('a refresh with laboratories is repeated if a newer list without them was published', async (t) => {
  const first = await startTestService(t, { simulator: { licenses: 100, offersSyncCheck: false } });
  const second = await startTestService(t, { beside: first, role: 'api' });
  const [withLabs, quick] = [await makeTenant(first), await makeTenant(first)];
  const preference = `/v1/tenants/${withLabs}/company-creation-preference`;
  const { headers } = await first.ask('GET', preference);
  const chosen = await first.ask('PUT', preference, {
    headers: { 'if-match': headers.get('etag') ?? '' },
    body: { strategy: 'one_per_license', include_labs: true },
  });
  t.equal(chosen.status, 200);
  slowDown(first, 'sync_vendor', 3_000);
  const { body: run } = await first.ask('POST', `/v1/tenants/${withLabs}/syncs`, { body: {} });
  await waitForCall(first, 'listCallsInFlight');
  // As if the process had paused for longer than its lease.
  await first.sql('delete from directory_leases');
  t.equal((await second.ask('GET', `/v1/tenants/${quick}/available-licenses`)).status, 200);
  const labCalls = (): number => first.simulator.control.counters().callsByAction.sync_qa_lab ?? 0;
  t.equal(labCalls(), 0, 'the newer list has no laboratories');
  t.match((await waitForRun(first, withLabs, run.id)).status, /^succeeded/);
  t.equal(labCalls(), 2, 'fetched twice: with the superseded list and with the repeated one');
  const [{ many } = { many: 0 }] = await first.sql<{ many: number }>(
    'select count(*)::int as many from company_licenses where tenant_id = $1 and is_lab',
    [withLabs],
  );
  t.ok(many > 0, `${many} laboratories`);
});

t.test('two processes share one fetch', async (t) => {
  const first = await startTestService(t, { simulator: { licenses: 100, offersSyncCheck: false } });
  const second = await startTestService(t, { beside: first, role: 'api' });
  const [leader, waiting] = [await makeTenant(first), await makeTenant(first)];
  await syncTenant(first, leader);
  for (const age of ['1 hour', '0 hours']) {
    await first.sql(`update directories set refreshed_datetime = now() - $1::interval`, [age]);
    const before = first.simulator.control.counters().listCalls;
    slowDown(first, 'sync_vendor', 1_500);
    const { body: run } = await first.ask('POST', `/v1/tenants/${leader}/syncs`, { body: { refresh: 'force' } });
    await waitForCall(first, 'listCallsInFlight');
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => second.ask('GET', `/v1/tenants/${waiting}/available-licenses`)),
    );
    for (const { status } of answers) t.equal(status, 200);
    t.match((await waitForRun(first, leader, run.id)).status, /^succeeded/);
    t.equal(first.simulator.control.counters().listCalls - before, 1, 'one list call for both');
  }
  t.same(await first.sql('select * from directory_leases'), [], 'all leases are released');

  // The lease of a process that was killed.
  await first.sql(
    `insert into directory_leases (state, environment, holder, until_datetime)
     values ('NM', 'production', gen_random_uuid(), now() + interval '2 seconds')`,
  );
  const run = await syncTenant(first, leader, { refresh: 'force' });
  t.match(run.status, /^succeeded/, 'the lease expires');
  t.ok(run.fetched_datetime !== null);
});

t.test('a forced refresh accepts only a list that was requested after it', async (t) => {
  const service = await startTestService(t, { simulator: { licenses: 60, dirtyRows: false } });
  const { control } = service.simulator;
  const [early, ...late] = [await makeTenant(service), await makeTenant(service), await makeTenant(service)] as const;
  for (const tenantId of [early, ...late]) await syncTenant(service, tenantId);
  const location = String(control.rows()[0]?.location);
  const { listCalls } = control.counters();
  slowDown(service, 'sync_vendor', 2_000);
  const waiting = syncTenant(service, early, { refresh: 'force' });
  await waitForCall(service, 'listCallsInFlight');
  control.rename({ location, name: 'RENAMED MEANWHILE' });
  const runs = await Promise.all(late.map((tenantId) => syncTenant(service, tenantId, { refresh: 'force' })));
  for (const { counts } of runs) t.match(counts, { updated: 1 }, 'the list of the first request is not enough');
  t.match((await waiting).status, /^succeeded/);
  t.ok(control.counters().listCalls - listCalls <= 3);
});

t.test('a forced refresh accepts no list that another process requested before it', async (t) => {
  const service = await startTestService(t, { simulator: { licenses: 60, dirtyRows: false } });
  const { control } = service.simulator;
  const tenantId = await makeTenant(service);
  await syncTenant(service, tenantId);
  const location = String(control.rows()[0]?.location);
  const getName = () => service.sql('select name from directory_licenses where license_number = $1', [location]);
  slowDown(service, 'sync_vendor', 2_000);
  const waiting = syncTenant(service, tenantId, { refresh: 'force' });
  await waitForCall(service, 'listCallsInFlight');
  control.rename({ location, name: 'RENAMED ONCE' });
  await refreshAsProcess(t, service);
  t.match(await getName(), [{ name: 'RENAMED ONCE' }]);
  t.match((await waiting).status, /^succeeded/);

  await service.sql(
    `insert into directory_leases (state, environment, holder, until_datetime)
     values ('NM', 'production', gen_random_uuid(), now() + interval '1 hour')`,
  );
  const { listCalls } = control.counters();
  const getNumber = async () => (await service.sql('select last_value from directory_requests'))[0]?.last_value;
  const before = await getNumber();
  const both = [refreshAsProcess(t, service), refreshAsProcess(t, service)];
  await until('both have begun', async () => (await getNumber()) >= before + 2);
  control.rename({ location, name: 'RENAMED TWICE' });
  await service.sql('delete from directory_leases');
  await Promise.all(both);
  t.match(await getName(), [{ name: 'RENAMED TWICE' }]);
  t.equal(control.counters().listCalls - listCalls, 1, 'processes that wait share the next list');
});

t.test('a forced refresh is not refused because of a list that was requested before it', async (t) => {
  const service = await startTestService(t, { simulator: { licenses: 60, dirtyRows: false } });
  const { control } = service.simulator;
  const [early, late] = [await makeTenant(service), await makeTenant(service)];
  for (const tenantId of [early, late]) await syncTenant(service, tenantId);
  control.injectFault({ fault: 'shrunk_list', keep: 10, times: 1 });
  control.injectFault({ fault: 'slow_first_byte', delayMs: 2_000, action: 'sync_check', times: 1 });
  const waiting = syncTenant(service, early, { refresh: 'force' });
  await waitForCall(service, 'callsInFlight');
  t.match((await syncTenant(service, late, { refresh: 'force' })).status, /^succeeded/);
  t.match(await waiting, { status: 'needs_review', reason: 'list_shrunk' });
});

t.test('a process that gets the lease right after another has finished does not fetch again', async (t) => {
  const { service, sql } = await startTestService(t, { simulator: { licenses: 20 } });
  // Between the two looks, the other process publishes its list and releases the lease.
  const looks: (string | undefined)[] = [undefined, 'published'];
  const result = await withDirectoryLease(service.db, { state: 'NM', environment: 'production' }, undefined, {
    load: async () => looks.shift(),
    toResult: (present) => present,
    work: async () => 'fetched again',
  });
  t.equal(result, 'published');
  t.same(await sql('select * from directory_leases'), [], 'the lease is released');
});

t.test('a forced refresh applies to a queued run', async (t) => {
  const service = await startTestService(t, { simulator: { licenses: 100, offersSyncCheck: false }, role: 'api' });
  const { ask } = service;
  const tenantId = await makeTenant(service);
  const { body: queued } = await ask('POST', `/v1/tenants/${tenantId}/syncs`, { body: {} });
  t.equal(queued.refresh, 'auto');
  const { body: joined } = await ask('POST', `/v1/tenants/${tenantId}/syncs`, { body: { refresh: 'force' } });
  t.match(joined, { id: queued.id, refresh: 'force' }, 'the queued run takes the option of the last request');
});

t.test('a login result for an old UBI is not saved', async (t) => {
  const service = await startTestService(t, { simulator: { licenses: 100 } });
  const { ask, simulator } = service;
  const tenantId = await makeTenant(service, 'ubi');
  const path = `/v1/tenants/${tenantId}`;
  const { username, password } = simulator.demo;
  const login = { description: 'office', username, password, owner: 'company' };
  const { body: created, headers } = await ask('POST', `${path}/credentials`, { body: { ...login, verify: 'skip' } });
  slowDown(service, 'login', 800);
  const patching = ask('PATCH', `${path}/credentials/${created.id}`, {
    headers: { 'if-match': headers.get('etag') ?? '' },
    body: { password },
  });
  await waitForCall(service, 'callsInFlight');
  const ubi = await ask('GET', `${path}/ubi`);
  await ask('PUT', `${path}/ubi`, {
    headers: { 'if-match': ubi.headers.get('etag') ?? '' },
    body: { ubi: '999999999' },
  });
  const patched = await patching;
  t.match(patched.body, { ubi: '999999999', status: 'unverified' });
  t.equal((await ask('GET', `${path}/ubi`)).body.status, 'unverified', 'the new UBI stays unverified');
});

t.test('a locked tenant does not block others', async (t) => {
  const service = await startTestService(t, { simulator: { licenses: 100 } });
  const { ask, service: running } = service;
  const [locked, other] = [await makeTenant(service, 'ubi'), await makeTenant(service, 'ubi')];
  const holder = await running.db.pool.connect();
  await holder.query('begin');
  await holder.query('select from tenants where tenant_id = $1 for update', [locked]);
  const put = (): ReturnType<typeof ask> =>
    ask('PUT', `/v1/tenants/${locked}/company-creation-preference`, {
      headers: { 'if-none-match': '*' },
      body: { strategy: 'one_per_vendor' },
    });
  const waiting = [put(), put(), put()];
  t.equal((await ask('GET', `/v1/tenants/${other}/ubi`)).status, 200, 'another tenant is served');
  for (const { status, headers, body } of await Promise.all(waiting)) {
    t.match({ status, code: body.code }, { status: 409, code: 'sync_in_progress' }, 'waiting requests are refused');
    t.ok(Number(headers.get('retry-after')) > 0);
  }
  await holder.query('rollback');
  holder.release();
  t.equal((await put()).status, 201, 'succeeds after the lock is released');
});

t.test('a process that shuts down hands over its run while a request waits for BioTrack', async (t) => {
  const service = await startTestService(t, { simulator: { licenses: 100 } });
  const tenantId = await makeTenant(service);
  slowDown(service, 'sync_vendor', 120_000);
  const { body: run } = await service.ask('POST', `/v1/tenants/${tenantId}/syncs`, { body: {} });
  await waitForCall(service, 'listCallsInFlight');
  const looking = service.ask('GET', `/v1/tenants/${tenantId}/available-licenses`);
  await delay(200);
  const start = performance.now();
  await service.stop();
  t.ok(performance.now() - start < PATIENCE_MS, `it ended after ${Math.round(performance.now() - start)} ms`);
  t.match(await looking, { status: 503, body: { code: 'upstream_unavailable' } }, 'the waiting request returns 503');
  const [row] = await service.sql<{ status: string }>('select status from sync_runs where id = $1', [run.id]);
  t.same(row, { status: 'queued' }, 'the run is queued for another worker');
});

t.test('a tenant that joins after a UBI turned blank groups like older tenants', async (t) => {
  const service = await startTestService(t, { simulator: { licenses: 60 } });
  const { ask, sql, simulator } = service;
  const [ubi, first, second] = ['880000091', '880000092', '880000093'];
  for (const location of [first, second]) simulator.control.addSite({ ubi, location, name: 'TWO SITES' });
  const holdersOf = async (tenantId: string): Promise<string[]> =>
    Promise.all(
      [first, second].map(async (number) => {
        const { body } = await ask('GET', `/v1/tenants/${tenantId}/companies?license_number=${number}`);
        return body.data[0].id;
      }),
    );
  const older = await makeTenant(service, 'credential', 'one_per_vendor');
  await syncTenant(service, older, { refresh: 'force' });
  simulator.control.setUbi({ location: second, ubi: null });
  const blank = {
    status: 'succeeded_with_warnings',
    warnings: [{ code: 'ubi_turned_blank', params: { license_number: second } }],
  };
  t.match(await syncTenant(service, older, { refresh: 'force' }), blank);
  t.equal(new Set(await holdersOf(older)).size, 1, 'one company of an older tenant');

  const newer = await makeTenant(service, 'credential', 'one_per_vendor');
  t.match(await syncTenant(service, newer), blank, 'planned from the list that was just read');
  t.equal(new Set(await holdersOf(newer)).size, 1);
  await sql('update directories set fingerprint = null');
  const last = await makeTenant(service, 'credential', 'one_per_vendor');
  t.match(await syncTenant(service, last), blank, 'planned from the list in the database');
  t.equal(new Set(await holdersOf(last)).size, 1);
  t.match(await syncTenant(service, last), { counts: { updated: 0, moved: 0 } });

  // A sale right before the UBI turns blank, which one tenant did not see.
  simulator.control.setUbi({ location: second, ubi: '880000094' });
  await syncTenant(service, newer, { refresh: 'force' });
  simulator.control.setUbi({ location: second, ubi: null });
  await syncTenant(service, newer, { refresh: 'force' });
  await syncTenant(service, older);
  for (const tenantId of [newer, older]) t.equal(new Set(await holdersOf(tenantId)).size, 2, 'the site was sold');
});
