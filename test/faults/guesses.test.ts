import t from 'tap';
import type { FaultParameters } from '../../src/simulator/index.js';
import { makeTenant, startTestService, syncTenant } from '../helpers/service.js';

/** Nobody can guess the password of a BioTrack user, or lock the account, through this service. */

const service = await startTestService(t, { simulator: { licenses: 60, offersSyncCheck: false } });
const beside = await startTestService(t, { beside: service, role: 'api' });
const { ask, sql, simulator } = service;
const { control, demo } = simulator;

const countLogins = (): number => control.counters().logins;
const toLogin = (username: string, password: string) => ({ description: 'x', username, password, owner: 'company' });

/** As if BioTrack had refused everything this much earlier. */
const letPass = (seconds: number) =>
  sql('update login_attempts set refused_datetime = refused_datetime - make_interval(secs => $1)', [seconds]);

t.test('1,000 guesses cost at most five logins', async (t) => {
  const tenants = [await makeTenant(service, 'ubi'), await makeTenant(service, 'ubi')];
  const spellings = [demo.username, demo.username.toUpperCase(), ` ${demo.username} `];
  const before = countLogins();
  const statuses: number[] = [];
  let retryAfter = 0;
  // Concurrently, in two processes, for two tenants and in several spellings.
  const guess = async (index: number): Promise<void> => {
    const { ask } = index % 2 === 0 ? service : beside;
    const body = toLogin(spellings[index % 3] as string, `guess ${index}`);
    const answer = await ask('POST', `/v1/tenants/${tenants[index % tenants.length]}/credentials`, { body });
    statuses.push(answer.status);
    if (answer.status !== 429) return;
    t.equal(answer.body.code, 'logins_held');
    retryAfter = Number(answer.headers.get('retry-after'));
  };
  for (let start = 0; start < 1_000; start += 20) {
    await Promise.all(Array.from({ length: 20 }, (_each, index) => guess(start + index)));
  }
  t.ok(countLogins() - before <= 5, `${countLogins() - before} logins`);
  t.ok(statuses.every((status) => status === 422 || status === 429));
  t.ok(retryAfter > 0 && retryAfter <= 3_600, `Retry-After: ${retryAfter}`);
});

t.test('an unknown text for a wrong password does not lift the limit', async (t) => {
  const tenantId = await makeTenant(service, 'ubi');
  control.injectFault({ fault: 'error_response', action: 'login', times: 0, error: 'Invalid login.', errorcode: null });
  const before = countLogins();
  for (let index = 0; index < 200; index += 1) {
    // One guess of the second username makes each refusal of the first one look like a problem of the state.
    const body = toLogin(index === 0 ? 'unknown-b' : 'unknown-a', `guess ${index}`);
    await ask('POST', `/v1/tenants/${tenantId}/credentials`, { body });
  }
  control.clearFaults();
  t.ok(countLogins() - before <= 10, `${countLogins() - before} logins`);
});

const NO_VERDICTS: readonly (readonly [
  answer: string,
  fault: FaultParameters & { fault: 'error_response' | 'raw_body' },
])[] = [
  ['a text of trouble', { fault: 'error_response', error: 'Please try again later.', errorcode: null }],
  ['a limit of requests', { fault: 'error_response', error: 'Too many requests.', errorcode: null }],
  ['code 17', { fault: 'error_response', error: null, errorcode: 17 }],
  ['code 1000', { fault: 'error_response', error: 'An internal error has occurred.', errorcode: 1000 }],
  ['a text in an object', { fault: 'raw_body', text: '{"success":0,"error":{"message":"Account locked"}}' }],
  ['another `success`', { fault: 'raw_body', text: '{"success":-1}' }],
];
for (const [answer, fault] of NO_VERDICTS) {
  t.test(`${answer} instead of a verdict does not lift the limit`, async (t) => {
    const tenantId = await makeTenant(service, 'ubi');
    control.injectFault({ ...fault, action: 'login', times: 0 });
    const before = countLogins();
    const statuses = new Set<number>();
    for (let index = 0; index < 60; index += 1) {
      const body = toLogin(`no verdict: ${answer}`, `guess ${index}`);
      statuses.add((await ask('POST', `/v1/tenants/${tenantId}/credentials`, { body })).status);
    }
    control.clearFaults();
    t.ok(countLogins() - before <= 5, `${countLogins() - before} logins`);
    t.ok(statuses.has(429), [...statuses].join());
  });
}

t.test('the time between guesses grows', async (t) => {
  control.addUser({ ubi: demo.ubi, username: 'growing', password: 'right' });
  const tenantId = await makeTenant(service, 'ubi');
  const guess = (password: string) =>
    ask('POST', `/v1/tenants/${tenantId}/credentials`, { body: toLogin('growing', password) });
  for (const free of ['a', 'b', 'c']) t.equal((await guess(free)).status, 422);
  for (const [index, seconds] of [60, 300, 900, 3_600, 3_600].entries()) {
    const held = await guess(`held ${index}`);
    t.equal(held.status, 429);
    const wait = Number(held.headers.get('retry-after'));
    t.ok(wait > seconds - 30 && wait <= seconds, `${wait} of ${seconds} seconds`);
    await letPass(seconds);
    t.equal((await guess(`late ${index}`)).status, 422, 'then one more login');
  }
  t.equal((await guess('right')).status, 429, 'not even the right password is sent earlier');
  await letPass(3_600);
  t.equal((await guess('right')).status, 201);
  await ask('POST', `/v1/tenants/${await makeTenant(service, 'ubi')}/credentials`, {
    body: toLogin('growing', 'wrong'),
  });
  const [row] = await sql<{ most: number }>(
    'select max(refusals) as most from login_attempts where leased_until_datetime is null and accepted_datetime is not null',
  );
  t.ok((row?.most ?? 0) <= 1, 'an accepted login starts over');
});

t.test('guesses of others do not hold back a login that was valid', async (t) => {
  const user = { ubi: demo.ubi, username: 'victim', password: 'right' };
  control.addUser(user);
  const owner = await makeTenant(service, 'preference');
  const path = `/v1/tenants/${owner}/credentials`;
  const { id } = (await ask('POST', path, { body: toLogin(user.username, user.password) })).body;
  const attacker = await makeTenant(service, 'ubi');
  const attack = async (): Promise<void> => {
    for (let index = 0; index < 5; index += 1) {
      await ask('POST', `/v1/tenants/${attacker}/credentials`, {
        body: toLogin(user.username, `guess ${Math.random()}`),
      });
    }
  };
  await attack();
  t.match(await syncTenant(service, owner, { refresh: 'force' }), { status: /^succeeded/ });
  t.match(await ask('POST', `${path}/${id}/verify`), { body: { result: 'valid' } });

  await attack();
  const headers = { 'if-match': (await ask('GET', `${path}/${id}`)).headers.get('etag') as string };
  t.match(
    await ask('PATCH', `${path}/${id}`, { headers, body: { password: user.password } }),
    { status: 200, body: { status: 'valid' } },
    'also when it is entered again',
  );

  // Locked by the guesses and unlocked again.
  await attack();
  control.injectFault({
    fault: 'error_response',
    action: 'login',
    error: 'Your account has been locked.',
    errorcode: null,
  });
  t.match(await syncTenant(service, owner, { refresh: 'force' }), { reason: 'login_refused' });
  const key = service.tokenOf({ tenantId: owner, role: 'admin' });
  t.match(await ask('POST', `${path}/${id}/verify`, { key, body: { force: true } }), { body: { result: 'valid' } });
});

t.test('a rejected credential is sent again only if a user forces it', async (t) => {
  const user = { ubi: demo.ubi, username: 'forced', password: 'right' };
  control.addUser(user);
  const tenantId = await makeTenant(service, 'preference');
  const path = `/v1/tenants/${tenantId}/credentials`;
  const { id } = (await ask('POST', path, { body: toLogin(user.username, user.password) })).body;
  const one = `${path}/${id}/verify`;
  const [admin, script] = [
    service.tokenOf({ tenantId, role: 'admin' }),
    (await ask('POST', '/v1/api-keys', { body: { description: 'x', role: 'admin', tenant_id: tenantId } })).body.secret,
  ];
  control.changePassword({ ...user, password: 'changed' });
  t.match(await ask('POST', one), { body: { result: 'rejected', remembered: false } }, 'it was valid: sent');
  const logins = countLogins();
  for (const options of [{}, { body: { force: true } }, { key: script, body: { force: true } }, { key: admin }]) {
    t.match(await ask('POST', one, options), {
      status: 200,
      body: { result: 'rejected', remembered: true, credential: { status: 'rejected' } },
    });
  }
  t.equal(countLogins(), logins, 'not sent again');
  t.match(await ask('POST', one, { key: admin, body: { force: true } }), { body: { remembered: false } });
  t.equal(countLogins(), logins + 1, 'sent for a user who forces it');
  for (let times = 0; times < 10; times += 1) await ask('POST', one, { key: admin, body: { force: true } });
  t.equal(countLogins(), logins + 2, 'and held back after three refusals');
  t.match(await ask('POST', one, { key: admin, body: { force: true } }), {
    status: 429,
    body: { code: 'logins_held' },
  });
});

t.test('`skip` saves a refused password with its status', async (t) => {
  const user = { ubi: demo.ubi, username: 'skipped', password: 'right' };
  control.addUser(user);
  const tenantId = await makeTenant(service, 'preference');
  const path = `/v1/tenants/${tenantId}/credentials`;
  const wrong = toLogin(user.username, 'wrong');
  t.equal((await ask('POST', path, { body: wrong })).status, 422);
  const saved = await ask('POST', path, { body: { ...wrong, verify: 'skip' } });
  t.match(saved, {
    status: 201,
    body: { status: 'rejected', status_message: { text: /rejected the username or password/ } },
  });
  const logins = countLogins();
  t.match(await ask('GET', `/v1/tenants/${tenantId}/available-licenses`), { status: 409 });
  t.match(await ask('POST', `/v1/tenants/${tenantId}/syncs`, { body: {} }), { status: 409 });
  t.equal(countLogins(), logins, 'it is not used');

  control.injectFault({ fault: 'error_response', action: 'login', error: 'User is not active.', errorcode: null });
  const inactive = { ...toLogin('inactive', 'x'), description: 'y' };
  t.match(await ask('POST', path, { body: inactive }), { status: 422, body: { code: 'login_refused' } });
  t.match(await ask('POST', path, { body: inactive }), { status: 422, body: { reason: 'rejected_before' } });
  t.match(await ask('POST', path, { body: { ...inactive, verify: 'skip' } }), {
    status: 201,
    body: { status: 'refused' },
  });
});

t.test('usernames are compared without case and blanks, and sent as typed', async (t) => {
  const typed = ' Ünusual.User@Example.com ';
  control.addUser({ ubi: demo.ubi, username: typed, password: 'right' });
  const tenantId = await makeTenant(service, 'ubi');
  const path = `/v1/tenants/${tenantId}/credentials`;
  const { status, body } = await ask('POST', path, { body: toLogin(typed, 'right') });
  t.match({ status, body }, { status: 201, body: { username: typed, status: 'valid' } });
  const logins = countLogins();
  for (const username of ['ünusual.user@example.com', 'ÜNUSUAL.USER@EXAMPLE.COM', typed.trim()]) {
    t.match(await ask('POST', path, { body: { ...toLogin(username, 'right'), description: 'y' } }), {
      status: 409,
      body: { code: 'credential_exists', conflicting_id: body.id, errors: [{ pointer: '/username' }] },
    });
  }
  t.equal(countLogins(), logins);
});

t.test('a changed password costs one login, however many processes and tenants verify it', async (t) => {
  const user = { ubi: demo.ubi, username: 'verified', password: 'right' };
  control.addUser(user);
  const save = async (): Promise<string> => {
    const path = `/v1/tenants/${await makeTenant(service, 'ubi')}/credentials`;
    const { id } = (await ask('POST', path, { body: toLogin(user.username, user.password) })).body;
    return `${path}/${id}/verify`;
  };
  const [one, other] = [await save(), await save()];
  const logins = countLogins();
  control.changePassword({ ...user, password: 'changed' });
  control.injectFault({ fault: 'slow_first_byte', action: 'login', times: 1, delayMs: 500 });
  const verdicts = await Promise.all([service, beside, service, beside].map(({ ask }) => ask('POST', one)));
  for (const verdict of verdicts) t.match(verdict, { body: { result: 'rejected' } });
  t.match(await ask('POST', other), {
    body: { result: 'rejected', remembered: true, credential: { status: 'rejected' } },
  });
  t.equal(countLogins(), logins + 1);
});

/** A tenant with a valid login of this user. */
async function makeValid(user: { username: string; password: string }, environment = 'production') {
  const id = await makeTenant(service, 'preference');
  const path = `/v1/tenants/${id}/credentials`;
  if (environment === 'training') {
    const headers = { 'if-match': (await ask('GET', `/v1/tenants/${id}`)).headers.get('etag') as string };
    await ask('PUT', `/v1/tenants/${id}`, { headers, body: { name: 'Test', state: 'NM', environment } });
  }
  const created = await ask('POST', path, { body: toLogin(user.username, user.password) });
  t.match(created, { status: 201, body: { status: 'valid' } });
  return { id, verify: `${path}/${created.body.id}/verify` };
}

t.test('a changed password costs one login in both environments of a server', async (t) => {
  const user = { ubi: demo.ubi, username: 'both', password: 'right' };
  control.addUser(user);
  const tenants = [await makeValid(user), await makeValid(user, 'training')];
  const logins = countLogins();
  control.changePassword({ ...user, password: 'changed', endSessions: true });
  control.injectFault({ fault: 'slow_first_byte', action: 'login', times: 2, delayMs: 500 });
  const runs = await Promise.all(tenants.map(({ id }) => syncTenant(service, id, { refresh: 'force' })));
  for (const run of runs) t.match(run, { reason: 'credentials_rejected' });
  control.clearFaults();
  t.equal(countLogins(), logins + 1);
});

t.test('a changed password costs one login if a sync and a verification use it at once', async (t) => {
  const user = { ubi: demo.ubi, username: 'at once', password: 'right' };
  control.addUser(user);
  const [synced, verified] = [await makeValid(user), await makeValid(user)];
  const logins = countLogins();
  control.changePassword({ ...user, password: 'changed', endSessions: true });
  control.injectFault({ fault: 'slow_first_byte', action: 'login', times: 2, delayMs: 500 });
  const [run, verdict] = await Promise.all([
    syncTenant(service, synced.id, { refresh: 'force' }),
    ask('POST', verified.verify),
  ]);
  t.match(run, { reason: 'credentials_rejected' });
  t.match(verdict, { body: { result: 'rejected' } });
  control.clearFaults();
  t.equal(countLogins(), logins + 1);
});

t.test('a changed password costs one login after the clock was set back', async (t) => {
  const user = { ubi: demo.ubi, username: 'clock', password: 'right' };
  control.addUser(user);
  const [first, second] = [await makeValid(user), await makeValid(user)];
  await sql(`update credentials set checked_datetime = now() + interval '10 minutes' where tenant_id = $1`, [
    second.id,
  ]);
  const logins = countLogins();
  control.changePassword({ ...user, password: 'changed', endSessions: true });
  t.match(await syncTenant(service, first.id, { refresh: 'force' }), { reason: 'credentials_rejected' });
  t.match(await syncTenant(service, second.id, { refresh: 'force' }), { reason: 'credentials_rejected' });
  t.equal(countLogins(), logins + 1);
});

t.test('`skip` knows the refusals of syncs', async (t) => {
  const user = { ubi: demo.ubi, username: 'skipped-sync', password: 'right' };
  control.addUser(user);
  const tenantId = await makeTenant(service, 'preference');
  const path = `/v1/tenants/${tenantId}/credentials`;
  const { id } = (await ask('POST', path, { body: toLogin(user.username, user.password) })).body;
  control.changePassword({ ...user, password: 'changed' });
  t.match(await syncTenant(service, tenantId, { refresh: 'force' }), { reason: 'credentials_rejected' });
  const logins = countLogins();
  const headers = { 'if-match': (await ask('GET', `${path}/${id}`)).headers.get('etag') as string };
  t.match(await ask('PATCH', `${path}/${id}`, { headers, body: { password: user.password, verify: 'skip' } }), {
    status: 200,
    body: { status: 'rejected' },
  });
  t.match(await ask('POST', `/v1/tenants/${tenantId}/syncs`, { body: {} }), { status: 409 });
  t.equal(countLogins(), logins);
});

t.test('what is remembered about logins is deleted when it is no longer needed', async (t) => {
  const count = async (): Promise<number> =>
    (await sql<{ count: number }>('select count(*)::int as count from login_attempts'))[0]?.count ?? 0;
  t.ok((await count()) > 5);
  await sql(`update login_attempts set expires_datetime = now() - interval '1 second'`);
  await ask('POST', `/v1/tenants/${await makeTenant(service, 'ubi')}/credentials`, {
    body: toLogin('expired', 'wrong'),
  });
  t.equal(await count(), 3, 'only the rows of the new refusal are left');
});
