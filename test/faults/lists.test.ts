import t from 'tap';
import {
  makeTenant,
  startTestService,
  syncTenant,
  type TestResponse,
  type TestService,
  waitForRun,
} from '../helpers/service.js';
import { until } from '../helpers/until.js';

/** Laboratories, transporters, and when a state's list is fetched. */

async function listAll({ ask }: TestService, path: string): Promise<TestResponse['body'][]> {
  const items: TestResponse['body'][] = [];
  let next: string | null = `${path}${path.includes('?') ? '&' : '?'}page%5Bsize%5D=500`;
  while (next !== null) {
    const { body } = await ask('GET', next);
    items.push(...body.data);
    next = body.next_page;
  }
  return items;
}

async function includeLabs({ ask }: TestService, tenantId: string): Promise<void> {
  const preference = `/v1/tenants/${tenantId}/company-creation-preference`;
  const { headers } = await ask('GET', preference);
  const { status } = await ask('PUT', preference, {
    headers: { 'if-match': headers.get('etag') ?? '' },
    body: { strategy: 'one_per_license', include_labs: true },
  });
  if (status !== 200) throw new Error(`${status}`);
}

const isLab = ({ licenses }: TestResponse['body']): boolean =>
  licenses.some(({ activities }: TestResponse['body']) => activities.includes('lab'));

t.test('only tenants that include laboratories get companies for them', async (t) => {
  const service = await startTestService(t, { simulator: { licenses: 150 } });
  const { ask, simulator } = service;
  const [without, withLabs] = [await makeTenant(service), await makeTenant(service)];
  const preference = `/v1/tenants/${withLabs}/company-creation-preference`;
  const { headers } = await ask('GET', preference);
  const changed = await ask('PUT', preference, {
    headers: { 'if-match': headers.get('etag') ?? '' },
    body: { strategy: 'one_per_license', include_labs: true },
  });
  t.equal(changed.status, 200);

  const plain = await syncTenant(service, without);
  t.equal(
    simulator.control.counters().callsByAction.sync_qa_lab ?? 0,
    0,
    'laboratories are not fetched if no tenant includes them',
  );
  const run = await syncTenant(service, withLabs);
  t.equal(simulator.control.counters().callsByAction.sync_qa_lab, 1, 'fetched once');
  const companies = await listAll(service, `/v1/tenants/${withLabs}/companies`);
  const labs = companies.filter(isLab);
  t.ok(labs.length > 0, `${labs.length} laboratories are companies`);
  t.equal(run.counts.created, plain.counts.created + labs.length, 'in addition to the same vendors');

  const again = await syncTenant(service, without, { refresh: 'force' });
  t.equal(again.counts.created + again.counts.updated, 0, 'the other tenant has none of them');
  t.notOk((await listAll(service, `/v1/tenants/${without}/companies`)).some(isLab));
  const unmoved = await syncTenant(service, withLabs);
  t.equal(unmoved.counts.archived, 0, 'a refresh without laboratories removes none');
  t.equal((await listAll(service, `/v1/tenants/${withLabs}/companies`)).filter(isLab).length, labs.length);

  const { headers: present } = await ask('GET', preference);
  const refused = await ask('PUT', preference, {
    headers: { 'if-match': present.get('etag') ?? '' },
    body: { strategy: 'one_per_license', include_labs: false },
  });
  t.match(refused, { status: 409, body: { code: 'preview_required' } }, 'excluding laboratories is a switch');
});

t.test('a switch keeps laboratories unless its preview excludes them', async (t) => {
  const service = await startTestService(t, { simulator: { licenses: 60 } });
  const { ask, simulator } = service;
  const tenantId = await makeTenant(service);
  const path = `/v1/tenants/${tenantId}`;
  const preference = `${path}/company-creation-preference`;
  const choose = async (body: object): Promise<TestResponse['body']> => {
    const { headers } = await ask('GET', preference);
    const chosen = await ask('PUT', preference, { body, headers: { 'if-match': headers.get('etag') ?? '' } });
    if (chosen.status !== 200) throw new Error(JSON.stringify(chosen.body));
    return chosen.body;
  };
  const labs = async (): Promise<number> => (await listAll(service, `${path}/companies`)).filter(isLab).length;
  await choose({ strategy: 'one_per_license', include_labs: true });
  await syncTenant(service, tenantId);
  const all = await labs();
  t.ok(all > 0);
  const grouped = (await ask('POST', `${preference}/preview`, { body: { strategy: 'one_per_vendor' } })).body;
  t.match(
    await choose({ strategy: 'one_per_vendor', preview_id: grouped.id }),
    { include_labs: true },
    'the value of the preview',
  );
  const without = { strategy: 'one_per_vendor', include_labs: false };
  const given = (await ask('POST', `${preference}/preview`, { body: without })).body;
  t.ok(given.counts.archived > 0, 'the preview shows the archived companies');
  t.match(await choose({ ...without, preview_id: given.id }), { include_labs: false });
  t.equal(await labs(), 0, 'they are archived');
  t.match((await syncTenant(service, tenantId)).counts, { created: 0, archived: 0, reactivated: 0 });

  // A change of the tenant's UBI updates the own companies with the next run.
  const companies = await listAll(service, `${path}/companies`);
  const other = companies.find(({ ubi, is_own_company }) => ubi !== null && !is_own_company);
  const before = companies.find(({ is_own_company }) => is_own_company);
  const etag = (await ask('GET', `${path}/ubi`)).headers.get('etag') ?? '';
  const put = await ask('PUT', `${path}/ubi`, { body: { ubi: other.ubi }, headers: { 'if-match': etag } });
  t.equal(put.status, 200);
  const login = { username: 'someone else', password: 'another one' };
  simulator.control.addUser({ ubi: other.ubi, ...login });
  const body = { description: 'of the other UBI', owner: 'company', ...login };
  t.equal((await ask('POST', `${path}/credentials`, { body })).status, 201);
  t.match((await syncTenant(service, tenantId)).status, /^succeeded/);
  t.match((await ask('GET', `${path}/companies/${other.id}`)).body, { is_own_company: true });
  t.match((await ask('GET', `${path}/companies/${before.id}`)).body, { is_own_company: false });
});

t.test('transporters get an activity if the state lists them', async (t) => {
  const service = await startTestService(t, {
    simulator: { licenses: 150, offersTransporters: true },
    states: (environment) => ({
      NM: { environments: { production: { ...environment, offers: { transporters: true } } } },
    }),
  });
  const tenantId = await makeTenant(service);
  await syncTenant(service, tenantId);
  const companies = await listAll(service, `/v1/tenants/${tenantId}/companies`);
  const transporting = companies.filter(({ licenses }) => licenses[0].activities.includes('transporter'));
  t.ok(transporting.length > 0, `${transporting.length} licensed sites are transporters`);
  const { control } = service.simulator;
  t.ok((control.counters().callsByAction.sync_third_party_transporter ?? 0) >= 1, 'the list is fetched');
  t.match((await syncTenant(service, tenantId, { refresh: 'force' })).counts, { created: 0, updated: 0, moved: 0 });

  // A login without the privilege for this list leaves the published transporters unchanged.
  control.setOptions({ offersSyncCheck: false });
  const { ubi, username } = service.simulator.demo;
  const all = ['sync_vendor', 'sync_check', 'sync_qa_lab', 'sync_third_party_transporter'] as const;
  const version = async (): Promise<unknown> => (await service.sql('select version from directories'))[0];
  const before = await version();
  const written = async (): Promise<unknown> =>
    (await service.sql(`select string_agg(xmin::text, ',' order by license_key) as rows from directory_licenses`))[0];
  const rows = await written();
  control.setPrivileges({ ubi, username, privileges: all.slice(0, 3) });
  const warned = await syncTenant(service, tenantId, { refresh: 'force' });
  t.match(warned, {
    status: 'succeeded_with_warnings',
    warnings: [{ params: { action: 'sync_third_party_transporter' } }],
  });
  t.strictSame(await version(), before, 'the list is unchanged');
  control.setPrivileges({ ubi, username, privileges: [...all] });
  t.match(await syncTenant(service, tenantId, { refresh: 'force' }), { status: 'succeeded', warnings: [] });
  t.strictSame(await version(), before, 'unchanged when the list is fetched again');
  t.strictSame(await written(), rows, 'no license row is written');
});

t.test('a state without lists of transporters or laboratories causes no failure', async (t) => {
  const service = await startTestService(t, {
    simulator: { licenses: 100, offersTransporters: false },
    states: (environment) => ({
      NM: { environments: { production: { ...environment, offers: { transporters: true } } } },
    }),
  });
  const { simulator } = service;
  const tenantId = await makeTenant(service);
  t.match((await syncTenant(service, tenantId)).status, /^succeeded/, 'the state rejects the action');
  // The simulator counts unsupported actions as unknown.
  t.equal(simulator.control.counters().callsByAction['(unknown)'], 1, 'the action was tried');
  await includeLabs(service, tenantId);
  for (const action of ['sync_third_party_transporter', 'sync_qa_lab'] as const) {
    simulator.control.injectFault({ fault: 'raw_body', text: '{"success":1}', action, times: 0 });
    const run = await syncTenant(service, tenantId, { refresh: 'force' });
    t.match(run.status, /^succeeded/, `${action}: the state omits the list`);
  }
});

t.test('a missing privilege for laboratories is a warning, and the credential stays valid', async (t) => {
  const service = await startTestService(t, { simulator: { licenses: 100 } });
  const { simulator, ask } = service;
  const { ubi, username } = simulator.demo;
  const tenantId = await makeTenant(service);
  await includeLabs(service, tenantId);
  simulator.control.setPrivileges({ ubi, username, privileges: ['sync_vendor', 'sync_check'] });
  const run = await syncTenant(service, tenantId);
  t.match(run, {
    status: 'succeeded_with_warnings',
    warnings: [{ code: 'list_not_read', params: { action: 'sync_qa_lab' } }],
  });
  t.ok(run.counts.created > 0, 'vendors are synced');
  const { body } = await ask('GET', `/v1/tenants/${tenantId}/credentials`);
  t.equal(body.data[0].status, 'valid');
  const verify = () => ask('POST', `/v1/tenants/${tenantId}/credentials/${body.data[0].id}/verify`);
  t.match((await verify()).body, {
    result: 'valid',
    missing_privilege: 'sync_qa_lab',
    message: { params: { missing_privilege: 'sync_qa_lab' } },
  });
  simulator.control.setPrivileges({ ubi, username, privileges: ['sync_vendor', 'sync_qa_lab'] });
  t.match((await verify()).body, { result: 'valid', missing_privilege: null });
});

t.test('an unchanged checksum avoids fetching the list for up to a day', async (t) => {
  const service = await startTestService(t, { simulator: { licenses: 150 } });
  const { simulator, sql } = service;
  const tenantId = await makeTenant(service);
  await syncTenant(service, tenantId);
  const { listCalls } = simulator.control.counters();
  const syncStale = async (): Promise<TestResponse['body']> => {
    await sql(`update directories set refreshed_datetime = now() - interval '2 hours'`);
    return syncTenant(service, tenantId);
  };
  for (let times = 0; times < 3; times += 1) await syncStale();
  t.equal(simulator.control.counters().listCalls, listCalls, 'an equal checksum: no list call');
  await syncTenant(service, tenantId);
  t.equal(simulator.control.counters().listCalls, listCalls, 'nor for a fresh directory');
  await sql(`update directories set fully_read_datetime = now() - interval '25 hours'`);
  await syncStale();
  t.equal(simulator.control.counters().listCalls, listCalls + 1, 'after a day the list is fetched');
  const [row] = simulator.control.rows();
  simulator.control.rename({ location: String(row?.location), name: 'RENAMED SINCE' });
  const run = await syncStale();
  t.equal(simulator.control.counters().listCalls, listCalls + 2, 'a change changes the checksum');
  t.equal(run.counts.updated >= 1, true);
});

t.test('refresh: force reads the list and compares its content', async (t) => {
  const service = await startTestService(t, { simulator: { licenses: 60, dirtyRows: false } });
  const { simulator } = service;
  const tenantId = await makeTenant(service);
  await syncTenant(service, tenantId);
  const { listCalls } = simulator.control.counters();
  const location = String(simulator.control.rows()[0]?.location);
  // A rename that the state gives no new transaction number: neither the checksum nor the fingerprint shows it.
  simulator.control.setField({ location, field: 'name', value: 'RENAMED SILENTLY', unchanged: true });
  const run = await syncTenant(service, tenantId, { refresh: 'force' });
  t.equal(simulator.control.counters().listCalls, listCalls + 1);
  t.match(run.counts, { updated: 1, created: 0, archived: 0 });
});

t.test('a forced refresh compares the content even if another refresh is in progress', async (t) => {
  const service = await startTestService(t, { simulator: { licenses: 60, dirtyRows: false } });
  const { simulator, sql } = service;
  const { control } = simulator;
  const [first, second] = [await makeTenant(service), await makeTenant(service)];
  await syncTenant(service, first);
  await syncTenant(service, second);
  const location = String(control.rows()[0]?.location);
  control.setField({ location, field: 'name', value: 'RENAMED SILENTLY', unchanged: true });
  await sql(`update directories set refreshed_datetime = now() - interval '2 hours'`);
  control.injectFault({ fault: 'slow_first_byte', delayMs: 1_000, action: 'sync_check', times: 1 });
  const asked = control.counters().callsByAction.sync_check ?? 0;
  const waiting = syncTenant(service, first);
  await until('the first refresh asks', async () => (control.counters().callsByAction.sync_check ?? 0) > asked);
  t.match((await syncTenant(service, second, { refresh: 'force' })).counts, { updated: 1 });
  t.match((await waiting).status, /^succeeded/);
});

t.test('a check for changes that fails is ignored', async (t) => {
  const service = await startTestService(t, { simulator: { licenses: 60, dirtyRows: false } });
  const { control } = service.simulator;
  const tenantId = await makeTenant(service);
  for (const fault of ['html', 'server_error', 'json_array', 'reset_in_headers'] as const) {
    const { id } = control.injectFault({ fault, action: 'sync_check', times: 0 });
    t.match(await syncTenant(service, tenantId, { refresh: 'force' }), { status: 'succeeded' }, fault);
    control.clearFaults({ id });
  }
});

t.test('a checksum that covers more than the list is never believed', async (t) => {
  const service = await startTestService(t, { simulator: { licenses: 60, dirtyRows: false } });
  const { simulator, sql } = service;
  const { control } = simulator;
  const tenantId = await makeTenant(service);
  const [gone, kept] = control.rows().map(({ location }) => location);
  // "Active entries only": the list omits a license that the sum still covers.
  control.setOptions({ deletedRows: 'vanish', syncCheckRows: 'table' });
  control.delete({ location: String(gone) });
  await syncTenant(service, tenantId);
  t.match(await sql('select checksum from directories'), [{ checksum: null }], 'the sum is not that of the list');
  control.setField({ location: String(kept), field: 'name', value: 'RENAMED SILENTLY', unchanged: true });
  await sql(`update directories set refreshed_datetime = now() - interval '2 hours', compared_datetime = null`);
  t.match((await syncTenant(service, tenantId)).counts, { updated: 1 }, 'the list is read although the sum is equal');
});

t.test('no answer for an optional list stops the vendors', async (t) => {
  const service = await startTestService(t, {
    simulator: { licenses: 60, dirtyRows: false, offersTransporters: true },
    states: (environment) => ({
      NM: { environments: { production: { ...environment, offers: { transporters: true } } } },
    }),
  });
  const { simulator, sql } = service;
  const { control } = simulator;
  const tenantId = await makeTenant(service);
  await includeLabs(service, tenantId);
  await syncTenant(service, tenantId);
  const content = () =>
    sql(`select license_key, activities, is_lab, missing_since_datetime from directory_licenses order by 1`);
  const before = await content();
  const isListedRow = (each: unknown, kind: 'lab' | 'transporter'): boolean =>
    JSON.stringify(each).includes(`"${kind}"`);
  t.ok(before.some((each) => isListedRow(each, 'lab')) && before.some((each) => isListedRow(each, 'transporter')));
  const FAULTS = [
    ['an object', { fault: 'raw_body', text: '{"success":1,"qa_lab":{"a":{}},"third_party_transporter":{"a":{}}}' }],
    ['a text', { fault: 'raw_body', text: '{"success":1,"qa_lab":"x","third_party_transporter":"x"}' }],
    ['HTML', { fault: 'html' }],
    ['HTTP 500', { fault: 'server_error', status: 500 }],
    ['an unknown refusal', { fault: 'error_response', error: 'This feature is not licensed.', errorcode: 602 }],
    ['a missing list', { fault: 'raw_body', text: '{"success":1}' }],
    ['an empty list', { fault: 'raw_body', text: '{"success":1,"qa_lab":[],"third_party_transporter":[]}' }],
    ['a list of numbers', { fault: 'raw_body', text: '{"success":1,"qa_lab":[1],"third_party_transporter":[1]}' }],
    ['HTTP 404', { fault: 'html', status: 404 }],
  ] as const;
  for (const action of ['sync_third_party_transporter', 'sync_qa_lab'] as const) {
    for (const [name, fault] of FAULTS) {
      const { id } = control.injectFault({ ...fault, action, times: 0 });
      const run = await syncTenant(service, tenantId, { refresh: 'force' });
      control.clearFaults({ id });
      t.match(run.status, /^succeeded/, `${action}: ${name}`);
      t.match(run.counts, { created: 0, updated: 0, archived: 0, moved: 0 }, 'nothing changed');
      t.match(run.warnings, [{ code: 'list_not_read', params: { action } }], 'the warning names the action');
      t.strictSame(await content(), before, 'what is known of the list stays');
    }
  }
  control.setOptions({ transporterKey: 'license_number' });
  t.match(await syncTenant(service, tenantId, { refresh: 'force' }), { status: 'succeeded', warnings: [] });
  t.strictSame(await content(), before, 'transporters keyed by license_number are the same');
});

t.test('an optional list that never arrives does not hold back the vendors', async (t) => {
  const patient = 3_600_000;
  const service = await startTestService(t, {
    simulator: { licenses: 60, dirtyRows: false, offersTransporters: true },
    states: (environment) => ({
      NM: { environments: { production: { ...environment, offers: { transporters: true } } } },
    }),
    timing: { timeouts: { headersMs: patient, listMs: patient, optionalListMs: 500 } },
  });
  const { control } = service.simulator;
  const tenantId = await makeTenant(service);
  await includeLabs(service, tenantId);
  for (const action of ['sync_third_party_transporter', 'sync_qa_lab'] as const)
    control.injectFault({ fault: 'hang', action, times: 0 });
  const run = await syncTenant(service, tenantId);
  t.match(run, {
    status: 'succeeded_with_warnings',
    warnings: [
      { code: 'list_not_read', params: { action: 'sync_third_party_transporter' } },
      { code: 'list_not_read', params: { action: 'sync_qa_lab' } },
    ],
  });
  t.ok(run.counts.created > 0);
});

t.test('the guard counts the licenses of each list by itself', async (t) => {
  const service = await startTestService(t, {
    simulator: { licenses: 200, dirtyRows: false, offersTransporters: true },
    states: (environment) => ({
      NM: { environments: { production: { ...environment, offers: { transporters: true } } } },
    }),
  });
  const { ask, simulator, sql } = service;
  const { control } = simulator;
  const tenantId = await makeTenant(service);
  await includeLabs(service, tenantId);
  /** Answers with this many laboratories from now on. */
  const setLabs = (many: number): void => {
    const qa_lab = Array.from({ length: many }, (_, index) => ({
      location: `88000${index}`,
      ubi: '600000001',
      name: `LAB ${index}`,
      transactionid: index + 1,
      transactionid_original: index + 1,
    }));
    control.clearFaults();
    const text = JSON.stringify({ success: 1, qa_lab });
    control.injectFault({ fault: 'raw_body', text, action: 'sync_qa_lab', times: 0 });
  };
  const force = () => syncTenant(service, tenantId, { refresh: 'force' });
  const confirm = async ({ id }: TestResponse['body']) =>
    waitForRun(service, tenantId, (await ask('POST', `/v1/tenants/${tenantId}/syncs/${id}/confirm`)).body.id);
  const content = () => sql(`select license_key, is_lab, missing_since_datetime from directory_licenses order by 1`);
  setLabs(30);
  await syncTenant(service, tenantId);
  const before = await content();
  setLabs(19);
  const shorter = await force();
  t.match(shorter, {
    status: 'needs_review',
    reason: 'list_shrunk',
    reason_message: { text: /would remove 11 of 30 laboratories\. Nothing was changed/ },
  });
  t.strictSame(await content(), before, 'although few of all licenses are laboratories');
  setLabs(30);
  const vendors = before.filter(({ is_lab }) => !is_lab).length;
  control.injectFault({ fault: 'shrunk_list', action: 'sync_vendor', keep: vendors - 21 });
  t.match(await force(), { reason: 'list_shrunk', reason_message: { text: /would remove \d+ of \d+ licenses\. / } });
  t.strictSame(await content(), before);

  setLabs(20);
  t.match((await force()).counts, { archived: 10 }, 'up to ten can always be removed');
  setLabs(10);
  t.match((await force()).counts, { archived: 10 });
  setLabs(4);
  const small = await force();
  t.match(
    small,
    { reason: 'list_shrunk', reason_message: { text: /would remove 6 of 10 laboratories/ } },
    'but not more than half',
  );
  t.match((await confirm(small)).counts, { archived: 6 });
  setLabs(2);
  t.match((await force()).counts, { archived: 2 });
  setLabs(1);
  t.match((await force()).counts, { archived: 1 });

  control.injectFault({ fault: 'shrunk_list', action: 'sync_third_party_transporter', keep: 1 });
  t.match(
    (await force()).counts,
    { archived: 0, moved: 0 },
    'a shorter list of transporters removes the activity only',
  );
});

t.test('a state with the REST dialect works from login to companies', async (t) => {
  const service = await startTestService(t, {
    simulator: { state: 'fl', licenses: 120 },
    states: ({ url }) => ({ FL: { environments: { production: { dialect: 'rest', url, origin_id: 'test' } } } }),
  });
  const { ask, newId, simulator } = service;
  const tenantId = newId();
  const path = `/v1/tenants/${tenantId}`;
  const first = { 'if-none-match': '*' };
  const tenant = { name: 'Florida', state: 'FL', environment: 'production' };
  t.equal((await ask('PUT', path, { headers: first, body: tenant })).status, 201);
  const { ubi, username, password } = simulator.demo;
  await ask('PUT', `${path}/ubi`, { headers: first, body: { ubi } });
  await ask('PUT', `${path}/company-creation-preference`, { headers: first, body: { strategy: 'one_per_vendor' } });
  const login = { description: 'office', username, password, owner: 'company' };
  const wrong = await ask('POST', `${path}/credentials`, { body: { ...login, password: 'wrong' } });
  t.match(wrong, { status: 422, body: { code: 'credentials_rejected' } });
  t.equal((await ask('POST', `${path}/credentials`, { body: login })).status, 201);
  const run = await syncTenant(service, tenantId);
  t.match(run.status, /^succeeded/);
  const { fetched, used, filtered, duplicate, skipped } = run.rows;
  t.equal(used + filtered + duplicate + skipped, fetched, `${fetched} rows`);
  const companies = await listAll(service, `${path}/companies`);
  t.equal(companies.length, run.counts.created);
  const again = await syncTenant(service, tenantId, { refresh: 'force' });
  t.match(again.counts, { created: 0, updated: 0, archived: 0, moved: 0 });
});

t.test('an equal fingerprint avoids comparing the list for up to a day, in any order of rows', async (t) => {
  const service = await startTestService(t, { simulator: { licenses: 120 } });
  const { simulator, sql } = service;
  const tenantId = await makeTenant(service);
  await syncTenant(service, tenantId);
  simulator.control.setOptions({ offersSyncCheck: false, shuffleKeys: true, shuffleRows: true });
  const getFacts = async () => {
    const [row] = await sql<{ version: string; compared: string; fingerprint: string }>(
      'select version, compared_datetime::text as compared, fingerprint from directories',
    );
    return row;
  };
  const syncStale = async (): Promise<void> => {
    await sql(`update directories set refreshed_datetime = now() - interval '2 hours'`);
    await syncTenant(service, tenantId);
  };
  const first = await getFacts();
  t.type(first?.fingerprint, 'string');
  await syncStale();
  t.same(await getFacts(), first, 'the same list in another order is not compared');

  // As if the state had edited a license without a new transaction number.
  const [{ license_key: key, name } = { license_key: '', name: '' }] = await sql<{ license_key: string; name: string }>(
    'select license_key, name from directory_licenses where name is not null limit 1',
  );
  const distort = `update directory_licenses set name = 'Distorted', content_hash = 'distorted' where license_key = $1`;
  await sql(distort, [key]);
  await syncStale();
  t.equal((await getFacts())?.version, first?.version, 'the fingerprint does not show it');
  await sql(`update directories set compared_datetime = now() - interval '25 hours'`);
  await syncStale();
  t.equal(
    Number((await getFacts())?.version),
    Number(first?.version) + 1,
    'comparing the content after a day shows it',
  );
  const [corrected] = await sql('select name from directory_licenses where license_key = $1', [key]);
  t.same(corrected, { name });

  const [row] = simulator.control.rows().filter(({ deleted }) => !deleted);
  const before = (await getFacts())?.fingerprint;
  simulator.control.rename({ location: String(row?.location), name: 'ANOTHER NAME' });
  await syncStale();
  t.not((await getFacts())?.fingerprint, before, 'an edit changes the fingerprint');
});

t.test('laboratories of a state with the REST API become companies too', async (t) => {
  const service = await startTestService(t, {
    simulator: { state: 'fl', licenses: 100 },
    states: (environment) => ({ NM: { environments: { production: { ...environment, dialect: 'rest' } } } }),
  });
  const { simulator } = service;
  simulator.control.setOptions({ restPageSize: 3 });
  const id = await makeTenant(service);
  await includeLabs(service, id);
  t.match(await syncTenant(service, id), { status: /^succeeded/ });
  const labs = (await listAll(service, `/v1/tenants/${id}/companies`)).filter(isLab);
  t.equal(labs.length, 10, 'all laboratories, which have several pages');
  t.ok(simulator.control.counters().callsByAction.sync_qa_lab ?? 0, 'asked by page');
});
