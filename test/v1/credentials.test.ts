import t from 'tap';
import { isOwnOutcome, OWNERS } from '../helpers/contract.js';
import { FIRST_PUT, makeTenant, startTestService, syncTenant } from '../helpers/service.js';
import { PATIENCE_MS, until } from '../helpers/until.js';

/** Credentials for BioTrack. How passwords are encrypted is tested in `vault.test.ts`. */

const service = await startTestService(t);
const { ask, newId, contract, simulator } = service;
const { control } = simulator;
const [demo, limited] = simulator.users as [typeof simulator.demo, typeof simulator.demo];
const LOGIN = { username: demo.username, password: demo.password, owner: 'company' };

const countLogins = (): number => control.counters().logins;
/** Asks as a user of the tenant, who may force a login that BioTrack refused. */
const force = (path: string) => {
  const [, tenantId = ''] = /tenants\/([^/]+)/.exec(path) ?? [];
  const key = service.tokenOf({ tenantId, userId: 'forcing', role: 'admin' });
  return ask('POST', `${path}/verify`, { key, body: { force: true } });
};
const etagOf = async (path: string): Promise<Record<string, string>> => ({
  'if-match': (await ask('GET', path)).headers.get('etag') ?? 'none',
});

/** A tenant with nothing but its UBI. */
async function makeBare(ubi: string = demo.ubi): Promise<{ id: string; tenant: string; path: string }> {
  const id = await makeTenant(service, 'tenant');
  await ask('PUT', `/v1/tenants/${id}/ubi`, { headers: FIRST_PUT, body: { ubi } });
  return { id, tenant: `/v1/tenants/${id}`, path: `/v1/tenants/${id}/credentials` };
}

t.test('createCredential', async (t) => {
  const bare = await makeTenant(service, 'tenant');
  t.match(
    await ask('POST', `/v1/tenants/${bare}/credentials`, { body: { ...LOGIN, description: 'x' } }),
    { status: 409, body: { code: 'setup_incomplete', next_step: { operation_id: 'putUbi' } } },
    'requires the UBI',
  );

  const { path, tenant } = await makeBare();
  const logins = countLogins();
  const created = await ask('POST', path, { body: { ...LOGIN, description: 'Office login' } });
  t.match(created, {
    status: 201,
    body: {
      description: 'Office login',
      username: demo.username,
      owner: 'company',
      owner_user_id: null,
      ubi: demo.ubi,
      status: 'valid',
      status_message: null,
      last_used_datetime: null,
    },
  });
  t.type(created.body.checked_datetime, 'string');
  t.equal(countLogins(), logins + 1, 'verified with one login');
  t.equal(created.headers.get('location'), `${service.baseUrl}${path}/${created.body.id}`);
  t.match(await ask('GET', `${path}/${created.body.id}`), { status: 200, body: created.body });
  t.match(await ask('GET', `${tenant}/ubi`), { body: { status: 'verified' } });

  const before = countLogins();
  t.match(
    await ask('POST', path, { body: { ...LOGIN, description: 'another' } }),
    {
      status: 409,
      body: { code: 'credential_exists', conflicting_id: created.body.id, errors: [{ pointer: '/username' }] },
    },
    'the same username',
  );
  t.match(
    await ask('POST', path, {
      body: { ...LOGIN, username: 'someone@example.com', description: 'Office login' },
    }),
    {
      status: 409,
      body: { code: 'credential_exists', conflicting_id: created.body.id, errors: [{ pointer: '/description' }] },
    },
    'the same description',
  );
  t.equal(countLogins(), before, 'a duplicate costs no login');

  t.match(
    await ask('POST', path, { body: { ...LOGIN, owner: 'user', username: 'me@example.com', description: 'mine' } }),
    { status: 403, body: { code: 'forbidden' } },
    'an API key cannot own a credential',
  );
});

t.test('createCredential saves nothing that BioTrack rejects', async (t) => {
  const { path, tenant } = await makeBare();
  for (const verify of ['required', 'attempt', undefined]) {
    t.match(
      await ask('POST', path, { body: { ...LOGIN, password: 'wrong', description: 'x', verify } }),
      { status: 422, body: { code: 'credentials_rejected', errors: [{ pointer: '/password' }] } },
      `a wrong password (verify: ${verify})`,
    );
  }
  t.match(
    await ask('POST', path, { body: { ...LOGIN, password: `${demo.password} `, description: 'x' } }),
    {
      status: 422,
      body: { code: 'credentials_rejected' },
    },
    'a trailing space belongs to the password',
  );
  t.match(
    await ask('POST', path, { body: { ...LOGIN, username: 'nobody@example.com', description: 'x' } }),
    { status: 422, body: { code: 'credentials_rejected' } },
    'an unknown user',
  );
  t.match(
    await ask('POST', path, {
      body: { ...LOGIN, username: limited.username, password: limited.password, description: 'x' },
    }),
    { status: 422, body: { code: 'privilege_missing', reason: 'sync_vendor' } },
    'a missing privilege',
  );
  t.match(
    await ask('GET', `${tenant}/ubi`),
    { body: { status: 'verified' } },
    'a login without the privilege still verifies the UBI',
  );

  const unknown = await makeBare('999999999');
  t.match(
    await ask('POST', unknown.path, { body: { ...LOGIN, description: 'x' } }),
    { status: 422, body: { code: 'ubi_rejected' } },
    'an unknown UBI',
  );
  t.match(await ask('GET', `${unknown.tenant}/ubi`), { body: { status: 'rejected' } });
  for (const where of [path, unknown.path]) {
    t.strictSame((await ask('GET', where)).body, { data: [], next_page: null }, 'nothing invalid is saved');
  }
});

t.test('createCredential when BioTrack is unavailable', async (t) => {
  const { path, tenant } = await makeBare();
  for (const fault of ['server_error', 'empty_body', 'html', 'code_1000', 'reset_in_headers'] as const) {
    control.injectFault({ fault, action: 'login', times: 0 });
    const answer = await ask('POST', path, { body: { ...LOGIN, description: fault } });
    t.match(answer, { status: 503, body: { code: 'upstream_unavailable' } }, `${fault}: 503, and not a rejection`);
    t.match(answer.body.reason, /^upstream_/, answer.body.reason);
    t.strictSame((await ask('GET', path)).body.data, [], 'nothing is saved');
    control.clearFaults();
    // A successful login keeps the circuit breaker closed.
    t.equal((await ask('POST', (await makeBare()).path, { body: { ...LOGIN, description: 'x' } })).status, 201);
  }
  t.match(await ask('GET', `${tenant}/ubi`), { body: { status: 'unverified' } }, 'the status of the UBI is unchanged');

  control.injectFault({ fault: 'server_error', action: 'login' });
  t.match(
    await ask('POST', path, { body: { ...LOGIN, description: 'attempt', verify: 'attempt' } }),
    {
      status: 201,
      body: { status: 'unverified', checked_datetime: null, status_message: { text: /Not verified/ } },
    },
    'attempt: saved unverified',
  );
  control.clearFaults();

  control.injectFault({ fault: 'throttled', action: 'login', retryAfterSeconds: 1 });
  const throttled = await ask('POST', path, {
    body: { ...LOGIN, username: 'second', description: 'second', verify: 'required' },
  });
  t.match(
    throttled.status === 503 ? throttled.body.reason : throttled.body.code,
    /upstream_throttled|credentials_rejected/,
  );
  control.clearFaults();

  const logins = countLogins();
  const skipped = await ask('POST', path, {
    body: { ...LOGIN, username: 'third', description: 'skip', verify: 'skip' },
  });
  t.match(skipped, { status: 201, body: { status: 'unverified' } });
  t.equal(countLogins(), logins, 'skip: no login at all');

  control.injectFault({ fault: 'echo_password', action: 'login' });
  const echoed = await ask('POST', path, {
    body: { ...LOGIN, username: 'fourth', password: 'do-not-echo-me', description: 'echo' },
  });
  t.ok(echoed.status === 422 || echoed.status === 503, `${echoed.status}`);
  t.notMatch(JSON.stringify(echoed.body), /do-not-echo-me|internal\)/, 'texts of BioTrack are not passed on');
  t.notMatch(service.logged(), /do-not-echo-me/);
  control.clearFaults();
});

t.test('createCredential stores text unchanged', async (t) => {
  const { path } = await makeBare();
  const password = '  "quoted"\t\\ ünï¢ødé 🔑\n ';
  control.addUser({ ubi: demo.ubi, username: 'Ünusual@example.com', password });
  const odd = {
    username: 'Ünusual@example.com',
    password,
    owner: 'company',
    description: "Ω '; drop table credentials; --",
  };
  t.match(await ask('POST', path, { body: odd }), {
    status: 201,
    body: { description: odd.description, status: 'valid' },
  });
  control.deleteUser({ ubi: demo.ubi, username: odd.username });

  const wrong: Record<string, unknown>[] = [
    { description: '' },
    { description: '  ' },
    { description: 'x'.repeat(121) },
    { description: 1 },
    { description: null },
    { username: '' },
    { username: 'x'.repeat(201) },
    { username: ['a'] },
    { password: '' },
    { password: 'x'.repeat(201) },
    { password: 12345678 },
    { password: null },
    { password: 'a\u0000b' },
    { owner: 'operator' },
    { verify: 'never' },
    { ubi: demo.ubi },
    { status: 'valid' },
    { id: newId() },
  ];
  for (const change of wrong) {
    const [name = ''] = Object.keys(change);
    const { status, body } = await ask('POST', path, { body: { ...LOGIN, description: 'x', ...change } });
    t.match(
      { status, body },
      { status: 400, body: { code: 'invalid_request', errors: [{ pointer: `/${name}` }] } },
      JSON.stringify(change).slice(0, 60),
    );
  }
  for (const name of ['description', 'username', 'password', 'owner']) {
    const { status, body } = await ask('POST', path, { body: { ...LOGIN, description: 'x', [name]: undefined } });
    t.match(
      { status, body },
      { status: 400, body: { errors: [{ pointer: `/${name}`, detail: 'is required' }] } },
      `without ${name}`,
    );
  }
  t.equal((await ask('GET', path)).body.data.length, 1, 'invalid input is not saved');

  const race = await Promise.all(
    Array.from({ length: 6 }, () => ask('POST', path, { body: { ...LOGIN, description: 'raced', verify: 'skip' } })),
  );
  t.strictSame(
    race.map(({ status }) => status).sort(),
    [201, 409, 409, 409, 409, 409],
    'one of six concurrent requests succeeds',
  );
});

t.test('listCredentials and getCredential', async (t) => {
  const { path } = await makeBare();
  const ids: string[] = [];
  for (const name of ['a', 'b', 'c']) {
    const made = await ask('POST', path, { body: { ...LOGIN, username: name, description: name, verify: 'skip' } });
    ids.push(made.body.id);
  }
  const all = await ask('GET', path);
  t.strictSame(
    all.body.data.map(({ id }: { id: string }) => id),
    ids,
    'oldest first',
  );
  const first = await ask('GET', `${path}?page[size]=2`);
  t.equal(first.body.data.length, 2);
  t.ok(first.body.next_page.startsWith(`${service.baseUrl}${path}?`));
  const last = await ask('GET', first.body.next_page);
  t.strictSame(
    last.body.data.map(({ id }: { id: string }) => id),
    ids.slice(2),
  );
  t.equal(last.body.next_page, null);
  const cursor = new URL(first.body.next_page).searchParams.get('page[after]');
  const other = await makeBare();
  t.match(
    await ask('GET', `${other.path}?page[after]=${cursor}`),
    { status: 400, body: { code: 'invalid_cursor' } },
    "another tenant's list",
  );
  t.match(
    await ask('GET', `${path}?page[after]=${cursor}`),
    { status: 200, body: { data: last.body.data } },
    'with another size of pages',
  );
  t.match(await ask('GET', `${path}/${newId()}`), { status: 404, body: { code: 'not_found' } });
});

t.test('updateCredential', async (t) => {
  const { path } = await makeBare();
  const { id } = (await ask('POST', path, { body: { ...LOGIN, description: 'office' } })).body;
  const other = (await ask('POST', path, { body: { ...LOGIN, username: 'b', description: 'other', verify: 'skip' } }))
    .body;
  const one = `${path}/${id}`;
  const patch = async (body: Record<string, unknown>, headers?: Record<string, string>) =>
    ask('PATCH', one, { body, headers: headers ?? (await etagOf(one)) });

  t.match(await ask('PATCH', one, { body: { description: 'x' } }), {
    status: 428,
    body: { code: 'precondition_required' },
  });
  t.match(await patch({ description: 'x' }, { 'if-match': '"99"' }), {
    status: 412,
    body: { code: 'precondition_failed' },
  });
  t.match(await patch({ description: 1 }, {}), { status: 400 }, 'a bad body is 400 before anything else');

  let logins = countLogins();
  const stale = await etagOf(one);
  t.match(await patch({ description: 'Office' }), {
    status: 200,
    body: { id, description: 'Office', status: 'valid' },
  });
  t.equal(countLogins(), logins, 'a new description costs no login');
  t.match(await patch({ description: 'x' }, stale), { status: 412 });
  t.match(await patch({}), { status: 400, body: { code: 'invalid_request' } }, 'an empty change is invalid');
  t.match(await ask('GET', one), { body: { description: 'Office' } });

  t.match(await patch({ description: 'other' }), {
    status: 409,
    body: { code: 'credential_exists', conflicting_id: other.id, errors: [{ pointer: '/description' }] },
  });
  t.match(await patch({ username: 'b' }), {
    status: 409,
    body: { code: 'credential_exists', errors: [{ pointer: '/username' }] },
  });
  t.equal(countLogins(), logins);

  t.match(await patch({ password: 'wrong' }), { status: 422, body: { code: 'credentials_rejected' } });
  t.match(await ask('GET', one), { body: { status: 'valid' } }, 'the valid password stays');
  t.match(await ask('POST', `${one}/verify`), { body: { result: 'valid' } });

  control.changePassword({ ubi: demo.ubi, username: demo.username, password: 'new-password' });
  t.match(await ask('POST', `${one}/verify`), { body: { result: 'rejected', credential: { status: 'rejected' } } });
  t.match(
    await patch({ password: 'new-password' }),
    { status: 200, body: { id, status: 'valid' } },
    'replaced in place',
  );
  control.changePassword({ ubi: demo.ubi, username: demo.username, password: demo.password });
  t.match(await patch({ password: demo.password }), { status: 200, body: { id, status: 'valid' } });

  t.match(await patch({ username: limited.username, password: limited.password }), {
    status: 422,
    body: { code: 'privilege_missing' },
  });
  t.match(
    await patch({ username: limited.username }),
    { status: 422, body: { code: 'credentials_rejected' } },
    'another username with the old password',
  );
  control.addUser({ ubi: demo.ubi, username: 'same@example.com', password: demo.password });
  t.match(await patch({ username: 'same@example.com' }), {
    status: 200,
    body: { username: 'same@example.com', status: 'valid' },
  });
  control.deleteUser({ ubi: demo.ubi, username: 'same@example.com' });

  control.injectFault({ fault: 'server_error', action: 'login' });
  t.match(await patch({ password: demo.password }), { status: 503, body: { code: 'upstream_unavailable' } });
  control.clearFaults();
  logins = countLogins();
  t.match(await patch({ username: demo.username, password: 'whatever', verify: 'skip' }), {
    status: 200,
    body: { status: 'unverified' },
  });
  t.equal(countLogins(), logins);
  t.match(await patch({ password: demo.password }), { status: 200, body: { status: 'valid' } });

  const unknown = await makeBare('999999999');
  const made = await ask('POST', unknown.path, { body: { ...LOGIN, description: 'x', verify: 'skip' } });
  t.match(
    await ask('PATCH', `${unknown.path}/${made.body.id}`, {
      body: { password: 'other' },
      headers: { 'if-match': '"1"' },
    }),
    { status: 422, body: { code: 'ubi_rejected' } },
  );

  await service.sql('update credentials set sealed_password = $2 where id = $1', [id, Buffer.from('nonsense')]);
  t.match(await patch({ username: 'someone@example.com' }), { status: 409, body: { code: 'credential_unreadable' } });
  t.match(
    await patch({ password: demo.password }),
    { status: 200, body: { status: 'valid' } },
    'entering the password again fixes it',
  );

  const race = await etagOf(one);
  const edits = await Promise.all(
    Array.from({ length: 6 }, (_each, index) => patch({ description: `by ${index}` }, race)),
  );
  t.strictSame(
    edits.map(({ status }) => status).sort(),
    [200, 412, 412, 412, 412, 412],
    'one of six concurrent edits succeeds',
  );

  await service.sql('delete from ubis where tenant_id = (select tenant_id from credentials where id = $1)', [id]);
  t.match(
    await ask('PATCH', one, {
      body: { description: 'x' },
      headers: { 'if-match': `"${Number.parseInt(race['if-match']?.slice(1) ?? '', 10) + 1}"` },
    }),
    { status: 409, body: { code: 'setup_incomplete' } },
    'requires the UBI, which only SQL can delete',
  );
});

t.test('deleteCredential', async (t) => {
  const tenantId = await makeTenant(service);
  const path = `/v1/tenants/${tenantId}/credentials`;
  const [{ id }] = (await ask('GET', path)).body.data;
  const one = `${path}/${id}`;
  t.match(await ask('DELETE', one), { status: 428, body: { code: 'precondition_required' } });
  t.match(await ask('DELETE', one, { headers: { 'if-match': '"99"' } }), {
    status: 412,
    body: { code: 'precondition_failed' },
  });

  const { license_number } = (await ask('GET', `/v1/tenants/${tenantId}/available-licenses`)).body.data[0];
  const license = await ask('POST', `/v1/tenants/${tenantId}/licenses`, {
    body: { license_number, credential_id: id, create_companies: false },
  });
  t.equal(license.status, 201);
  t.match(await ask('DELETE', one, { headers: await etagOf(one) }), {
    status: 409,
    body: { code: 'in_use', conflicting_id: license.body.id },
  });
  const spare = await ask('POST', path, { body: { ...LOGIN, username: 'x', description: 'x', verify: 'skip' } });
  const another = `${path}/${spare.body.id}`;
  t.equal((await ask('DELETE', another, { headers: await etagOf(another) })).status, 204);
  t.match(await ask('GET', another), { status: 404 });
  t.match(await ask('DELETE', another, { headers: { 'if-match': '"1"' } }), { status: 404 });
  const [row] = await service.sql('select from credentials where id = $1', [spare.body.id]);
  t.equal(row, undefined, 'the password is deleted too');
});

t.test('verifyCredential', async (t) => {
  const { path, tenant } = await makeBare();
  const { id } = (await ask('POST', path, { body: { ...LOGIN, description: 'x', verify: 'skip' } })).body;
  const verify = () => ask('POST', `${path}/${id}/verify`);

  t.match(await verify(), {
    status: 200,
    body: { result: 'valid', missing_privilege: null, credential: { id, status: 'valid', status_message: null } },
  });
  control.injectFault({ fault: 'server_error', action: 'login' });
  t.match(
    await verify(),
    { status: 200, body: { result: 'unavailable', credential: { status: 'valid' } } },
    'an outage does not change the status',
  );
  control.clearFaults();
  control.setPrivileges({ ubi: demo.ubi, username: demo.username, privileges: ['sync_check'] });
  t.match(await verify(), {
    body: {
      result: 'privilege_missing',
      missing_privilege: 'sync_vendor',
      credential: { status: 'privilege_missing', status_message: { text: /sync_vendor/ } },
    },
  });
  control.setPrivileges({ ubi: demo.ubi, username: demo.username, privileges: ['sync_check', 'sync_vendor'] });
  t.match(
    await verify(),
    { body: { result: 'valid', credential: { status: 'valid' } } },
    'after the privilege was granted',
  );
  control.changePassword({ ubi: demo.ubi, username: demo.username, password: 'another' });
  t.match(await verify(), {
    body: {
      result: 'rejected',
      remembered: false,
      credential: { status: 'rejected', status_message: { text: /correct values/ } },
    },
  });
  control.injectFault({ fault: 'server_error', action: 'login' });
  const one = `${path}/${id}`;
  t.match(await force(one), { body: { result: 'unavailable', credential: { status: 'rejected' } } });
  control.clearFaults();
  control.changePassword({ ubi: demo.ubi, username: demo.username, password: demo.password });
  t.match(await force(one), { body: { result: 'valid', remembered: false } }, 'a user tries a rejected login again');

  await ask('PUT', `${tenant}/ubi`, { headers: await etagOf(`${tenant}/ubi`), body: { ubi: '999999999' } });
  t.match(await verify(), {
    body: { result: 'ubi_rejected', credential: { status: 'ubi_rejected', ubi: '999999999' } },
  });
  t.match(await ask('GET', `${tenant}/ubi`), { body: { status: 'rejected' } });

  control.injectFault({ fault: 'slow_first_byte', action: 'login', delayMs: 1_500 });
  const slow = (await ask('POST', path, { body: { ...LOGIN, username: 'y', description: 'y', verify: 'skip' } })).body;
  const gone = ask('POST', `${path}/${slow.id}/verify`);
  await until('a login', async () => control.counters().callsInFlight > 0);
  await ask('DELETE', `${path}/${slow.id}`, { headers: await etagOf(`${path}/${slow.id}`) });
  t.match(await gone, { status: 404, body: { code: 'not_found' } }, 'deleted during the login');
  control.clearFaults();

  await service.sql(`update tenants set state = 'ZZ' where $1 like '%' || tenant_id`, [tenant]);
  const stateless = { status: 422, body: { code: 'unknown_state', detail: /operator/ } };
  t.match(await verify(), stateless, 'a state that the deployment no longer supports');
  t.match(await ask('POST', path, { body: { ...LOGIN, username: 'z', description: 'z' } }), stateless);
  const change = { headers: await etagOf(`${path}/${id}`), body: { password: 'new' } };
  t.match(await ask('PATCH', `${path}/${id}`, change), stateless);
  await service.sql(`update tenants set state = 'NM' where $1 like '%' || tenant_id`, [tenant]);

  await service.sql('update credentials set secret_version = secret_version + 1 where id = $1', [id]);
  t.match(await verify(), { status: 409, body: { code: 'credential_unreadable' } });
  await service.sql('delete from ubis where tenant_id = (select tenant_id from credentials where id = $1)', [id]);
  t.match(await verify(), { status: 409, body: { code: 'setup_incomplete' } });
});

t.test('a login result does not outlive the UBI and state it was for', async (t) => {
  const { path, tenant } = await makeBare();
  const { id } = (await ask('POST', path, { body: { ...LOGIN, description: 'x' } })).body;
  t.match(await ask('GET', `${path}/${id}`), { body: { status: 'valid' } });
  const moved = { name: 'Test', state: 'NM', environment: 'training' };
  t.match(await ask('PUT', tenant, { body: moved, headers: await etagOf(tenant) }), { status: 200 });
  t.match(
    await ask('GET', `${path}/${id}`),
    { body: { status: 'unverified' } },
    'another environment needs another verification',
  );
  t.match(await ask('GET', `${tenant}/ubi`), { body: { status: 'unverified' } });

  control.injectFault({ fault: 'slow_first_byte', action: 'login', delayMs: 1_500 });
  const verifying = ask('POST', `${path}/${id}/verify`);
  await until('a login', async () => control.counters().callsInFlight > 0);
  await ask('PUT', `${tenant}/ubi`, { body: { ubi: '007331902' }, headers: await etagOf(`${tenant}/ubi`) });
  t.match(await verifying, { status: 200 });
  t.match(await ask('GET', `${path}/${id}`), { body: { status: 'unverified' } }, 'the result was for the old UBI');
  t.match(await ask('GET', `${tenant}/ubi`), { body: { ubi: '007331902', status: 'unverified' } });
});

t.test('a rejected login is not tried again automatically when its UBI is restored', async (t) => {
  const tenantId = await makeTenant(service, 'credential');
  const path = `/v1/tenants/${tenantId}`;
  const [credential] = (await ask('GET', `${path}/credentials`)).body.data;
  const setUbi = async (ubi: string) =>
    t.equal((await ask('PUT', `${path}/ubi`, { headers: await etagOf(`${path}/ubi`), body: { ubi } })).status, 200);
  const read = async () => (await ask('GET', `${path}/credentials/${credential.id}`)).body.status;
  control.changePassword({ ubi: demo.ubi, username: demo.username, password: 'another' });

  for (const refuse of [
    () => ask('POST', `${path}/credentials/${credential.id}/verify`),
    // A run is rejected with a credential that was valid.
    () => syncTenant(service, tenantId, { refresh: 'force' }),
  ]) {
    await service.sql(`update credentials set status = 'valid' where id = $1`, [credential.id]);
    await service.sql(`update credentials set refused_ubi_keys = '{}' where id = $1`, [credential.id]);
    await refuse();
    t.equal(await read(), 'rejected');
    await setUbi('999999999');
    t.equal(await read(), 'unverified', 'not verified with the other UBI');
    await setUbi(demo.ubi);
    const logins = countLogins();
    t.match(await ask('GET', `${path}/available-licenses`), { status: 409 });
    t.equal(await read(), 'rejected');
    t.equal(countLogins(), logins, 'no further login');
  }
  control.changePassword({ ubi: demo.ubi, username: demo.username, password: demo.password });
  t.match(await force(`${path}/credentials/${credential.id}`), { body: { result: 'valid' } });
  await ask('GET', `${path}/available-licenses`);
  t.equal(await read(), 'valid', 'an explicit verification clears the rejection');
});

t.test('the owner of a credential decides who can access it', async (t) => {
  const { id: tenantId, path } = await makeBare();
  const scriptKey = (
    await ask('POST', '/v1/api-keys', { body: { description: 'x', role: 'admin', tenant_id: tenantId } })
  ).body.secret;
  const keys = {
    operator: service.operatorKey,
    'admin key': scriptKey as string,
    'another admin': service.tokenOf({ tenantId, role: 'admin', userId: 'boss' }),
    owner: service.tokenOf({ tenantId, role: 'user', userId: 'ada' }),
    'owner as admin': service.tokenOf({ tenantId, role: 'admin', userId: 'ada' }),
    'another user': service.tokenOf({ tenantId, role: 'user', userId: 'bob' }),
  };
  type Who = keyof typeof keys;
  const company = (await ask('POST', path, { body: { ...LOGIN, description: 'office' } })).body;
  const mine = await ask('POST', path, { key: keys.owner, body: { ...LOGIN, owner: 'user', description: 'office' } });
  t.match(
    mine,
    { status: 201, body: { owner: 'user', owner_user_id: 'ada', status: 'valid', description: 'office' } },
    'a user credential can have the description and login of a company credential',
  );
  t.match(
    await ask('POST', path, { key: keys.owner, body: { ...LOGIN, owner: 'user', description: 'again' } }),
    { status: 409, body: { code: 'credential_exists', conflicting_id: mine.body.id } },
    'but only once per user',
  );
  t.match(
    await ask('POST', path, { key: keys.owner, body: { ...LOGIN, description: 'x', username: 'x' } }),
    { status: 403, body: { code: 'forbidden' } },
    'a user cannot create a company credential',
  );
  for (const who of ['operator', 'admin key'] as const) {
    t.match(
      await ask('POST', path, { key: keys[who], body: { ...LOGIN, owner: 'user', description: 'x', username: 'x' } }),
      { status: 403, body: { code: 'forbidden' } },
      `${who} cannot own a credential`,
    );
  }

  const everything = { list: true, get: 200, patch: 200, verify: 200 };
  const wanted: Record<
    'company' | 'user',
    Record<Who, { list: boolean; get: number; patch: number; verify: number }>
  > = {
    company: {
      operator: everything,
      'admin key': everything,
      'another admin': everything,
      owner: { list: true, get: 200, patch: 403, verify: 403 },
      'owner as admin': everything,
      'another user': { list: true, get: 200, patch: 403, verify: 403 },
    },
    user: {
      operator: { list: true, get: 403, patch: 403, verify: 403 },
      'admin key': { list: true, get: 403, patch: 403, verify: 403 },
      'another admin': { list: true, get: 403, patch: 403, verify: 403 },
      owner: everything,
      'owner as admin': everything,
      'another user': { list: false, get: 404, patch: 404, verify: 404 },
    },
  };
  for (const [owner, cells] of Object.entries(wanted)) {
    const { id } = owner === 'company' ? company : mine.body;
    const one = `${path}/${id}`;
    const ownerKey = keys['owner as admin'];
    for (const [who, cell] of Object.entries(cells)) {
      const key = keys[who as Who];
      const { etag } = (await ask('GET', one, { key: ownerKey })).body;
      const listed = (await ask('GET', path, { key })).body.data.find((each: { id: string }) => each.id === id);
      if (listed !== undefined) t.equal(listed.etag, etag, 'the list contains the ETag');
      const seen = {
        list: listed !== undefined,
        get: (await ask('GET', one, { key })).status,
        patch: (await ask('PATCH', one, { key, headers: { 'if-match': etag }, body: { description: 'office' } }))
          .status,
        verify: (await ask('POST', `${one}/verify`, { key })).status,
      };
      t.strictSame(seen, cell, `${who}, with a credential of the ${owner}`);
      const stale = await ask('DELETE', one, { key, headers: { 'if-match': '"999"' } });
      const mayDelete = owner === 'company' ? cell.patch : cell.get === 404 ? 404 : 200;
      t.equal(
        stale.status,
        mayDelete === 200 ? 412 : mayDelete,
        `${who} ${mayDelete === 200 ? 'may' : 'may not'} delete it`,
      );
    }
  }

  const unseen = await ask('GET', `${path}/${mine.body.id}`, { key: keys['another user'] });
  const absent = await ask('GET', `${path}/${newId()}`, { key: keys['another user'] });
  t.strictSame(
    { ...unseen.body, request_id: '' },
    { ...absent.body, request_id: '' },
    'the credential of another user looks like a missing one',
  );
  const listed = (await ask('GET', path)).body.data.find(({ id }: { id: string }) => id === mine.body.id);
  t.notMatch(JSON.stringify(listed), new RegExp(demo.password), 'the list contains no password');
  t.match(
    await ask('DELETE', `${path}/${mine.body.id}`, { headers: { 'if-match': listed.etag } }),
    { status: 204 },
    'the operator deletes it with the ETag from the list',
  );
  t.match(await ask('GET', `${path}/${mine.body.id}`, { key: keys.owner }), { status: 404 });
  t.match(await ask('GET', path, { key: keys['another user'] }), { body: { data: [{ id: company.id }] } });
});

t.test('a new password raises the secret version and keeps the id', async (t) => {
  const { path } = await makeBare();
  const { id } = (await ask('POST', path, { body: { ...LOGIN, description: 'x' } })).body;
  const read = async () =>
    (
      await service.sql<{ secret_version: number; version: number }>(
        'select secret_version, version from credentials where id = $1',
        [id],
      )
    )[0];
  const before = await read();
  t.match(
    await ask('PATCH', `${path}/${id}`, { body: { password: demo.password }, headers: await etagOf(`${path}/${id}`) }),
    { status: 200, body: { id } },
  );
  t.match(await read(), { secret_version: Number(before?.secret_version) + 1, version: Number(before?.version) + 1 });
  await ask('PATCH', `${path}/${id}`, { body: { description: 'y' }, headers: await etagOf(`${path}/${id}`) });
  t.match(
    await read(),
    { secret_version: Number(before?.secret_version) + 1 },
    'a new description keeps the secret version',
  );
});

t.test('a rejected login is not repeated for a day', async (t) => {
  const beside = await startTestService(t, { beside: service, role: 'api' });
  const { path } = await makeBare();
  const refusedLogins = (): number => control.counters().loginsRejected;
  const wrong = { ...LOGIN, password: 'remembered-as-wrong', description: 'x' };

  let before = refusedLogins();
  const storm = await Promise.all(
    Array.from({ length: 200 }, (_each, index) =>
      (index % 2 === 0 ? service : beside).ask('POST', path, { body: wrong }),
    ),
  );
  t.ok(
    storm.every(({ status, body }) => status === 422 && body.code === 'credentials_rejected'),
    '200 requests to two processes are all rejected',
  );
  t.equal(refusedLogins(), before + 1, 'with one login');
  t.ok(
    storm.some(({ body }) => body.reason === 'rejected_before' && /not tried again/.test(body.detail)),
    'the detail says so',
  );
  await beside.stop();
  const restarted = await startTestService(t, { beside: service, role: 'api' });
  for (let times = 0; times < 20; times += 1) {
    t.match(await restarted.ask('POST', path, { body: { ...wrong, description: `${times}` } }), {
      status: 422,
      body: { code: 'credentials_rejected', reason: 'rejected_before', errors: [{ pointer: '/password' }] },
    });
  }
  t.equal(refusedLogins(), before + 1, 'a restart does not forget it');
  t.comment('220 requests, 2 processes, 1 restart: 1 login at BioTrack');

  before = refusedLogins();
  for (const change of [{ password: 'another wrong one' }, { username: 'second@example.com' }]) {
    await ask('POST', path, { body: { ...wrong, ...change } });
  }
  t.equal(refusedLogins(), before + 2, 'another password or username is another login');
  const stranger = await makeBare();
  await ask('POST', stranger.path, { body: wrong });
  t.equal(refusedLogins(), before + 3, 'rejections are not shared between tenants');

  const rows = await service.sql<{ text: string }>('select login_attempts::text as text from login_attempts');
  t.ok(rows.length > 0);
  t.notMatch(JSON.stringify(rows), /remembered-as-wrong|demo@example|042517300/, 'only a keyed hash is stored');
  const pending = await service.sql('select from login_attempts where leased_until_datetime is not null');
  t.strictSame(pending, [], 'no attempt is left pending');

  // Fixed in BioTrack after the rejection.
  control.addUser({ ubi: demo.ubi, username: 'late@example.com', password: 'right' });
  control.changePassword({ ubi: demo.ubi, username: 'late@example.com', password: 'other' });
  const late = { ...LOGIN, username: 'late@example.com', password: 'right', description: 'late' };
  t.match(await ask('POST', path, { body: late }), { status: 422 });
  control.changePassword({ ubi: demo.ubi, username: 'late@example.com', password: 'right' });
  t.match(await ask('POST', path, { body: late }), { status: 422, body: { reason: 'rejected_before' } });
  const saved = await ask('POST', path, { body: { ...late, verify: 'skip' } });
  t.match(saved, { status: 201, body: { status: 'rejected' } }, '`skip` saves it, and says that it was rejected');
  t.match(await force(`${path}/${saved.body.id}`), { body: { result: 'valid' } }, 'a user can verify it');
  t.match(
    await ask('PATCH', `${path}/${saved.body.id}`, {
      body: { password: 'right' },
      headers: await etagOf(`${path}/${saved.body.id}`),
    }),
    { status: 200, body: { status: 'valid' } },
    'a successful login clears the rejection',
  );
  before = refusedLogins();
  await service.sql(`update login_attempts set refused_datetime = now() - interval '25 hours'`);
  t.match(await ask('POST', path, { body: wrong }), { status: 422, body: { code: 'credentials_rejected' } });
  t.equal(refusedLogins(), before + 1, 'a rejection expires after a day');

  // A process that crashed during the login: others wait until its lease expires.
  await service.sql(
    `update login_attempts set refused_datetime = null, refusal = null, refusals = 0,
       leased_until_datetime = now() + interval '1 second'`,
  );
  const started = Date.now();
  t.match(await ask('POST', path, { body: wrong }), { status: 422 });
  t.ok(Date.now() - started < PATIENCE_MS, 'a lease is not awaited forever');
});

t.test('a license number is refused where logins do not send it', async (t) => {
  const { path } = await makeBare();
  const notUsed = { status: 422, body: { code: 'license_number_not_used', errors: [{ pointer: '/license_number' }] } };
  const body = { ...LOGIN, description: 'x', verify: 'skip' };
  t.match(await ask('POST', path, { body: { ...body, license_number: '220091777' } }), notUsed);
  const created = await ask('POST', path, { body: { ...body, license_number: null } });
  t.match(created, { status: 201, body: { license_number: null } });
  const one = `${path}/${created.body.id}`;
  t.match(await ask('PATCH', one, { body: { license_number: '220091777' }, headers: await etagOf(one) }), notUsed);
});

t.test('refused and held logins', async (t) => {
  const user = { ubi: demo.ubi, username: 'held@example.com', password: 'right' };
  control.addUser(user);
  const { path } = await makeBare();
  const login = { ...LOGIN, username: user.username, description: 'held' };
  const { id } = (await ask('POST', path, { body: { ...login, password: 'right' } })).body;
  const patch = async (password: string) =>
    ask('PATCH', `${path}/${id}`, { body: { password }, headers: await etagOf(`${path}/${id}`) });
  control.injectFault({
    fault: 'error_response',
    action: 'login',
    error: 'Your account has been locked.',
    errorcode: null,
  });
  t.match(await patch('wrong 1'), { status: 422, body: { code: 'login_refused', detail: /^Nothing was saved/ } });
  for (const password of ['wrong 2', 'wrong 3']) {
    t.match(await patch(password), { status: 422, body: { code: 'credentials_rejected' } });
  }
  const held = { status: 429, body: { code: 'logins_held', detail: /might lock the account/ } };
  const answer = await patch('wrong 4');
  t.match(answer, held, 'another password');
  t.match(answer.headers.get('retry-after'), /^\d+$/);
  const other = await makeBare();
  t.match(await ask('POST', other.path, { body: { ...login, password: 'wrong 5' } }), held, 'in another tenant');
  t.match(await ask('POST', other.path, { body: { ...login, password: 'wrong 5', verify: 'attempt' } }), held);
  const skipped = await ask('POST', other.path, { body: { ...login, password: 'wrong 6', verify: 'skip' } });
  t.match(await ask('POST', `${other.path}/${skipped.body.id}/verify`), held);
  t.match(await ask('GET', `${path}/${id}`), { body: { status: 'valid' } }, 'the valid password stays');
  t.match(await ask('POST', `${path}/${id}/verify`), { body: { result: 'valid' } }, 'and is not held back');
});

t.test('a status that changes without a new version is no 304', async (t) => {
  const tenantId = await makeTenant(service);
  const path = `/v1/tenants/${tenantId}/credentials`;
  const [{ id }] = (await ask('GET', path)).body.data;
  const before = await ask('GET', `${path}/${id}`);
  const header = { 'if-none-match': before.headers.get('etag') ?? '' };
  t.equal((await ask('GET', `${path}/${id}`, { headers: header })).status, 304);
  await service.sql(`update credentials set status = 'rejected' where id = $1`, [id]);
  const after = await ask('GET', `${path}/${id}`, { headers: header });
  t.match(after, { status: 200, body: { status: 'rejected', etag: before.body.etag } }, 'the same version');
  for (const from of ['header', 'field']) {
    const { headers, body } = await ask('GET', `${path}/${id}`);
    const ifMatch = from === 'header' ? (headers.get('etag') ?? '') : body.etag;
    const patch = { body: { description: `Office ${from}` }, headers: { 'if-match': ifMatch } };
    t.equal((await ask('PATCH', `${path}/${id}`, patch)).status, 200, `the ETag of the ${from} is one for If-Match`);
  }
});

t.test('every documented answer of these operations was seen', async (t) => {
  t.strictSame(contract.listUnseen(OWNERS['credentials.test.ts'], isOwnOutcome), []);
});
