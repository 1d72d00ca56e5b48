import t from 'tap';
import { pickCount } from '../helpers/counts.js';
import { type Ask, makeTenant, startTestService, type TestResponse, type TestService } from '../helpers/service.js';
import { PATIENCE_MS } from '../helpers/until.js';

/** Idempotency-Key: retried POST requests take effect once, even if responses, connections or processes are lost. */

const KEYS = pickCount({ few: 25, full: 200, long: 1_000 });

const service = await startTestService(t, {
  hasLine: true,
  // The circuit breaker would hide that BioTrack answers again.
  timing: { circuit: { failures: 1_000_000, openMs: 1 } },
});
const { ask, sql, newId, simulator } = service;
const { control, demo } = simulator;
const tenantId = await makeTenant(service, 'ubi');
const credentials = `/v1/tenants/${tenantId}/credentials`;

const withKey = (key: string, body?: unknown, more: Ask = {}): Ask => ({
  ...more,
  ...(body === undefined ? {} : { body }),
  headers: { 'idempotency-key': key },
});
const toApiKey = (description: string) => ({ description, role: 'operator' });
const makeApiKey = (key: string, description: string): Promise<TestResponse> =>
  ask('POST', '/v1/api-keys', withKey(key, toApiKey(description)));
const toCredential = (description: string, more: object = {}) => ({
  description,
  username: `${description}@example.com`,
  password: 'pass-word-1',
  owner: 'company',
  verify: 'skip',
  ...more,
});
const countApiKeys = async (description: string): Promise<number> =>
  (await sql('select from api_keys where description = $1', [description])).length;
const codeOf = ({ status, body }: TestResponse): string => (status < 400 ? `${status}` : `${status} ${body.code}`);
const isReplayed = ({ headers }: TestResponse): boolean => headers.get('idempotency-replayed') === 'true';
/** Simulates a process that died during the request, after its lease has expired. */
const loseResponse = (key: string) =>
  sql(
    `update idempotency_keys set sealed_answer = null, leased_until_datetime = now() - interval '1 second' where key = $1`,
    [key],
  );
const endLease = (key: string) =>
  sql(`update idempotency_keys set leased_until_datetime = now() where key = $1`, [key]);

t.test('repeating a request returns the first response', async (t) => {
  const first = await makeApiKey('one', 'once');
  const again = await makeApiKey('one', 'once');
  t.strictSame([first.status, again.status], [201, 201]);
  t.strictSame(again.body, first.body, 'including the secret');
  t.strictSame([isReplayed(first), isReplayed(again)], [false, true], 'and marks the replay');
  t.equal(await countApiKeys('once'), 1);
  const reordered = await ask('POST', '/v1/api-keys', withKey('one', { role: 'operator', description: 'once' }));
  t.strictSame(reordered.body, first.body, 'the order of fields does not matter');
  await ask('POST', '/v1/api-keys', { body: toApiKey('without') });
  await ask('POST', '/v1/api-keys', { body: toApiKey('without') });
  t.equal(await countApiKeys('without'), 2, 'requests without a key are not deduplicated');

  const saved = await ask('POST', credentials, withKey('c', toCredential('saved')));
  const savedAgain = await ask('POST', credentials, withKey('c', toCredential('saved')));
  t.strictSame(savedAgain.body, saved.body);
  for (const name of ['etag', 'location', 'content-type'])
    t.equal(savedAgain.headers.get(name), saved.headers.get(name), `${name} is repeated`);
  t.not(savedAgain.headers.get('x-request-id'), saved.headers.get('x-request-id'), 'the request id is not repeated');

  const rejected = await ask('POST', credentials, withKey('d', toCredential('saved')));
  t.equal(codeOf(rejected), '409 credential_exists');
  await ask('DELETE', `${credentials}/${saved.body.id}`, {
    headers: { 'if-match': String(saved.headers.get('etag')) },
  });
  const rejectedAgain = await ask('POST', credentials, withKey('d', toCredential('saved')));
  t.equal(codeOf(rejectedAgain), '409 credential_exists', 'errors are replayed, too');
  t.equal(rejectedAgain.body.request_id, rejectedAgain.headers.get('x-request-id'));
  t.strictSame({ ...rejectedAgain.body, request_id: '' }, { ...rejected.body, request_id: '' });
});

t.test('a key is bound to its request, caller and tenant', async (t) => {
  await makeApiKey('two', 'other');
  const other = await makeApiKey('two', 'another');
  t.match(other, { status: 422, body: { code: 'idempotency_key_reused' } }, 'another body');
  t.match(other.body.errors, [{ pointer: 'header:idempotency-key' }]);
  const changed = await ask('POST', `${credentials}/${newId()}/verify`, withKey('v'));
  t.equal(codeOf(changed), '404 not_found');
  const path = await ask('POST', `${credentials}/${newId()}/verify`, withKey('v'));
  t.equal(codeOf(path), '422 idempotency_key_reused', 'another path');
  t.equal(codeOf(await ask('POST', credentials, withKey('w', toCredential('w', { password: 'a' })))), '201');
  const password = await ask('POST', credentials, withKey('w', toCredential('w', { password: 'b' })));
  t.equal(codeOf(password), '422 idempotency_key_reused', 'another password');

  const bodies = await Promise.all(
    [service.operatorKey, (await makeApiKey('three', 'second operator')).body.secret].map((key) =>
      ask('POST', '/v1/api-keys', withKey('shared', toApiKey('by two'), { key })),
    ),
  );
  t.equal(new Set(bodies.map(({ body }) => body.id)).size, 2, 'callers do not share keys');
  const otherTenant = await makeTenant(service, 'ubi');
  const answers = await Promise.all(
    [tenantId, otherTenant].map((id) => ask('POST', `/v1/tenants/${id}/credentials`, withKey('t', toCredential('t')))),
  );
  t.strictSame(answers.map(codeOf), ['201', '201'], 'tenants do not share keys');
  const [admin, user] = (['admin', 'user'] as const).map((role) => service.tokenOf({ tenantId, role, userId: role }));
  const syncs = `/v1/tenants/${tenantId}/syncs`;
  t.strictSame(
    [
      codeOf(await ask('POST', syncs, withKey('s', {}, { key: admin ?? '' }))),
      codeOf(await ask('POST', syncs, withKey('s', {}, { key: user ?? '' }))),
      codeOf(await ask('POST', syncs, withKey('s', { refresh: 'force' }, { key: user ?? '' }))),
    ],
    ['409 setup_incomplete', '409 setup_incomplete', '422 idempotency_key_reused'],
    'users do not share keys',
  );
});

t.test('invalid keys are rejected, and only begun requests use a key up', async (t) => {
  for (const key of ['', ' ', 'a b', 'x'.repeat(256), 'a\tb', 'ü']) {
    const answer = await ask('POST', '/v1/api-keys', withKey(key, toApiKey('never')));
    t.equal(codeOf(answer), '400 invalid_request', JSON.stringify(key.slice(0, 10)));
    t.match(answer.body.errors, [{ pointer: 'header:idempotency-key' }]);
  }
  t.equal(await countApiKeys('never'), 0);
  t.equal(codeOf(await makeApiKey('x'.repeat(255), 'long')), '201');
  t.equal(codeOf(await ask('GET', '/v1/states', withKey('one'))), '200', 'a GET ignores the header');
  const invalid = await ask('POST', '/v1/api-keys', withKey('later', { description: 'x' }));
  t.equal(codeOf(invalid), '400 invalid_request');
  t.equal(codeOf(await makeApiKey('later', 'fixed')), '201', 'an invalid request does not use its key up');
  const denied = await ask('POST', '/v1/api-keys', withKey('denied', toApiKey('x'), { key: null }));
  t.equal(codeOf(denied), '401 unauthenticated');
  t.strictSame(await sql(`select from idempotency_keys where key = 'denied'`), []);
});

t.test('a request that was only rejected for now can be sent again with its key', async (t) => {
  const user = { ubi: demo.ubi, username: 'held@example.com', password: 'right' };
  control.addUser(user);
  const login = (password: string) => toCredential('held', { username: user.username, password, verify: 'attempt' });
  for (const password of ['wrong 1', 'wrong 2', 'wrong 3', 'wrong 4', 'wrong 5'])
    await ask('POST', credentials, { body: login(password) });
  t.equal(codeOf(await ask('POST', credentials, withKey('held', login('right')))), '429 logins_held');
  await sql(`update login_attempts set refused_datetime = refused_datetime - interval '1 day'`);
  t.equal(codeOf(await ask('POST', credentials, withKey('held', login('right')))), '201');
});

t.test('stored responses are encrypted and expire after 24 hours', async (t) => {
  const { body } = await makeApiKey('sealed', 'sealed');
  await ask('POST', credentials, withKey('sealed', toCredential('sealed', { password: 'canary-password' })));
  const rows = await sql<{ row: string; raw: string }>(
    `select row_to_json(k)::text as row, encode(sealed_answer, 'escape') as raw from idempotency_keys k where key = 'sealed'`,
  );
  t.equal(rows.length, 2);
  for (const { row, raw } of rows) t.notMatch(row + raw, new RegExp(`${body.secret}|canary|${body.id}`), 'sealed');

  await sql(
    `update idempotency_keys set inserted_datetime = now() - interval '23 hours 59 minutes' where key = 'sealed'`,
  );
  t.ok(isReplayed(await makeApiKey('sealed', 'sealed')), 'replayed within 24 hours');
  await sql(`update idempotency_keys set inserted_datetime = now() - interval '24 hours 1 second'`);
  const anew = await makeApiKey('sealed', 'sealed');
  t.notOk(isReplayed(anew), 'but not later');
  t.equal(await countApiKeys('sealed'), 2);
  for (let index = 0; index < 3; index += 1) await makeApiKey(`sweep-${index}`, 'sweep');
  const [{ old } = { old: -1 }] = await sql<{ old: number }>(
    `select count(*)::int as old from idempotency_keys
      where tenant_id = '00000000-0000-0000-0000-000000000000' and inserted_datetime < now() - interval '1 day'`,
  );
  t.equal(old, 0, 'new keys delete expired ones');

  const many = Array.from({ length: 25 }, (_each, index) => `quiet-${index}`);
  for (const key of many) await ask('POST', credentials, withKey(key, toCredential(key)));
  const age = `update idempotency_keys set inserted_datetime = now() - interval '24 hours 1 second' where key = $1`;
  await sql('delete from credentials where description = $1', ['quiet-24']);
  for (const key of many) await sql(age, [key]);
  const late = await ask('POST', credentials, withKey('quiet-24', toCredential('quiet-24')));
  t.equal(codeOf(late), '201');
  t.notOk(isReplayed(late), 'even if many other keys have expired');
  await sql(age, ['quiet-24']);
  const isSwept = async () => (await sql(`select from idempotency_keys where key like 'quiet-%'`)).length === 0;
  for (const end = Date.now() + PATIENCE_MS; !(await isSwept()) && Date.now() < end; );
  t.ok(await isSwept(), 'keys of inactive tenants are deleted, too');

  const gone = await makeTenant(service, 'ubi');
  await ask('POST', `/v1/tenants/${gone}/credentials`, withKey('gone', toCredential('gone')));
  const { headers } = await ask('GET', `/v1/tenants/${gone}`);
  await ask('DELETE', `/v1/tenants/${gone}`, { headers: { 'if-match': String(headers.get('etag')) } });
  t.strictSame(
    await sql('select from idempotency_keys where tenant_id = $1', [gone]),
    [],
    'keys are deleted with their tenant',
  );
});

t.test('a repetition during the first request returns 409', async (t) => {
  control.injectFault({ fault: 'slow_first_byte', action: 'login', delayMs: 1_000 });
  const { username, password } = demo;
  const body = { description: 'slow', username, password, owner: 'company' };
  const first = ask('POST', credentials, withKey('slow', body));
  await waitForKey('slow');
  const meanwhile = await ask('POST', credentials, withKey('slow', body));
  t.equal(codeOf(meanwhile), '409 idempotency_in_progress');
  t.equal(meanwhile.headers.get('retry-after'), '1');
  t.equal(codeOf(await first), '201');
  t.strictSame((await ask('POST', credentials, withKey('slow', body))).body, (await first).body);
  control.clearFaults();
});

async function waitForKey(key: string): Promise<void> {
  while ((await sql('select from idempotency_keys where key = $1', [key])).length === 0);
}

t.test('a failed request without an effect can be retried', async (t) => {
  control.injectFault({ fault: 'server_error', action: 'login', times: 0 });
  const body = toCredential('tried', { verify: 'required', username: demo.username, password: demo.password });
  await sql(`delete from credentials where username = $1`, [demo.username]);
  t.equal(codeOf(await ask('POST', credentials, withKey('tried', body))), '503 upstream_unavailable');
  control.clearFaults();
  const again = await ask('POST', credentials, withKey('tried', body));
  t.equal(codeOf(again), '201');
  t.notOk(isReplayed(again));
});

t.test('an outage during license creation does not use the key up', async (t) => {
  const tenantId = await makeTenant(service);
  const path = `/v1/tenants/${tenantId}/licenses`;
  const location = control.rows({ ubi: demo.ubi }).map((row) => row.location ?? '');
  const rows = location.map((license_number) => ({ license_number, create_companies: false }));
  const [single, ...others] = rows;
  const sends = [
    () => ask('POST', path, withKey('outage-one', single)),
    () => ask('POST', `${path}/bulk`, withKey('outage-many', { licenses: others })),
  ];
  control.injectFault({ fault: 'server_error', action: 'sync_vendor', times: 0 });
  for (const send of sends) {
    const storm = await Promise.all(Array.from({ length: 6 }, send));
    t.ok(storm.some((answer) => codeOf(answer) === '503 upstream_unavailable'));
    for (const answer of storm) t.match(codeOf(answer), /^503 upstream_unavailable$|^409 idempotency_in_progress$/);
    t.equal(codeOf(await send()), '503 upstream_unavailable', 'the same key can be retried immediately');
  }
  control.clearFaults();
  for (const send of sends) {
    const answers = await Promise.all(Array.from({ length: 6 }, send));
    for (const answer of answers) t.match(codeOf(answer), /^20[01]$|^409 idempotency_in_progress$/);
    t.match(codeOf(await send()), /^20[01]$/);
  }
  const [{ licenses } = { licenses: -1 }] = await sql<{ licenses: number }>(
    'select count(*)::int as licenses from licenses where tenant_id = $1',
    [tenantId],
  );
  t.equal(licenses, rows.length, 'each license is created once');
});

t.test('a process that dies during the request', async (t) => {
  // Lost after the commit: only the effect is known.
  await makeApiKey('lost', 'lost');
  await sql(`update idempotency_keys set sealed_answer = null where key = 'lost'`);
  t.equal(
    codeOf(await makeApiKey('lost', 'lost')),
    '409 idempotency_in_progress',
    'the first request may still be running',
  );
  await loseResponse('lost');
  t.equal(codeOf(await makeApiKey('lost', 'lost')), '409 outcome_unknown');
  t.equal(codeOf(await makeApiKey('lost', 'lost')), '409 outcome_unknown', 'until the key expires');
  t.equal(await countApiKeys('lost'), 1, 'never twice');
  // Lost before the commit.
  await makeApiKey('before', 'before');
  await sql(`delete from api_keys where description = 'before'`);
  await sql(`update idempotency_keys set has_effect = false where key = 'before'`);
  await loseResponse('before');
  t.equal(codeOf(await makeApiKey('before', 'before')), '201', 'nothing had been committed');
  t.equal(await countApiKeys('before'), 1);
  // The stored response cannot be decrypted.
  await makeApiKey('unreadable', 'unreadable');
  await sql(`update idempotency_keys set sealed_answer = '\\x0101' where key = 'unreadable'`);
  t.equal(codeOf(await makeApiKey('unreadable', 'unreadable')), '409 outcome_unknown');
  t.equal(await countApiKeys('unreadable'), 1);
});

t.test('an attempt that lost its lease cannot commit', async (t) => {
  // Only the key prevents the second insert.
  await sql(`create function dawdle() returns trigger language plpgsql as
    $$ begin if new.description = 'still' then perform pg_sleep(3); end if; return new; end $$`);
  await sql('create trigger dawdle before insert on api_keys for each row execute function dawdle()');
  const first = makeApiKey('still', 'still');
  await waitForKey('still');
  await endLease('still');
  const second = makeApiKey('still', 'still');
  t.equal(codeOf(await first), '409 idempotency_in_progress', 'the first one does not commit');
  t.equal(codeOf(await second), '201', 'the attempt that took over does');
  t.equal(await countApiKeys('still'), 1);
  t.strictSame((await makeApiKey('still', 'still')).body, (await second).body, 'and its response is replayed');
  await sql('drop trigger dawdle on api_keys');
});

t.test('a connection lost during COMMIT', async (t) => {
  // Delays the commit, so that the connection can be cut during it.
  await sql(`create function pause() returns trigger language plpgsql as
    $$ begin if new.description like 'commit %' then perform pg_sleep(3); end if; return null; end $$`);
  await sql(`create constraint trigger pause after insert on api_keys deferrable initially deferred
    for each row execute function pause()`);
  const isCommitting = async (): Promise<number | undefined> =>
    (
      await sql<{ pid: number }>(
        `select pid from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'`,
      )
    )[0]?.pid;
  const untilCommitting = async (): Promise<number> => {
    for (;;) {
      const pid = await isCommitting();
      if (pid !== undefined) return pid;
    }
  };

  const killed = makeApiKey('killed', 'commit killed');
  const pid = await untilCommitting();
  await sql('select pg_terminate_backend($1)', [pid]);
  t.equal(codeOf(await killed), '503 storage_unavailable', 'Postgres ended the connection: nothing was committed');
  t.equal(await countApiKeys('commit killed'), 0);
  t.equal(codeOf(await makeApiKey('killed', 'commit killed')), '201', 'so the key can be retried');
  t.equal(await countApiKeys('commit killed'), 1);

  const cut = makeApiKey('cut', 'commit cut');
  await untilCommitting();
  await service.line.cut();
  t.equal(codeOf(await cut), '503 storage_unavailable', 'the reply to the COMMIT was lost');
  while ((await isCommitting()) !== undefined);
  await service.line.restore();
  t.equal(await countApiKeys('commit cut'), 1, 'but it was committed');
  let answer = await makeApiKey('cut', 'commit cut');
  for (; answer.status === 503; answer = await makeApiKey('cut', 'commit cut'));
  t.equal(codeOf(answer), '409 idempotency_in_progress');
  await endLease('cut');
  t.equal(codeOf(await makeApiKey('cut', 'commit cut')), '409 outcome_unknown', 'a repetition returns 409');
  t.equal(await countApiKeys('commit cut'), 1, 'and has no effect');
  await sql('drop trigger pause on api_keys');
});

t.test('parallel duplicates on two processes take effect once', async (t) => {
  const other = await startTestService(t, { beside: service, role: 'api' });
  const processes: readonly TestService[] = [service, other];
  let requests = 0;
  let conflicts = 0;
  const sendUntilDone = async (index: number, copy: number): Promise<TestResponse> => {
    for (;;) {
      requests += 1;
      const process = processes[(index + copy) % 2] ?? service;
      const answer = await process.ask('POST', '/v1/api-keys', {
        ...withKey(`storm-${index}`, toApiKey(`storm ${index}`)),
        key: service.operatorKey,
      });
      if (codeOf(answer) !== '409 idempotency_in_progress') return answer;
      conflicts += 1;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  let next = 0;
  let different = 0;
  const work = async (): Promise<void> => {
    for (let index = next++; index < KEYS; index = next++) {
      const copies = 2 + (index % 7);
      const answers = await Promise.all(Array.from({ length: copies }, (_, copy) => sendUntilDone(index, copy)));
      const texts = new Set(answers.map(({ status, body }) => `${status} ${JSON.stringify(body)}`));
      if (texts.size !== 1 || !texts.values().next().value?.startsWith('201')) different += 1;
    }
  };
  await Promise.all(Array.from({ length: 4 }, work));
  const [{ effects, distinct } = { effects: 0, distinct: 0 }] = await sql<{ effects: number; distinct: number }>(
    `select count(*)::int as effects, count(distinct description)::int as distinct from api_keys where description like 'storm %'`,
  );
  t.comment(`${KEYS} keys, ${requests} requests (${conflicts} answered with 409): ${effects} effects`);
  t.strictSame({ effects, distinct, different }, { effects: KEYS, distinct: KEYS, different: 0 });
});
