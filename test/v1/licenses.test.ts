import t from 'tap';
import { isOwnOutcome, OWNERS } from '../helpers/contract.js';
import { makeTenant, startTestService, waitForRun } from '../helpers/service.js';
import { until } from '../helpers/until.js';

/** The tenant's own licenses: available ones, created ones, archive and restore. */

const LICENSE_TYPES: Readonly<Record<string, string>> = { '1': 'Producer', '2': 'Processor', '8': 'Retailer' };

const service = await startTestService(t, {
  directoryMaxAgeSeconds: 1,
  states: (environment) => ({
    NM: {
      environments: { production: environment, training: environment },
      license_types: LICENSE_TYPES,
    },
  }),
});
const { ask, newId, contract, simulator } = service;
const { control, demo } = simulator;

const listOwn = () => control.rows({ ubi: demo.ubi }).filter(({ deleted }) => !deleted);
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const etagOf = async (path: string): Promise<Record<string, string>> => ({
  'if-match': (await ask('GET', path)).headers.get('etag') ?? 'none',
});

interface Available {
  readonly license_number: string;
  readonly state: string;
  readonly license_id: string | null;
  readonly active: boolean;
  readonly [name: string]: unknown;
}

t.test('listAvailableLicenses', async (t) => {
  const tenantId = await makeTenant(service, 'preference');
  const path = `/v1/tenants/${tenantId}/available-licenses`;
  t.match(await ask('GET', path), {
    status: 409,
    body: { code: 'setup_incomplete', next_step: { operation_id: 'createCredential' } },
  });
  const bare = await makeTenant(service, 'tenant');
  t.match(await ask('GET', `/v1/tenants/${bare}/available-licenses`), {
    status: 409,
    body: { code: 'setup_incomplete', next_step: { operation_id: 'putUbi' } },
  });

  const made = await ask('POST', `/v1/tenants/${tenantId}/credentials`, {
    body: { description: 'x', username: demo.username, password: demo.password, owner: 'company' },
  });
  const { status, body } = await ask('GET', path);
  t.equal(status, 200);
  const rows = control.rows({ ubi: demo.ubi });
  t.strictSame(
    body.data.map(({ license_number, name, ubi, active }: Available) => ({ license_number, name, ubi, active })),
    rows
      .map((row) => ({ license_number: row.location, name: row.name, ubi: row.ubi, active: !row.deleted }))
      .sort((a, b) => (a.license_number < b.license_number ? -1 : 1)),
    'all licenses that the simulator lists under the UBI',
  );
  t.ok(body.data.every(({ state, license_id }: Available) => state === 'available' && license_id === null));
  const [first] = rows;
  const shown = body.data.find(({ license_number }: Available) => license_number === first?.location);
  t.match(shown.address, { city: first?.city, state: first?.state, zip: first?.zip });
  t.equal(shown.license_type_raw, String(first?.locationtype));
  for (const { license_type: type, license_type_raw: raw } of body.data)
    t.equal(type, LICENSE_TYPES[raw] ?? `Type ${raw}`, 'an unknown code is shown');
  t.strictSame(
    shown.activities,
    (['producer', 'processor', 'retail', 'medical'] as const).filter((name) => first?.[name] === true).sort(),
  );

  await service.sql('update credentials set secret_version = 7 where id = $1', [made.body.id]);
  t.match(await ask('GET', path), { status: 409, body: { code: 'credential_unreadable' } });
});

t.test('a state that needs longer than a caller waits for its list', async (t) => {
  const tenantId = await makeTenant(service);
  const path = `/v1/tenants/${tenantId}`;
  const license_number = listOwn()[0]?.location;
  const list = () => ask('GET', `${path}/available-licenses`);
  const calls = () => control.counters().listsSent;

  await service.sql(
    'update directories set version = 0, refreshed_datetime = null, checksum = null, fingerprint = null',
  );
  control.injectFault({ fault: 'slow_first_byte', action: 'sync_vendor', delayMs: 8_000 });
  const before = calls();
  const answers = await Promise.all([
    list(),
    ask('POST', `${path}/licenses`, { body: { license_number } }),
    ask('POST', `${path}/licenses/bulk`, { body: { licenses: [{ license_number }] } }),
  ]);
  for (const { status, body, headers } of answers) {
    t.match({ status, code: body.code }, { status: 503, code: 'list_loading' });
    t.equal(headers.get('retry-after'), '5');
  }
  for (let tries = 0; tries < 20 && (await list()).status !== 200; tries += 1) await pause(500);
  const { status, body } = await list();
  t.equal(status, 200, 'a later call finds the list');
  t.ok(body.data.length > 0);
  t.ok(calls() - before <= 2, `one slow fetch outlived its callers (${calls() - before} lists)`);

  await service.sql('update directories set refreshed_datetime = null, checksum = null');
  control.injectFault({ fault: 'slow_first_byte', action: 'sync_vendor', delayMs: 8_000 });
  t.strictSame((await list()).body.data, body.data, 'a published list is returned meanwhile');
  for (let tries = 0; tries < 40 && control.counters().listsSent < before + 2; tries += 1) await pause(500);
  control.clearFaults();
});

t.test('the next call returns the failure of a list that loaded in the background', async (t) => {
  const service = await startTestService(t, {
    simulator: { licenses: 60, offersSyncCheck: false },
    timing: { circuit: { failures: 1_000 } },
  });
  const { control } = service.simulator;
  const tenants = [await makeTenant(service), await makeTenant(service)];
  const [list, listOther] = tenants.map((id) => () => service.ask('GET', `/v1/tenants/${id}/available-licenses`));
  if (list === undefined || listOther === undefined) throw new Error('two tenants');
  const fired = () => control.faults().find(({ fault }) => fault === 'server_error')?.fired ?? 0;
  control.injectFault({ fault: 'slow_first_byte', action: 'login', delayMs: 7_000 });
  control.injectFault({ fault: 'server_error', action: 'sync_vendor', times: 0 });
  const loading = await Promise.all([list(), listOther()]);
  for (const answer of loading) t.match(answer, { status: 503, body: { code: 'list_loading' } });
  await until('the list fails', async () => fired() === 3);
  const failures = [await list(), await listOther()];
  t.equal(fired(), 3, 'without a new attempt');
  const again = await list();
  t.equal(fired(), 6, 'the call after that starts anew');
  const { code, detail, reason } = again.body;
  t.match(again, { status: 503, body: { code: 'upstream_unavailable', reason: 'upstream_unreachable' } });
  for (const failure of failures) t.match(failure, { status: 503, body: { code, detail, reason } }, 'the same failure');
  control.clearFaults();
  t.equal((await list()).status, 200);
  t.equal((await listOther()).status, 200);
});

t.test('a failure of a list that loaded in the background ends with the list', async (t) => {
  const service = await startTestService(t, { simulator: { licenses: 60, offersSyncCheck: false } });
  const { control } = service.simulator;
  const [failed, other] = [await makeTenant(service), await makeTenant(service)];
  const list = (tenantId: string) => service.ask('GET', `/v1/tenants/${tenantId}/available-licenses`);
  control.injectFault({ fault: 'slow_first_byte', action: 'login', delayMs: 7_000 });
  control.injectFault({ fault: 'server_error', action: 'sync_vendor', times: 3 });
  t.match(await list(failed), { status: 503, body: { code: 'list_loading' } });
  await until('the list fails', async () => control.faults().length === 0);
  await until('another caller gets the list', async () => (await list(other)).status === 200);
  t.equal((await list(failed)).status, 200);
});

t.test('listAvailableLicenses while BioTrack fails', async (t) => {
  const tenantId = await makeTenant(service);
  const path = `/v1/tenants/${tenantId}/available-licenses`;
  t.equal((await ask('GET', path)).status, 200);
  await pause(1_100);
  control.injectFault({ fault: 'server_error', action: 'login', times: 0 });
  const down = await ask('GET', path);
  t.match(down, { status: 503, body: { code: 'upstream_unavailable', reason: 'upstream_unreachable' } });
  control.clearFaults();
  t.match(
    (await ask('GET', `/v1/tenants/${tenantId}/credentials`)).body.data[0],
    { status: 'valid' },
    'an outage does not change the credential',
  );
  t.equal((await ask('GET', path)).status, 200);

  await pause(1_100);
  control.changePassword({ ubi: demo.ubi, username: demo.username, password: 'changed', endSessions: true });
  const logins = control.counters().loginsRejected;
  const refused = await ask('GET', path);
  t.ok([409, 422, 503].includes(refused.status), `${refused.status} ${refused.body.code} ${refused.body.reason}`);
  t.equal(control.counters().loginsRejected, logins + 1);
  t.match(
    (await ask('GET', `/v1/tenants/${tenantId}/credentials`)).body.data[0],
    { status: 'rejected' },
    'a rejected login is recorded',
  );
  for (let times = 0; times < 3; times += 1) {
    t.match(
      await ask('GET', path),
      { status: 409, body: { code: 'setup_incomplete' } },
      'and is not retried automatically',
    );
  }
  t.equal(control.counters().loginsRejected, logins + 1, 'only one login');
  control.changePassword({ ubi: demo.ubi, username: demo.username, password: demo.password });
});

t.test('createLicense', async (t) => {
  const [own, second] = listOwn();
  const number = own?.location as string;
  for (const [upTo, next] of [
    ['tenant', 'putUbi'],
    ['ubi', 'putCompanyCreationPreference'],
    ['preference', 'createCredential'],
  ] as const) {
    const id = await makeTenant(service, upTo);
    t.match(await ask('POST', `/v1/tenants/${id}/licenses`, { body: { license_number: number } }), {
      status: 409,
      body: { code: 'setup_incomplete', next_step: { operation_id: next } },
    });
  }

  const tenantId = await makeTenant(service);
  const path = `/v1/tenants/${tenantId}/licenses`;
  const post = (body: Record<string, unknown>) => ask('POST', path, { body });
  const [credential] = (await ask('GET', `/v1/tenants/${tenantId}/credentials`)).body.data;
  const full = {
    license_number: number,
    name: 'Our first site',
    license_type: 'Retailer',
    issue_datetime: '2025-01-31T00:00:00.000Z',
    expiry_datetime: '2027-01-31T00:00:00.000Z',
    active: false,
    credential_id: credential.id,
    default_intake_location_id: 'room 7',
    sync_enabled: false,
    create_companies: false,
    sync_rooms: false,
    notify_on_change: false,
    share_with_leaflink: true,
  };
  const created = await post(full);
  t.match(created, { status: 201, body: full }, 'returned as sent');
  t.equal(created.headers.get('location'), `${service.baseUrl}${path}/${created.body.id}`);
  t.match(await ask('GET', `${path}/${created.body.id}`), { status: 200, body: created.body });
  t.strictSame((await ask('GET', `/v1/tenants/${tenantId}/syncs`)).body.data, [], 'no sync without create_companies');

  t.match(await post({ license_number: number }), {
    status: 409,
    body: { code: 'license_exists', conflicting_id: created.body.id },
  });
  t.match(
    await post({ license_number: `  ${number} ` }),
    { status: 409, body: { code: 'license_exists' } },
    'ignores whitespace',
  );
  t.match(await post({ license_number: '000000000' }), {
    status: 422,
    body: { code: 'license_not_available', errors: [{ pointer: '/license_number' }] },
  });
  const foreign = control
    .rows()
    .find(({ ubi, location }) => ubi !== null && ubi.trim() !== '' && ubi !== demo.ubi && location.trim() !== '');
  t.match(
    await post({ license_number: foreign?.location }),
    { status: 422, body: { code: 'license_not_available' } },
    'a license of another vendor',
  );
  t.match(await post({ license_number: second?.location, license_type: 'Spaceport' }), {
    status: 422,
    body: { code: 'license_type_unknown', errors: [{ pointer: '/license_type' }] },
  });
  t.match(await post({ license_number: second?.location, credential_id: newId() }), {
    status: 422,
    body: { code: 'credential_unknown', errors: [{ pointer: '/credential_id' }] },
  });
  const stranger = await makeTenant(service);
  const [theirs] = (await ask('GET', `/v1/tenants/${stranger}/credentials`)).body.data;
  t.match(
    await post({ license_number: second?.location, credential_id: theirs.id }),
    { status: 422, body: { code: 'credential_unknown' } },
    "another tenant's credential",
  );
  t.match(
    await post({ license_number: number, expiry_datetime: '9999-12-31T23:59:59-01:00' }),
    { status: 400, body: { code: 'invalid_request', errors: [{ pointer: '/expiry_datetime' }] } },
    'a datetime that is in the year 10000 in UTC',
  );
  for (const expiry_datetime of ['2025-01-31T00:00:00Z', '2024-01-31T00:00:00Z', '2025-01-31T05:00:00+06:00']) {
    t.match(
      await post({ license_number: second?.location, issue_datetime: '2025-01-31T00:00:00Z', expiry_datetime }),
      { status: 422, body: { code: 'invalid_dates', errors: [{ pointer: '/expiry_datetime' }] } },
      expiry_datetime,
    );
  }
  const wrong: Record<string, unknown>[] = [
    { issue_datetime: 'yesterday' },
    { issue_datetime: '2025-02-30T00:00:00Z' },
    { issue_datetime: '2025-01-31' },
    { issue_datetime: '0000-01-01T00:00:00Z' },
    { issue_datetime: '2025-12-31T23:59:60Z' },
    { expiry_datetime: 1_700_000_000 },
    { expiry_datetime: '+275760-09-13T00:00:00Z' },
    { active: 'true' },
    { sync_enabled: 1 },
    { credential_id: 'none' },
    { license_type: '' },
    { name: '\u0000' },
    { default_intake_location_id: 7 },
  ];
  for (const change of wrong) {
    const [name] = Object.keys(change);
    t.match(
      await post({ license_number: second?.location, ...change }),
      { status: 400, body: { code: 'invalid_request', errors: [{ pointer: `/${name}` }] } },
      JSON.stringify(change),
    );
  }
  t.match(
    await post({ license_number: Number(second?.location) }),
    { status: 400, body: { errors: [{ pointer: '/license_number' }] } },
    'a JSON number is not accepted',
  );

  const defaults = await post({ license_number: second?.location, create_companies: false });
  t.match(
    defaults,
    {
      status: 201,
      body: {
        license_number: second?.location,
        name: second?.name,
        active: true,
        credential_id: null,
        issue_datetime: null,
        expiry_datetime: null,
        sync_enabled: true,
        sync_rooms: true,
        notify_on_change: true,
        share_with_leaflink: false,
      },
    },
    'missing settings have their defaults or come from the state',
  );

  const available: Available[] = (await ask('GET', `/v1/tenants/${tenantId}/available-licenses`)).body.data;
  t.strictSame(
    available
      .filter(({ state }) => state === 'created')
      .map(({ license_number, license_id }) => [license_number, license_id])
      .sort(),
    [
      [number, created.body.id],
      [second?.location, defaults.body.id],
    ].sort(),
    'marked as created among the available ones',
  );

  await service.sql('update credentials set secret_version = 7 where id = $1', [credential.id]);
  t.match(await post({ license_number: number }), { status: 409, body: { code: 'credential_unreadable' } });
});

t.test('a license that the state lists as deleted cannot be created', async (t) => {
  const [live] = listOwn();
  const { location } = control.addSite({ ubi: demo.ubi, name: 'Closed' });
  control.setField({ location, field: 'deleted', value: 1 });
  await pause(1_100);
  const tenantId = await makeTenant(service);
  const tenant = `/v1/tenants/${tenantId}`;
  const find = async (): Promise<Available> =>
    (await ask('GET', `${tenant}/available-licenses`)).body.data.find(
      ({ license_number }: Available) => license_number === location,
    );
  t.match(await find(), {
    state: 'unavailable',
    active: false,
    license_id: null,
    problem: { reason: 'deleted', message: { code: 'license_not_creatable', text: /cannot be created/ } },
  });
  const refusal = { code: 'license_not_available', reason: 'deleted', detail: /lists the license as deleted/ };
  t.match(await ask('POST', `${tenant}/licenses`, { body: { license_number: location } }), {
    status: 422,
    body: { ...refusal, errors: [{ pointer: '/license_number' }] },
  });
  const rows = [{ license_number: location }, { license_number: live?.location, create_companies: false }];
  t.match(await ask('POST', `${tenant}/licenses/bulk`, { body: { licenses: rows } }), {
    status: 200,
    body: {
      created: 1,
      data: [
        { status: 422, problem: { ...refusal, errors: [{ pointer: '/licenses/0/license_number' }] } },
        { status: 201 },
      ],
    },
  });
  t.match(
    await ask('PUT', `${tenant}/configuration`, {
      body: { licenses: rows },
      headers: await etagOf(`${tenant}/configuration`),
    }),
    { status: 422, body: { ...refusal, errors: [{ pointer: '/licenses/0/license_number' }] } },
  );
  t.equal((await ask('GET', `${tenant}/licenses`)).body.data.length, 1, 'it was not created');

  control.setField({ location, field: 'deleted', value: 0 });
  await pause(1_100);
  t.match(
    await find(),
    { state: 'available', active: true, problem: null },
    'available once the state corrects its list',
  );
  const body = { license_number: location, create_companies: false };
  t.match(await ask('POST', `${tenant}/licenses`, { body }), { status: 201, body: { problem: null } });
});

t.test('available-licenses says why the list offers none, and how old it is', async (t) => {
  const username = 'newcomer@example.com';
  const credential = { description: 'x', username, password: 'one', owner: 'company' };
  const ubi = '880000077';
  control.addUser({ ubi, username, password: 'one' });
  const tenantId = await makeTenant(service, 'tenant');
  const tenant = `/v1/tenants/${tenantId}`;
  const first = { 'if-none-match': '*' };
  await ask('PUT', `${tenant}/ubi`, { body: { ubi }, headers: first });
  await ask('PUT', `${tenant}/company-creation-preference`, { body: { strategy: 'one_per_license' }, headers: first });
  t.equal((await ask('POST', `${tenant}/credentials`, { body: credential })).status, 201);
  const see = async () => (await ask('GET', `${tenant}/available-licenses`)).body;
  t.match(await see(), {
    data: [],
    list: {
      problem: { reason: 'none_listed', message: { text: /Either the UBI, the state .* or the state has not listed/ } },
    },
  });
  await service.sql(`update directories set refreshed_datetime = now() - interval '5400 milliseconds'`);
  control.injectFault({ fault: 'slow_first_byte', action: 'sync_vendor', delayMs: 8_000 });
  control.addSite({ ubi, name: 'Noticed later' });
  const { list } = await see();
  t.ok(list.age_seconds >= 10 && list.age_seconds < 60, `age in seconds by the database clock: ${list.age_seconds}`);
  control.clearFaults();
  await pause(3_000);
  const { data, list: fresh } = await see();
  t.match(data, [{ state: 'available', name: 'Noticed later' }]);
  t.match(fresh, { problem: null });
  t.ok(fresh.age_seconds <= 2, `fresh: ${fresh.age_seconds}`);

  control.setField({ location: data[0].license_number, field: 'deleted', value: 1 });
  await pause(1_100);
  t.match(await see(), { data: [{ state: 'unavailable' }], list: { problem: { reason: 'all_deleted' } } });
});

t.test('a refused list leaves the published one in use', async (t) => {
  const alone = await startTestService(t, { simulator: { licenses: 90 }, directoryMaxAgeSeconds: 1 });
  const tenantId = await makeTenant(alone);
  const path = `/v1/tenants/${tenantId}`;
  const before = (await alone.ask('GET', `${path}/available-licenses`)).body.data;
  const others = alone.simulator.control
    .rows()
    .filter(({ ubi, deleted }) => ubi !== alone.simulator.demo.ubi && !deleted);
  for (const { location } of others.slice(0, 40)) alone.simulator.control.vanish({ location });
  await alone.sql(`update directories set refreshed_datetime = now() - interval '100 seconds'`);
  const after = await alone.ask('GET', `${path}/available-licenses`);
  t.match(after, { status: 200, body: { data: before } });
  t.ok(after.body.list.age_seconds >= 100, 'with the age of the published list');
  const { license_number } = before[0];
  t.equal((await alone.ask('POST', `${path}/licenses`, { body: { license_number } })).status, 201);
});

t.test('createLicense while BioTrack fails', async (t) => {
  const tenantId = await makeTenant(service);
  await pause(1_100);
  control.injectFault({ fault: 'html', action: 'login', times: 0 });
  const answer = await ask('POST', `/v1/tenants/${tenantId}/licenses`, {
    body: { license_number: listOwn()[0]?.location },
  });
  t.match(answer, { status: 503, body: { code: 'upstream_unavailable' } });
  control.clearFaults();
  t.strictSame((await ask('GET', `/v1/tenants/${tenantId}/licenses`)).body, { data: [], next_page: null });
});

t.test('the first created license starts the first sync', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_vendor');
  const tenant = `/v1/tenants/${tenantId}`;
  const [first, second, third] = listOwn();
  await ask('POST', `${tenant}/licenses`, { body: { license_number: first?.location, create_companies: false } });
  t.strictSame((await ask('GET', `${tenant}/syncs`)).body.data, []);
  t.equal((await ask('POST', `${tenant}/licenses`, { body: { license_number: second?.location } })).status, 201);
  const { data } = (await ask('GET', `${tenant}/syncs`)).body;
  t.equal(data.length, 1);
  t.match(data[0], { trigger: 'setup_completed', mode: 'full', strategy: 'one_per_vendor' });
  const run = await waitForRun(service, tenantId, data[0].id);
  t.match(run.status, /^succeeded/);
  t.ok(run.counts.created > 0);
  t.equal((await ask('POST', `${tenant}/licenses`, { body: { license_number: third?.location } })).status, 201);
  t.equal((await ask('GET', `${tenant}/syncs`)).body.data.length, 1, 'the next one does not start another');

  const raced = await makeTenant(service);
  const answers = await Promise.all(
    listOwn().map(({ location }) =>
      ask('POST', `/v1/tenants/${raced}/licenses`, { body: { license_number: location } }),
    ),
  );
  t.ok(
    answers.every(({ status }) => status === 201),
    'all licenses concurrently',
  );
  const runs = (await ask('GET', `/v1/tenants/${raced}/syncs`)).body.data;
  t.equal(runs.length, 1, 'start one first sync');
  await waitForRun(service, raced, runs[0].id);

  const twice = await makeTenant(service, 'credential');
  const same = await Promise.all(
    Array.from({ length: 4 }, () =>
      ask('POST', `/v1/tenants/${twice}/licenses`, {
        body: { license_number: first?.location, create_companies: false },
      }),
    ),
  );
  t.strictSame(
    same.map(({ status }) => status).sort(),
    [201, 409, 409, 409],
    'one of four concurrent requests creates the license',
  );
});

t.test('listLicenses and getLicense', async (t) => {
  const tenantId = await makeTenant(service);
  const path = `/v1/tenants/${tenantId}/licenses`;
  t.strictSame((await ask('GET', path)).body, { data: [], next_page: null });
  const ids: string[] = [];
  for (const { location } of listOwn()) {
    ids.push((await ask('POST', path, { body: { license_number: location, create_companies: false } })).body.id);
  }
  t.ok(ids.length >= 3);
  const toIds = (body: { data: { id: string }[] }): string[] => body.data.map(({ id }) => id);
  t.strictSame(toIds((await ask('GET', path)).body), ids, 'oldest first');
  const paged: string[] = [];
  for (let next: string | null = `${path}?page[size]=1`; next !== null; ) {
    const { body } = await ask('GET', next);
    paged.push(...toIds(body));
    next = body.next_page;
  }
  t.strictSame(paged, ids);
  t.match(await ask('GET', `${path}?page[after]=nonsense`), { status: 400, body: { code: 'invalid_cursor' } });
  t.match(await ask('GET', `${path}/${newId()}`), { status: 404, body: { code: 'not_found' } });
  const other = await makeTenant(service);
  t.match(await ask('GET', `/v1/tenants/${other}/licenses/${ids[0]}`), { status: 404 });
  t.strictSame((await ask('GET', `/v1/tenants/${other}/licenses`)).body.data, []);
});

t.test('a license that BioTrack no longer lists under the UBI', async (t) => {
  const tenantId = await makeTenant(service);
  const { location } = control.addSite({ ubi: demo.ubi, name: 'SHORT LIVED' });
  await pause(1_100);
  const path = `/v1/tenants/${tenantId}/available-licenses`;
  const numbers = async (): Promise<string[]> =>
    (await ask('GET', path)).body.data.map((each: Available) => each.license_number);
  t.ok((await numbers()).includes(location), 'a new site appears when the list is read again');
  control.sell({ location, toUbi: '007331902' });
  await pause(1_100);
  t.notOk((await numbers()).includes(location), 'sold');
  t.match(await ask('POST', `/v1/tenants/${tenantId}/licenses`, { body: { license_number: location } }), {
    status: 422,
    body: { code: 'license_not_available' },
  });
  control.vanish({ location });
  await pause(1_100);
  await numbers();
  const [row] = await service.sql<{ missing: boolean }>(
    'select missing_since_datetime is not null as missing from directory_licenses where license_key = $1',
    [location],
  );
  t.match(row, { missing: true }, 'missing from the list, and recorded as such');
});

interface RowResult {
  readonly license_number: string;
  readonly status: number;
  readonly problem: { readonly code: string; readonly errors: readonly { readonly pointer: string }[] } | null;
}

t.test('createLicenses: each row has its own result', async (t) => {
  const [first, second, third] = listOwn();
  for (const [upTo, next] of [
    ['tenant', 'putUbi'],
    ['ubi', 'putCompanyCreationPreference'],
    ['preference', 'createCredential'],
  ] as const) {
    const id = await makeTenant(service, upTo);
    t.match(
      await ask('POST', `/v1/tenants/${id}/licenses/bulk`, { body: { licenses: [{ license_number: 'x' }] } }),
      { status: 409, body: { code: 'setup_incomplete', next_step: { operation_id: next } } },
      'a missing setup step rejects the whole request',
    );
  }
  const tenantId = await makeTenant(service, 'credential', 'one_per_vendor');
  const path = `/v1/tenants/${tenantId}/licenses`;
  const bulk = (licenses: unknown) => ask('POST', `${path}/bulk`, { body: { licenses } });
  const rows = [
    { license_number: first?.location, name: 'The first' },
    { license_number: '000000000' },
    { license_number: second?.location, license_type: 'Spaceport' },
    {
      license_number: second?.location,
      issue_datetime: '2025-01-31T00:00:00Z',
      expiry_datetime: '2025-01-30T00:00:00Z',
    },
    { license_number: second?.location, credential_id: newId() },
    { license_number: ` ${first?.location} ` },
    { license_number: second?.location, share_with_leaflink: true },
  ];
  const answer = await bulk(rows);
  t.match(answer, { status: 200, body: { created: 2, rejected: 5 } });
  t.strictSame(
    answer.body.data.map(({ license_number, status, problem }: RowResult) => [
      license_number,
      status,
      problem?.code ?? null,
      problem?.errors.map(({ pointer }) => pointer) ?? null,
    ]),
    [
      [first?.location, 201, null, null],
      ['000000000', 422, 'license_not_available', ['/licenses/1/license_number']],
      [second?.location, 422, 'license_type_unknown', ['/licenses/2/license_type']],
      [second?.location, 422, 'invalid_dates', ['/licenses/3/expiry_datetime']],
      [second?.location, 422, 'credential_unknown', ['/licenses/4/credential_id']],
      [` ${first?.location} `, 409, 'license_exists', []],
      [second?.location, 201, null, null],
    ],
  );
  const [made, , , , , again] = answer.body.data;
  t.match(made.license, { name: 'The first', license_number: first?.location, problem: null, archived: false });
  t.equal(again.problem.conflicting_id, made.license.id, 'with the id of the existing license');
  t.equal((await ask('GET', path)).body.data.length, 2);
  t.equal(
    (await ask('GET', `/v1/tenants/${tenantId}/syncs`)).body.data.length,
    1,
    'two licenses with create_companies start one first sync',
  );

  const repeated = await bulk(rows);
  t.match(repeated.body, { created: 0, rejected: 7 }, 'a retry creates nothing twice');
  t.match(await bulk([]), { status: 400, body: { errors: [{ pointer: '/licenses' }] } });
  t.match(await bulk(Array.from({ length: 501 }, () => ({ license_number: 'x' }))), { status: 400 });
  t.match(
    await bulk([{ license_number: third?.location }, { license_number: third?.location, active: 'yes' }]),
    { status: 400, body: { errors: [{ pointer: '/licenses/1/active' }] } },
    'one row that does not match the schema rejects the whole request',
  );
  t.equal((await ask('GET', path)).body.data.length, 2);
  const many = await bulk(
    Array.from({ length: 500 }, (_each, index) => ({ license_number: `unknown-${index}`, name: 'x'.repeat(200) })),
  );
  t.match(
    many,
    { status: 200, body: { created: 0, rejected: 500 } },
    '500 rows, larger than the limit for other bodies',
  );
  const tooLarge = `{"licenses":[{"license_number":"${'x'.repeat(1024 * 1024)}"}]}`;
  t.match(await ask('POST', `${path}/bulk`, { rawBody: tooLarge }), { status: 413 }, 'more than 1 MiB');

  const race = await makeTenant(service);
  const same = listOwn().map(({ location }) => ({ license_number: location, create_companies: false }));
  const answers = await Promise.all(
    Array.from({ length: 4 }, () => ask('POST', `/v1/tenants/${race}/licenses/bulk`, { body: { licenses: same } })),
  );
  t.equal(
    answers.reduce((sum, { body }) => sum + body.created, 0),
    same.length,
    'four concurrent requests create each license once',
  );

  await pause(1_100);
  control.injectFault({ fault: 'html', action: 'login', times: 0 });
  t.match(await bulk(rows), { status: 503, body: { code: 'upstream_unavailable' } });
  control.clearFaults();
  await service.sql('update credentials set secret_version = 7 where tenant_id = $1', [tenantId]);
  t.match(await bulk(rows), { status: 409, body: { code: 'credential_unreadable' } });
});

t.test('updateLicense', async (t) => {
  const [own] = listOwn();
  const tenantId = await makeTenant(service);
  const path = `/v1/tenants/${tenantId}/licenses`;
  const [credential] = (await ask('GET', `/v1/tenants/${tenantId}/credentials`)).body.data;
  const made = await ask('POST', path, { body: { license_number: own?.location, create_companies: false } });
  const one = `${path}/${made.body.id}`;
  const patch = async (body: unknown, headers?: Record<string, string>) =>
    ask('PATCH', one, { body, headers: headers ?? (await etagOf(one)) });

  t.match(await patch({ active: false }, {}), { status: 428, body: { code: 'precondition_required' } });
  t.match(await patch({ active: 1 }, {}), { status: 400 }, 'an invalid body is checked before the precondition');
  t.match(await patch({}), { status: 400 }, 'an empty body is invalid');
  const stale = await etagOf(one);
  const changes = {
    name: 'Edited',
    license_type: 'Processor',
    issue_datetime: '2025-01-31T00:00:00.000Z',
    expiry_datetime: '2026-01-31T00:00:00.000Z',
    active: false,
    credential_id: credential.id,
    default_intake_location_id: 'room-9',
    sync_enabled: false,
    sync_rooms: false,
    notify_on_change: false,
    share_with_leaflink: true,
  };
  const changed = await patch(changes);
  t.match(changed, { status: 200, body: { ...changes, id: made.body.id, create_companies: false } });
  t.match(await ask('GET', one), { body: changed.body });
  t.equal(changed.headers.get('etag'), changed.body.etag);
  t.match(await patch({ active: true }, stale), { status: 412, body: { code: 'precondition_failed' } });

  t.match(await patch({ expiry_datetime: '2025-01-31T00:00:00Z' }), {
    status: 422,
    body: { code: 'invalid_dates', errors: [{ pointer: '/expiry_datetime' }] },
  });
  t.match(
    await patch({ issue_datetime: '2027-01-31T00:00:00Z' }),
    { status: 422, body: { code: 'invalid_dates' } },
    'checked against the stored date',
  );
  t.match(await patch({ license_type: 'Spaceport' }), { status: 422, body: { code: 'license_type_unknown' } });
  t.match(await patch({ credential_id: newId() }), { status: 422, body: { code: 'credential_unknown' } });
  const user = service.tokenOf({ tenantId, role: 'user', userId: 'grace' });
  const personal = await ask('POST', `/v1/tenants/${tenantId}/credentials`, {
    key: user,
    body: { description: 'mine', username: 'x', password: 'x', owner: 'user', verify: 'skip' },
  });
  t.match(
    await patch({ credential_id: personal.body.id }),
    { status: 422, body: { code: 'credential_unknown' } },
    "a user's own credential cannot be used",
  );
  t.match(
    await patch({ issue_datetime: null, expiry_datetime: null, credential_id: null, default_intake_location_id: null }),
    {
      status: 200,
      body: { issue_datetime: null, expiry_datetime: null, credential_id: null, default_intake_location_id: null },
    },
  );
  const listed = (await ask('GET', `/v1/tenants/${tenantId}/available-licenses`)).body.data.find(
    ({ license_id }: Available) => license_id === made.body.id,
  );
  t.match(
    await patch({ name: null, license_type: null }),
    { status: 200, body: { name: listed.name, license_type: listed.license_type } },
    'null sets the values that the state lists',
  );
  t.match(await patch({ name: 'x', license_number: '1' }), { status: 400 }, 'the number cannot be changed');

  const race = await etagOf(one);
  const edits = await Promise.all(Array.from({ length: 6 }, (_each, index) => patch({ name: `by ${index}` }, race)));
  t.strictSame(edits.map(({ status }) => status).sort(), [200, 412, 412, 412, 412, 412]);

  t.strictSame((await ask('GET', `/v1/tenants/${tenantId}/syncs`)).body.data, []);
  t.match(await patch({ create_companies: true }), { status: 200 });
  const runs = (await ask('GET', `/v1/tenants/${tenantId}/syncs`)).body.data;
  t.match(runs, [{ trigger: 'setup_completed' }], 'the first license with create_companies starts the first sync');
  await waitForRun(service, tenantId, runs[0].id);

  // From the table: the first sync has started the feed again.
  const feed = await service.sql<{ before: Record<string, unknown> | null; after: Record<string, unknown> }>(
    `select kind, license_id, before, after from changes
      where tenant_id = $1 and kind like 'own\\_license.%' order by seq`,
    [tenantId],
  );
  t.match(feed[0], {
    kind: 'own_license.created',
    license_id: made.body.id,
    before: null,
    after: { license_number: own?.location, share_with_leaflink: false, archived: false },
  });
  let state: Record<string, unknown> = {};
  for (const { before, after } of feed) {
    for (const [name, value] of Object.entries(before ?? {}))
      t.strictSame(state[name], value, `${name}: before matches the earlier entries`);
    state = { ...state, ...after };
  }
  const now = (await ask('GET', one)).body;
  t.strictSame(
    Object.fromEntries(Object.keys(state).map((name) => [name, now[name]])),
    state,
    'replaying the feed gives the current license',
  );
});

t.test('a state that is no longer configured', async (t) => {
  const tenantId = await makeTenant(service);
  const path = `/v1/tenants/${tenantId}`;
  await service.sql(`update tenants set state = 'ZZ' where tenant_id = $1`, [tenantId]);
  const stateless = { status: 422, body: { code: 'unknown_state' } };
  t.match(await ask('GET', `${path}/available-licenses`), stateless);
  t.match(await ask('POST', `${path}/licenses`, { body: { license_number: 'x' } }), stateless);
  t.match(await ask('POST', `${path}/licenses/bulk`, { body: { licenses: [{ license_number: 'x' }] } }), stateless);
  await service.sql(`update tenants set state = 'NM' where tenant_id = $1`, [tenantId]);
});

t.test('archive and restore a license', async (t) => {
  const [own] = listOwn();
  const tenantId = await makeTenant(service, 'credential', 'one_per_vendor');
  const tenant = `/v1/tenants/${tenantId}`;
  const path = `${tenant}/licenses`;
  const made = await ask('POST', path, {
    body: { license_number: own?.location, name: 'Kept', notify_on_change: false },
  });
  const [run] = (await ask('GET', `${tenant}/syncs`)).body.data;
  await waitForRun(service, tenantId, run.id);
  const companies = (await ask('GET', `${tenant}/companies?page[size]=500`)).body.data;
  const one = `${path}/${made.body.id}`;
  t.match(await ask('DELETE', one), { status: 428, body: { code: 'precondition_required' } });
  t.match(await ask('DELETE', one, { headers: { 'if-match': '"99"' } }), {
    status: 412,
    body: { code: 'precondition_failed' },
  });
  t.match(await ask('DELETE', one, { headers: await etagOf(one) }), { status: 204 });
  const archived = await ask('GET', one);
  t.match(archived, {
    status: 200,
    body: { archived: true, archived_datetime: /Z$/, name: 'Kept', problem: { reason: 'archived' } },
  });
  t.match(await ask('DELETE', one, { headers: await etagOf(one) }), { status: 204 }, 'archiving twice changes nothing');
  t.match(await ask('PATCH', one, { body: { archived: true }, headers: await etagOf(one) }), {
    status: 200,
    body: archived.body,
  });
  t.match(await ask('GET', one), { body: archived.body });
  const shown = async (archived?: string): Promise<number> =>
    (await ask('GET', `${path}${archived === undefined ? '' : `?archived=${archived}`}`)).body.data.length;
  t.strictSame([await shown(), await shown('exclude'), await shown('include'), await shown('only')], [0, 0, 1, 1]);
  t.match(await ask('POST', path, { body: { license_number: own?.location } }), {
    status: 409,
    body: { code: 'license_exists', reason: 'archived', conflicting_id: made.body.id },
  });
  const listed = (await ask('GET', `${tenant}/available-licenses`)).body.data.find(
    ({ license_number }: Available) => license_number === own?.location,
  );
  t.match(listed, { state: 'problem', license_id: made.body.id, problem: { reason: 'archived' } });
  t.strictSame((await ask('GET', `${tenant}/companies?page[size]=500`)).body.data, companies, 'no company changes');
  const restored = await ask('PATCH', one, { body: { archived: false }, headers: await etagOf(one) });
  t.match(restored, {
    status: 200,
    body: {
      id: made.body.id,
      archived: false,
      archived_datetime: null,
      name: 'Kept',
      notify_on_change: false,
      problem: null,
    },
  });
  const changes = await service.sql<{ kind: string }>(
    `select kind from changes where license_id = $1 and kind like 'own\\_license.%' order by seq`,
    [made.body.id],
  );
  const kinds = ['own_license.created', 'own_license.archived', 'own_license.restored'];
  t.strictSame(
    changes.map(({ kind }) => kind),
    kinds,
  );
});

t.test('a created license has a problem once it no longer matches the list', async (t) => {
  const { location } = control.addSite({ ubi: demo.ubi, name: 'To be followed' });
  await pause(1_100);
  const tenantId = await makeTenant(service);
  const tenant = `/v1/tenants/${tenantId}`;
  const made = await ask('POST', `${tenant}/licenses`, { body: { license_number: location, create_companies: false } });
  t.match(made, { status: 201, body: { missing_since_datetime: null, problem: null } });
  const see = async () => {
    await pause(1_100);
    const listed = (await ask('GET', `${tenant}/available-licenses`)).body.data.find(
      ({ license_number }: Available) => license_number === location,
    );
    const { body } = await ask('GET', `${tenant}/licenses/${made.body.id}`);
    t.strictSame(body.problem, listed.problem, 'both operations return the same problem');
    t.strictSame(body.missing_since_datetime, listed.missing_since_datetime);
    t.equal(listed.license_id, made.body.id);
    return { ...listed, reason: listed.problem?.reason ?? null };
  };
  t.match(await see(), { state: 'created', reason: null, active: true });
  control.sell({ location, toUbi: '007331902' });
  t.match(await see(), { state: 'problem', reason: 'other_ubi', ubi: '007331902', active: true }, 'sold');
  control.sell({ location, toUbi: demo.ubi });
  t.match(await see(), { state: 'created', reason: null }, 'bought back');
  control.vanish({ location });
  const missing = await see();
  t.match(missing, { state: 'problem', reason: 'missing', active: false, missing_since_datetime: /Z$/ }, 'missing');
  t.equal(missing.problem.since_datetime, missing.missing_since_datetime, 'with the time since when');
  control.restore({ location });
  t.match(
    await see(),
    { state: 'created', reason: null, missing_since_datetime: null },
    'listed again: the same license',
  );
  control.setField({ location, field: 'deleted', value: 1 });
  t.match(await see(), { state: 'problem', reason: 'deleted', active: false });
  control.setField({ location, field: 'deleted', value: 0 });
  t.match(await see(), { state: 'created' });

  await ask('PUT', `${tenant}/ubi`, {
    body: { ubi: '007331902', confirm: 'change_ubi' },
    headers: await etagOf(`${tenant}/ubi`),
  });
  t.match(
    (await ask('GET', `${tenant}/licenses/${made.body.id}`)).body.problem,
    { reason: 'other_ubi' },
    "the tenant's UBI changed",
  );
  await ask('PUT', tenant, {
    body: { name: 'Test', state: 'NM', environment: 'training' },
    headers: await etagOf(tenant),
  });
  t.match(
    (await ask('GET', `${tenant}/licenses/${made.body.id}`)).body.problem,
    null,
    'no problem is known before the list was read',
  );
  await ask('PUT', `${tenant}/ubi`, {
    body: { ubi: demo.ubi, confirm: 'change_ubi' },
    headers: await etagOf(`${tenant}/ubi`),
  });
  t.match(
    await see(),
    { state: 'problem', reason: 'missing', active: false },
    'the other environment does not list it',
  );
});

t.test('every documented response of these operations was tested', async (t) => {
  t.strictSame(contract.listUnseen(OWNERS['licenses.test.ts'], isOwnOutcome), []);
});
