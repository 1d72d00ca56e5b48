import { connect } from 'node:net';
import t from 'tap';
import { isOwnOutcome, OWNERS } from '../helpers/contract.js';
import { makeTenant, startTestService } from '../helpers/service.js';
import { PATIENCE_MS } from '../helpers/until.js';

/** States, API keys and health. */

const service = await startTestService(t, {
  hasLine: true,
  states: (environment) => ({
    NM: { environments: { production: environment, training: environment } },
    WA: { environments: { production: environment } },
    NY: { status: 'left', left_on: '2025', environments: {} },
  }),
});
const { ask, newId, contract } = service;

/** Sent now, because it takes until the server's header timeout. */
const unfinished = new Promise<string>((resolve, reject) => {
  const { hostname, port } = new URL(service.baseUrl);
  const socket = connect(Number(port), hostname, () => socket.write('GET /livez HTTP/1.1\r\nHost: x\r\n'));
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk;
  });
  socket.on('end', () => resolve(text)).on('error', reject);
});

const isRecent = (text: string): boolean => Math.abs(Date.now() - new Date(text).getTime()) < 60_000;

t.test('listStates', async (t) => {
  const { status, body } = await ask('GET', '/v1/states');
  t.equal(status, 200);
  t.strictSame(
    body.data.map(({ code, name, status: use, left_date, dialect, environments }: Record<string, unknown>) => ({
      code,
      name,
      use,
      left_date,
      dialect,
      environments,
    })),
    [
      {
        code: 'NM',
        name: 'New Mexico',
        use: 'active',
        left_date: null,
        dialect: 'api4',
        environments: ['production', 'training'],
      },
      { code: 'WA', name: 'Washington', use: 'active', left_date: null, dialect: 'api4', environments: ['production'] },
      { code: 'NY', name: 'New York', use: 'left', left_date: '2025', dialect: null, environments: [] },
    ],
    'from the states file, with defaults for known states',
  );
  const washington = body.data.find(({ code }: { code: string }) => code === 'WA');
  t.same(
    washington.license_types.find(({ code }: { code: string }) => code === '8'),
    { code: '8', name: 'Retailer' },
    'with the types that are known',
  );
  t.notMatch(JSON.stringify(body), service.simulator.url, 'not where the upstream is');
});

t.test('createApiKey', async (t) => {
  const tenantId = await makeTenant(service, 'tenant');
  const operator = await ask('POST', '/v1/api-keys', { body: { description: 'a script', role: 'operator' } });
  t.equal(operator.status, 201);
  t.match(operator.body, { description: 'a script', role: 'operator', tenant_id: null });
  t.match(operator.body.secret, /^btk_[A-Za-z0-9_-]{43}_[0-9a-f]{8}$/, '256 bits and a checksum');
  t.ok(isRecent(operator.body.inserted_datetime));
  t.equal((await ask('GET', '/v1/tenants', { key: operator.body.secret })).status, 200, 'the key works immediately');

  const admin = await ask('POST', '/v1/api-keys', {
    body: { description: 'a script', role: 'admin', tenant_id: tenantId },
  });
  t.match(admin, { status: 201, body: { role: 'admin', tenant_id: tenantId } });
  t.equal((await ask('GET', `/v1/tenants/${tenantId}`, { key: admin.body.secret })).status, 200);
  t.equal((await ask('GET', '/v1/tenants', { key: admin.body.secret })).status, 403);
  t.not(admin.body.secret, operator.body.secret);

  for (const [what, body] of Object.entries({
    'an admin of no tenant': { description: 'x', role: 'admin' },
    'an operator of a tenant': { description: 'x', role: 'operator', tenant_id: tenantId },
    'an admin of an unknown tenant': { description: 'x', role: 'admin', tenant_id: newId() },
  })) {
    const { status, body: problem } = await ask('POST', '/v1/api-keys', { body });
    t.match({ status, problem }, { status: 400, problem: { errors: [{ pointer: '/tenant_id' }] } }, what);
  }
  const user = await ask('POST', '/v1/api-keys', { body: { description: 'x', role: 'user' } });
  t.match(user, { status: 400, body: { errors: [{ pointer: '/role' }] } }, 'keys cannot have the role of a user');

  const [{ found } = { found: -1 }] = await service.sql<{ found: number }>(
    `select count(*)::int as found from api_keys where position(convert_to($1, 'UTF8') in secret_hash) > 0`,
    [operator.body.secret],
  );
  t.equal(found, 0, 'only the hash is stored');
  t.notOk(service.logged().includes(operator.body.secret), 'the secret is not logged');
});

t.test('listApiKeys', async (t) => {
  const made: string[] = [];
  for (const description of ['one', 'two', 'three']) {
    made.push((await ask('POST', '/v1/api-keys', { body: { description, role: 'operator' } })).body.id);
  }
  const all = await ask('GET', '/v1/api-keys');
  t.equal(all.status, 200);
  const ids = all.body.data.map(({ id }: { id: string }) => id);
  t.strictSame(ids.slice(-3), made, 'oldest first');
  t.notMatch(JSON.stringify(all.body), /btk_|secret|hash/, 'without secrets');

  const paged: string[] = [];
  for (let path: string | null = '/v1/api-keys?page[size]=2'; path !== null; ) {
    const { body } = await ask('GET', path);
    t.ok(body.data.length <= 2);
    paged.push(...body.data.map(({ id }: { id: string }) => id));
    t.ok(body.next_page === null || body.next_page.startsWith(`${service.baseUrl}/v1/api-keys?`), 'an absolute URL');
    path = body.next_page;
  }
  t.strictSame(paged, ids, 'the pages add up to the list');

  t.match(await ask('GET', '/v1/api-keys?page[after]=AAAA'), { status: 400, body: { code: 'invalid_cursor' } });
  const [tenants] = [await ask('GET', '/v1/api-keys?page[size]=1')];
  const foreign = new URL(tenants.body.next_page).searchParams.get('page[after]') as string;
  t.match(
    await ask('GET', `/v1/tenants?page[after]=${foreign}`),
    { status: 400, body: { code: 'invalid_cursor', errors: [{ pointer: '?page[after]' }] } },
    'a cursor of another list',
  );
  const altered = (foreign.startsWith('A') ? 'B' : 'A') + foreign.slice(1);
  t.match(await ask('GET', `/v1/api-keys?page[after]=${altered}`), { status: 400, body: { code: 'invalid_cursor' } });
  const evil = await ask('GET', '/v1/api-keys?page[size]=1', { headers: { 'x-forwarded-host': 'evil.example' } });
  t.ok(evil.body.next_page.startsWith(service.baseUrl), 'regardless of forwarding headers');
});

t.test('deleteApiKey', async (t) => {
  const made = await ask('POST', '/v1/api-keys', { body: { description: 'short-lived', role: 'operator' } });
  const key = made.body.secret;
  t.equal((await ask('GET', '/v1/states', { key })).status, 200);
  t.equal((await ask('DELETE', `/v1/api-keys/${made.body.id}`)).status, 204);
  t.match(await ask('GET', '/v1/states', { key }), { status: 401, body: { code: 'unauthenticated' } }, 'immediately');
  t.match(await ask('DELETE', `/v1/api-keys/${made.body.id}`), { status: 404, body: { code: 'not_found' } });

  for (let round = 0; round < 20; round += 1) {
    const { body } = await ask('POST', '/v1/api-keys', { body: { description: 'contended', role: 'operator' } });
    const uses = Array.from({ length: 8 }, () => ask('GET', '/v1/states', { key: body.secret }));
    t.equal((await ask('DELETE', `/v1/api-keys/${body.id}`)).status, 204);
    await Promise.all(uses);
    const after = await ask('GET', '/v1/states', { key: body.secret });
    t.equal(after.status, 401, 'immediately, even while the key is being looked up');
  }
});

t.test('getLivez and getReadyz', async (t) => {
  t.match(await ask('GET', '/livez', { key: null }), { status: 200, body: { status: 'ok' } });
  t.match(await ask('GET', '/readyz', { key: null }), { status: 200, body: { status: 'ok' } });

  service.simulator.control.injectFault({ fault: 'hang', times: 0, delayMs: 100 });
  t.match(await ask('GET', '/readyz', { key: null }), { status: 200 }, 'independent of BioTrack');
  service.simulator.control.clearFaults();

  for (const [what, breakLine] of [
    ['down', () => service.line.cut()],
    ['not responding', async () => service.line.hang()],
  ] as const) {
    await breakLine();
    const startedAt = Date.now();
    const ready = await ask('GET', '/readyz', { key: null });
    const tookMs = Date.now() - startedAt;
    t.match(ready, { status: 503, body: { code: 'storage_unavailable' } }, `the database is ${what}`);
    t.ok(tookMs < PATIENCE_MS, `does not wait for the database (${tookMs} ms)`);
    t.equal((await ask('GET', '/livez', { key: null })).status, 200, 'the process still answers');
    await service.line.restore();
    let status = 0;
    for (const until = Date.now() + PATIENCE_MS; status !== 200 && Date.now() < until; ) {
      status = (await ask('GET', '/readyz', { key: null })).status;
    }
    t.equal(status, 200, `ready again after the database was ${what}`);
  }
});

t.test('408: headers that never end', async (t) => {
  const answer = await unfinished;
  t.match(answer, /^HTTP\/1\.1 408 .*\r\n/);
  t.match(answer, /\r\nCache-Control: no-store\r\n/);
  const [head, body = '{}'] = answer.split('\r\n\r\n');
  const problem = JSON.parse(body);
  t.match(problem, { status: 408, code: 'request_timeout', type: /request_timeout$/ });
  t.match(head, new RegExp(`X-Request-Id: ${problem.request_id}`));
});

t.test('every documented response of these operations was seen', async (t) => {
  t.strictSame(contract.listUnseen(OWNERS['service.test.ts'], isOwnOutcome), []);
});
