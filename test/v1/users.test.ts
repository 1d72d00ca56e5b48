import t from 'tap';
import { isOwnOutcome, OWNERS } from '../helpers/contract.js';
import { FIRST_PUT, makeTenant, startTestService, waitForRun } from '../helpers/service.js';
import { until } from '../helpers/until.js';

/** Users of the host application, and the credential that each of them uses. */

const service = await startTestService(t);
const { ask, newId, contract, simulator, tokenOf } = service;
const { control, demo } = simulator;

const etagOf = async (path: string): Promise<Record<string, string>> => ({
  'if-match': (await ask('GET', path)).headers.get('etag') ?? 'none',
});

interface Row {
  readonly user_id: string;
  readonly [name: string]: unknown;
}

const readCoverage = async (tenantId: string): Promise<Map<string, Row>> => {
  const { body } = await ask('GET', `/v1/tenants/${tenantId}/credential-coverage`);
  return new Map(body.data.map((row: Row) => [row.user_id, row]));
};

/** Adds a BioTrack user. */
function addLogin(username: string): { username: string; password: string } {
  control.addUser({ ubi: demo.ubi, username, password: `${username}-password` });
  return { username, password: `${username}-password` };
}

t.test('getUser and putUser', async (t) => {
  const tenantId = await makeTenant(service, 'tenant');
  const path = `/v1/tenants/${tenantId}/users/user-1`;
  t.match(await ask('GET', path), { status: 404, body: { code: 'not_found' } });
  t.match(await ask('PUT', path, { body: { active: true } }), { status: 428, body: { code: 'precondition_required' } });
  t.match(await ask('PUT', path, { body: { active: true }, headers: { 'if-match': '"1"' } }), {
    status: 412,
    body: { code: 'precondition_failed' },
  });
  const created = await ask('PUT', path, { body: { display_name: 'Ada', active: true }, headers: FIRST_PUT });
  t.match(created, {
    status: 201,
    body: { user_id: 'user-1', display_name: 'Ada', active: true, last_seen_datetime: null },
  });
  t.match(await ask('GET', path), { status: 200, body: created.body });
  t.equal(created.headers.get('etag'), created.body.etag);
  t.match(await ask('PUT', path, { body: { active: true }, headers: FIRST_PUT }), { status: 412 });
  t.match(await ask('PUT', path, { body: { active: true }, headers: await etagOf(path) }), {
    status: 200,
    body: { display_name: null, active: true },
  });
  for (const body of [{}, { display_name: 'x' }, { active: 'false' }, { active: true, display_name: '' }]) {
    t.match(await ask('PUT', path, { body, headers: FIRST_PUT }), { status: 400 }, JSON.stringify(body));
  }
  const odd = ['ada@example.com', 'auth0|5f7c8ec7c33c6c004bbafe82', 'Ünï/¢ode 100%', 'x'.repeat(200), '..', "'; --"];
  for (const userId of odd) {
    const one = `/v1/tenants/${tenantId}/users/${encodeURIComponent(userId)}`;
    if (userId === '..') continue;
    t.match(await ask('PUT', one, { body: { active: true }, headers: FIRST_PUT }), {
      status: 201,
      body: { user_id: userId },
    });
    const key = tokenOf({ tenantId, role: 'user', userId });
    t.match(await ask('GET', `/v1/tenants/${tenantId}/setup`, { key }), { status: 200 }, 'the same user id in a token');
    t.match((await ask('GET', one)).body, { user_id: userId, last_seen_datetime: /Z$/ });
  }
  const race = await etagOf(path);
  const edits = await Promise.all(
    Array.from({ length: 6 }, (_each, index) =>
      ask('PUT', path, { body: { display_name: `by ${index}`, active: true }, headers: race }),
    ),
  );
  t.strictSame(edits.map(({ status }) => status).sort(), [200, 412, 412, 412, 412, 412]);
});

t.test('deleteUser: what the user did stays, under a pseudonym', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_license');
  const path = `/v1/tenants/${tenantId}`;
  const userId = 'ada@example.com';
  const one = `${path}/users/${encodeURIComponent(userId)}`;
  const key = tokenOf({ tenantId, role: 'admin', userId });
  const own = await ask('POST', `${path}/credentials`, {
    body: { owner: 'user', description: 'own', ...addLogin('ada-own') },
    key,
  });
  t.equal(own.status, 201);
  const started = await ask('POST', `${path}/syncs`, { body: {}, key });
  await waitForRun(service, tenantId, started.body.id);
  const made = await ask('POST', `${path}/companies`, { body: { name: 'Made by Ada' }, key });
  t.equal(made.status, 201);
  const other = await ask('PUT', `${path}/users/${encodeURIComponent(`${userId}.org`)}`, {
    body: { active: true },
    headers: FIRST_PUT,
  });
  t.equal(other.status, 201);
  await ask('PUT', one, { body: { active: true, display_name: 'Ada' }, headers: await etagOf(one) });

  /** Every row of the tenant as text. */
  const findTraces = async (text: string): Promise<string[]> => {
    const tables = await service.sql<{ name: string }>(
      `select table_name as name from information_schema.columns where column_name = 'tenant_id' and table_schema = 'public'`,
    );
    const found: string[] = [];
    for (const { name } of tables) {
      const rows = await service.sql(`select from ${name} r where tenant_id = $1 and r::text ~ $2`, [tenantId, text]);
      if (rows.length > 0) found.push(name);
    }
    return found.sort();
  };
  const userText = 'ada(@|%40)example.com([^.]|$)';
  const before = await findTraces(userText);
  for (const table of ['audit', 'changes', 'companies', 'credentials', 'sync_runs', 'users']) {
    t.ok(before.includes(table), `${table} names the user`);
  }
  t.match(await ask('DELETE', one), { status: 428, body: { code: 'precondition_required' } });
  t.match(await ask('DELETE', one, { headers: { 'if-match': '"99"' } }), { status: 412 });
  const active = await service.sql<{ id: string }>(
    `insert into sync_runs (tenant_id, id, trigger, mode, refresh, strategy, step, requested_by, status, retry_datetime)
     values ($1, $2, 'request', 'full', 'auto', 'one_per_license', 'queued', $3, 'queued', now() + interval '1 hour')
     returning id`,
    [tenantId, newId(), `user:${userId}`],
  );
  const dismissed = newId();
  const message = {
    code: 'run_dismissed',
    params: { dismissed_by: `user:${userId}` },
    text: `Dismissed by user:${userId}.`,
  };
  await service.sql(
    `insert into sync_runs (tenant_id, id, trigger, mode, refresh, strategy, step, requested_by, status, reason_message, finished_datetime)
     values ($1, $2, 'request', 'full', 'auto', 'one_per_license', 'done', 'schedule', 'canceled', $3, now())`,
    [tenantId, dismissed, message],
  );
  const busy = await ask('DELETE', one, { headers: await etagOf(one) });
  t.match(busy, { status: 409, body: { code: 'sync_in_progress' } }, 'its run would still write the user');
  t.equal((await ask('POST', `${path}/syncs/${active[0]?.id}/cancel`)).status, 200);
  t.equal((await ask('DELETE', one, { headers: await etagOf(one) })).status, 204);
  t.strictSame(
    await findTraces(userText),
    ['idempotency_keys'].filter((name) => before.includes(name)),
    'no trace',
  );
  t.strictSame(
    (await findTraces('erased-')).filter((name) => name !== 'users'),
    ['audit', 'changes', 'companies', 'sync_runs'],
    'its pseudonym',
  );
  t.match((await ask('GET', `${path}/companies/${made.body.id}/explain`)).body.created, { actor: /^user:erased-/ });
  t.match((await ask('GET', `${path}/syncs/${started.body.id}`)).body, { requested_by: /^user:erased-/ });
  t.match((await ask('GET', `${path}/syncs/${dismissed}`)).body, {
    requested_by: 'schedule',
    reason_message: { params: { dismissed_by: /^user:erased-/ }, text: /^Dismissed by user:erased-\S+\.$/ },
  });
  t.match(await ask('GET', one), { status: 404, body: { code: 'not_found' } });
  t.match(await ask('DELETE', one, { headers: { 'if-match': '"1"' } }), { status: 404 });
  const audit = await service.sql<{ object: string }>('select object from audit where tenant_id = $1', [tenantId]);
  t.ok(
    audit.some(({ object }) => object.includes(`${userId}.org`) || object.includes('ada%40example.com.org')),
    'another user with a similar id stays',
  );
});

t.test('deleteUser: an admin who erases their own user leaves no trace either', async (t) => {
  const tenantId = await makeTenant(service, 'tenant');
  const userId = 'grace';
  const key = tokenOf({ tenantId, role: 'admin', userId });
  const one = `/v1/tenants/${tenantId}/users/${userId}`;
  const etag = (await ask('GET', one, { key })).headers.get('etag') ?? '';
  t.equal((await ask('DELETE', one, { key, headers: { 'if-match': etag } })).status, 204);
  const audit = await service.sql('select actor, object from audit where tenant_id = $1 order by id', [tenantId]);
  t.match(audit.at(-1), { actor: /^user:erased-/, object: /\/users\/erased-/ });
  t.notMatch(JSON.stringify(audit), /grace/);
});

t.test('listCredentialCoverage', async (t) => {
  const tenantId = await makeTenant(service, 'preference');
  const path = `/v1/tenants/${tenantId}`;
  t.strictSame((await ask('GET', `${path}/credential-coverage`)).body, { data: [], next_page: null });
  const [ada, bob] = ['ada', 'bob'].map((userId) => tokenOf({ tenantId, role: 'user', userId })) as [string, string];
  await ask('GET', `${path}/setup`, { key: ada });
  await ask('GET', `${path}/setup`, { key: bob });
  await ask('PUT', `${path}/users/cy`, { body: { display_name: 'Cy', active: true }, headers: FIRST_PUT });
  let coverage = await readCoverage(tenantId);
  t.strictSame([...coverage.keys()], ['ada', 'bob', 'cy'], 'users who sent a token or were registered');
  t.match(coverage.get('ada'), { covered: false, credential: null, own_status: null, last_seen_datetime: /Z$/ });
  t.match(coverage.get('cy'), { display_name: 'Cy', last_seen_datetime: null });

  const own = addLogin('coverage@example.com');
  const mine = await ask('POST', `${path}/credentials`, {
    key: ada,
    body: { ...own, owner: 'user', description: 'mine' },
  });
  t.equal(mine.status, 201);
  coverage = await readCoverage(tenantId);
  t.match(coverage.get('ada'), {
    covered: true,
    credential: { id: mine.body.id, owner: 'user', status: 'valid', reason: 'own' },
    own_status: 'valid',
    own_status_message: null,
  });
  t.match(coverage.get('bob'), { covered: false, credential: null });

  const login = addLogin('office@example.com');
  const office = await ask('POST', `${path}/credentials`, {
    body: { ...login, owner: 'company', description: 'office' },
  });
  control.changePassword({ ubi: demo.ubi, username: own.username, password: 'other' });
  await ask('POST', `${path}/credentials/${mine.body.id}/verify`, { key: ada });
  coverage = await readCoverage(tenantId);
  t.match(
    coverage.get('ada'),
    {
      covered: true,
      credential: { id: office.body.id, owner: 'company', reason: 'own_rejected' },
      own_status: 'rejected',
      own_status_message: { text: /rejected/ },
    },
    'falls back to the company credential, and reports the problem of the own one',
  );
  t.match(coverage.get('bob'), { covered: true, credential: { owner: 'company', reason: 'own_missing' } });

  const first = await ask('GET', `${path}/credential-coverage?page[size]=2`);
  t.strictSame(
    first.body.data.map(({ user_id }: Row) => user_id),
    ['ada', 'bob'],
  );
  t.match(await ask('GET', first.body.next_page), { body: { data: [{ user_id: 'cy' }], next_page: null } });
  t.match(await ask('GET', `${path}/credential-coverage?page[after]=x`), {
    status: 400,
    body: { code: 'invalid_cursor' },
  });
  t.match(await ask('GET', `/v1/tenants/${newId()}/credential-coverage`), { status: 404 });
  t.match(
    await ask('GET', `${path}/credential-coverage`, { key: ada }),
    { status: 403 },
    'users cannot list the coverage',
  );
  const long = '\u5c71'.repeat(150);
  for (const userId of [long, `${long}\u4e8c`]) {
    await ask('GET', `${path}/setup`, { key: tokenOf({ tenantId, role: 'user', userId }) });
  }
  let next: string | null = `${path}/credential-coverage?page[size]=1`;
  let users = 0;
  for (; next !== null; users += 1) next = (await ask('GET', next)).body.next_page;
  t.equal(users, 5, 'pagination works with the longest user ids');
});

t.test("a run prefers the requesting user's credential to the company's, and reports why", async (t) => {
  const tenantId = await makeTenant(service, 'preference');
  const path = `/v1/tenants/${tenantId}`;
  const ada = tokenOf({ tenantId, role: 'user', userId: 'ada' });
  const bob = tokenOf({ tenantId, role: 'user', userId: 'bob' });
  const run = async (key: string, refresh: 'auto' | 'force' = 'force') => {
    const started = await ask('POST', `${path}/syncs`, { key, body: { refresh } });
    t.equal(started.status, 202);
    return waitForRun(service, tenantId, started.body.id);
  };
  const own = addLogin('run@example.com');
  const mine = await ask('POST', `${path}/credentials`, {
    key: ada,
    body: { ...own, owner: 'user', description: 'mine' },
  });
  t.match(
    await ask('POST', `${path}/syncs`, { key: bob, body: {} }),
    { status: 409, body: { code: 'setup_incomplete', next_step: { operation_id: 'createCredential' } } },
    'a user cannot use the credential of another user',
  );
  t.match(await ask('POST', `${path}/syncs`, { body: {} }), { status: 409 }, 'nor can an API key');
  t.match(await run(ada), { status: /^succeeded/, credential: { id: mine.body.id, owner: 'user', reason: 'own' } });
  t.match(await ask('GET', `${path}/available-licenses`, { key: ada }), { status: 200 }, 'license lookups use it too');

  const office = addLogin('run-office@example.com');
  const company = await ask('POST', `${path}/credentials`, {
    body: { ...office, owner: 'company', description: 'office' },
  });
  const { id } = company.body;
  t.match(
    await run(ada),
    { credential: { id: mine.body.id, owner: 'user', reason: 'own' } },
    'the own credential is still preferred',
  );
  t.match(await run(bob), { credential: { id, owner: 'company', reason: 'own_missing' } });
  t.match(await run(service.operatorKey), { credential: { id, owner: 'company', reason: 'no_user' } });

  // Rejected during a run: the next run does not use it.
  control.changePassword({ ubi: demo.ubi, username: own.username, password: 'other', endSessions: true });
  control.addVendor({});
  t.match(await run(ada), { status: 'failed', reason: 'credentials_rejected', credential: { reason: 'own' } });
  const rejected = control.counters().loginsRejected;
  t.match(await run(ada), { status: /^succeeded/, credential: { id, owner: 'company', reason: 'own_rejected' } });
  t.equal(control.counters().loginsRejected, rejected, 'without another login attempt');

  // Unverified, and rejected at first use: the same run falls back to the company's.
  const one = `${path}/credentials/${mine.body.id}`;
  const etag = (await ask('GET', one, { key: ada })).headers.get('etag') as string;
  await ask('PATCH', one, {
    key: ada,
    headers: { 'if-match': etag },
    body: { password: 'wrong again', verify: 'skip' },
  });
  t.match(await run(ada), { status: /^succeeded/, credential: { id, owner: 'company', reason: 'own_rejected' } });
  t.match((await ask('GET', one, { key: ada })).body, { status: 'rejected' });

  await service.sql(`update credentials set status = 'valid', sealed_password = $2 where id = $1`, [
    mine.body.id,
    Buffer.from('nonsense'),
  ]);
  t.match(await run(ada), { status: /^succeeded/, credential: { owner: 'company', reason: 'own_unreadable' } });

  t.match(
    (await ask('GET', `${path}/syncs`)).body.data.every(
      ({ credential }: { credential: unknown }) => credential !== null,
    ),
    true,
    'every run reports its credential',
  );
});

t.test('a password that cannot be decrypted does not block other credentials', async (t) => {
  const tenantId = await makeTenant(service, 'preference');
  const path = `/v1/tenants/${tenantId}`;
  const eve = tokenOf({ tenantId, role: 'user', userId: 'eve' });
  const save = async (username: string, owner: 'company' | 'user', key = service.operatorKey): Promise<string> => {
    const body = { ...addLogin(username), owner, description: username };
    return (await ask('POST', `${path}/credentials`, { key, body })).body.id;
  };
  const spoil = (id: string) =>
    service.sql('update credentials set sealed_password = $2 where id = $1', [id, Buffer.from('nonsense')]);
  const run = async (key: string) => {
    const started = await ask('POST', `${path}/syncs`, { key, body: { refresh: 'auto' } });
    return waitForRun(service, tenantId, started.body.id);
  };
  const isDone = async (key: string) => (await ask('GET', `${path}/setup`, { key })).body.steps[2].status;

  const old = await save('spoilt@example.com', 'company');
  await spoil(old);
  await ask('GET', `${path}/setup`, { key: eve });
  const next = { operation_id: 'updateCredential', method: 'PATCH', path: `${path}/credentials/${old}` };
  t.match((await ask('GET', `${path}/setup`)).body.next_step, next);
  t.match((await readCoverage(tenantId)).get('eve'), { covered: false, credential: null });
  t.match(await run(eve), { status: 'failed', reason: 'credential_unreadable', credential: { id: old } });

  const good = await save('good@example.com', 'company');
  t.equal(await isDone(eve), 'done');
  t.match((await readCoverage(tenantId)).get('eve'), {
    covered: true,
    credential: { id: good, owner: 'company', reason: 'own_missing' },
  });
  t.match(await run(eve), { status: /^succeeded/, credential: { id: good, reason: 'own_missing' } });
  t.match(await ask('GET', `${path}/available-licenses`), { status: 200 });

  const mine = await save('mine@example.com', 'user', eve);
  await spoil(mine);
  t.match((await readCoverage(tenantId)).get('eve'), {
    covered: true,
    credential: { id: good, reason: 'own_unreadable' },
    own_status: 'valid',
    own_status_message: { text: /Update the credential with its password/ },
  });
  t.match(await run(eve), { status: /^succeeded/, credential: { id: good, reason: 'own_unreadable' } });
  const second = await save('second@example.com', 'user', eve);
  t.match((await readCoverage(tenantId)).get('eve'), { credential: { id: second, owner: 'user', reason: 'own' } });
  t.match(
    await run(eve),
    { status: /^succeeded/, credential: { id: second, reason: 'own' } },
    'the second own credential',
  );
});

t.test('a deactivated user loses access and credentials', async (t) => {
  const tenantId = await makeTenant(service, 'preference');
  const path = `/v1/tenants/${tenantId}`;
  const key = tokenOf({ tenantId, role: 'user', userId: 'gone' });
  const own = addLogin('gone@example.com');
  const mine = await ask('POST', `${path}/credentials`, { key, body: { ...own, owner: 'user', description: 'mine' } });
  const other = tokenOf({ tenantId, role: 'user', userId: 'stays' });
  const theirs = await ask('POST', `${path}/credentials`, {
    key: other,
    body: { ...own, owner: 'user', description: 'x' },
  });
  const office = addLogin('stays-office@example.com');
  const company = await ask('POST', `${path}/credentials`, {
    body: { ...office, owner: 'company', description: 'office' },
  });

  const user = `${path}/users/gone`;
  // A credential that the user is saving during the deactivation must not be stored.
  control.injectFault({ fault: 'slow_first_byte', action: 'login', delayMs: 1_500 });
  const saving = ask('POST', `${path}/credentials`, {
    key,
    body: { ...addLogin('late-gone@example.com'), owner: 'user', description: 'late' },
  });
  await until('a login', async () => control.counters().callsInFlight > 0);
  t.match(await ask('PUT', user, { body: { active: false }, headers: await etagOf(user) }), {
    status: 200,
    body: { active: false },
  });
  t.match(await saving, { status: 403, body: { code: 'forbidden', reason: 'user_inactive' } });
  control.clearFaults();

  const rows = await service.sql<{ id: string }>('select id from credentials where tenant_id = $1 order by id', [
    tenantId,
  ]);
  t.strictSame(
    rows.map(({ id }) => id).sort(),
    [theirs.body.id, company.body.id].sort(),
    'only the credentials of the user are deleted',
  );
  t.match(await ask('GET', `${path}/credentials/${mine.body.id}`), { status: 404 });
  for (const [method, where, body] of [
    ['GET', `${path}/setup`, undefined],
    ['POST', `${path}/syncs`, {}],
    ['POST', `${path}/credentials`, { ...own, owner: 'user', description: 'again' }],
    ['POST', `${path}/credentials`, { nonsense: true }],
  ] as const) {
    t.match(
      await ask(method, where, { key, body }),
      { status: 403, body: { code: 'forbidden', reason: 'user_inactive' } },
      `${method} ${where.split('/').at(-1)}: rejected`,
    );
  }
  t.match((await readCoverage(tenantId)).get('gone'), { active: false, covered: false, credential: null });
  t.match(await ask('GET', `${path}/setup`, { key: other }), { status: 200 });

  t.match(await ask('PUT', user, { body: { active: true }, headers: await etagOf(user) }), { status: 200 });
  t.match(await ask('GET', `${path}/setup`, { key }), { status: 200 }, 'access again after reactivation');
  t.match(
    (await ask('GET', `${path}/credentials`, { key })).body.data,
    [{ id: company.body.id }],
    'the credential stays deleted',
  );

  const nowhere = newId();
  t.match(
    await ask('GET', `/v1/tenants/${nowhere}/setup`, { key: tokenOf({ tenantId: nowhere, role: 'user' }) }),
    { status: 404, body: { code: 'not_found' } },
    'users of unknown tenants are not stored',
  );
});

t.test('every documented answer of these operations was seen', async (t) => {
  t.strictSame(contract.listUnseen(OWNERS['users.test.ts'], isOwnOutcome), []);
});
