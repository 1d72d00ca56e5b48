import { crc32 } from 'node:zlib';
import t from 'tap';
import { isOwnOutcome, OWNERS } from '../helpers/contract.js';
import { makeTenant, startTestService } from '../helpers/service.js';
import { until } from '../helpers/until.js';

/** Who may call: keys that expire, are replaced and revoked, and callers that lose access during a request. */

const service = await startTestService(t, { role: 'api' });
const { ask, contract } = service;
const tenantId = await makeTenant(service);

const inSeconds = (seconds: number): string => new Date(Date.now() + seconds * 1_000).toISOString();
const createKey = async (body: object = {}) =>
  (await ask('POST', '/v1/api-keys', { body: { description: 'a script', role: 'operator', ...body } })).body;

t.test('a key that no checksum proves never reaches the database', async (t) => {
  const { secret } = await createKey();
  const forged = `btk_${'A'.repeat(43)}`;
  const keys = [
    'btk_',
    `${secret}x`,
    secret.slice(0, -1),
    secret.replace(/.$/, (last: string) => (last === '0' ? '1' : '0')),
    secret.replace(/^btk_./, 'btk_-'),
    `${forged}_00000000`,
    forged,
  ];
  const lookUps = async (): Promise<number> => {
    let count = 0;
    const onAcquire = (): void => {
      count += 1;
    };
    service.service.db.pool.on('acquire', onAcquire);
    for (const key of keys) t.equal((await ask('GET', '/v1/tenants', { key })).status, 401);
    service.service.db.pool.off('acquire', onAcquire);
    return count;
  };
  t.equal(await lookUps(), 0);
  const checksum = crc32('A'.repeat(43)).toString(16).padStart(8, '0');
  keys.splice(0, keys.length, `${forged}_${checksum}`);
  t.equal(await lookUps(), 1, 'one with a right checksum is looked up once');
});

t.test('getMe', async (t) => {
  const { secret, id } = await createKey({ role: 'admin', tenant_id: tenantId, expires_datetime: inSeconds(3_600) });
  t.match(await ask('GET', '/v1/me', { key: secret }), {
    status: 200,
    body: { kind: 'api_key', id, role: 'admin', tenant_id: tenantId, expires_datetime: /^2/ },
  });
  t.match(await ask('GET', '/v1/me'), { body: { role: 'operator', tenant_id: null, expires_datetime: null } });
  const token = service.tokenOf({ tenantId, role: 'user', userId: 'me', expiresInSeconds: 600 });
  const { body } = await ask('GET', '/v1/me', { key: token });
  t.match(body, { kind: 'user', id: 'me', role: 'user', tenant_id: tenantId });
  t.ok(Math.abs(Date.parse(body.expires_datetime) - Date.now() - 600_000) < 10_000);
});

t.test('keys expire', async (t) => {
  const past = await ask('POST', '/v1/api-keys', {
    body: { description: 'x', role: 'operator', expires_datetime: inSeconds(-1) },
  });
  t.match(past, { status: 400, body: { errors: [{ pointer: '/expires_datetime' }] } });
  const { secret, id } = await createKey({ expires_datetime: inSeconds(2) });
  t.equal((await ask('GET', '/v1/tenants', { key: secret })).status, 200);
  await until('the key has expired', async () => (await ask('GET', '/v1/tenants', { key: secret })).status === 401);
  const listed = (await ask('GET', '/v1/api-keys?page[size]=500')).body.data.find(
    (key: { id: string }) => key.id === id,
  );
  t.match(listed, { expires_datetime: /^2/, last_used_datetime: /^2/ }, 'it stays in the list');
});

t.test('rotateApiKey', async (t) => {
  const old = await createKey({ role: 'admin', tenant_id: tenantId });
  const replaced = await ask('POST', `/v1/api-keys/${old.id}/rotate`, { body: { overlap_seconds: 2 } });
  t.match(replaced, {
    status: 201,
    body: { description: 'a script', role: 'admin', tenant_id: tenantId, expires_datetime: null },
  });
  t.not(replaced.body.secret, old.secret);
  for (const key of [old.secret, replaced.body.secret])
    t.equal((await ask('GET', '/v1/me', { key })).status, 200, 'both work during the overlap');
  await until('the old one ends', async () => (await ask('GET', '/v1/me', { key: old.secret })).status === 401);
  t.equal((await ask('GET', '/v1/me', { key: replaced.body.secret })).status, 200);
  const mine = await createKey();
  const own = await ask('POST', `/v1/api-keys/${mine.id}/rotate`, { key: mine.secret, body: { overlap_seconds: 0 } });
  t.equal(own.status, 201, 'a key can replace itself at once');
  t.equal((await ask('GET', '/v1/me', { key: mine.secret })).status, 401);
  const again = await ask('POST', `/v1/api-keys/${replaced.body.id}/rotate`);
  const [{ rest }] = (await service.sql(
    'select extract(epoch from expires_datetime - now())::int as rest from api_keys where id = $1',
    [replaced.body.id],
  )) as [{ rest: number }];
  t.equal(again.status, 201);
  t.ok(Math.abs(rest - 86_400) < 60, 'one day by default');
  t.equal((await ask('POST', `/v1/api-keys/${service.newId()}/rotate`)).status, 404);
});

t.test('a caller that is revoked while its request runs changes nothing', async (t) => {
  const { secret, id } = await createKey();
  // Cached, so that authentication does not notice.
  t.equal((await ask('GET', '/v1/me', { key: secret })).status, 200);
  await service.sql('delete from api_keys where id = $1', [id]);
  const requests = {
    createApiKey: () => ask('POST', '/v1/api-keys', { key: secret, body: { description: 'x', role: 'operator' } }),
    putTenant: () =>
      ask('PUT', `/v1/tenants/${service.newId()}`, {
        key: secret,
        headers: { 'if-none-match': '*' },
        body: { name: 'x', state: 'NM', environment: 'training' },
      }),
    putUser: () =>
      ask('PUT', `/v1/tenants/${tenantId}/users/new`, {
        key: secret,
        headers: { 'if-none-match': '*' },
        body: { active: true },
      }),
    createCredential: () =>
      ask('POST', `/v1/tenants/${tenantId}/credentials`, {
        key: secret,
        body: { description: 'x', username: 'x', password: 'x', owner: 'company', verify: 'skip' },
      }),
  };
  const count = async (): Promise<unknown> =>
    service.sql(
      `select (select count(*) from api_keys) as keys, (select count(*) from tenants) as tenants,
              (select count(*) from users) as users, (select count(*) from credentials) as credentials`,
    );
  const before = await count();
  for (const [name, request] of Object.entries(requests))
    t.match(await request(), { status: 401, body: { code: 'unauthenticated' } }, name);
  t.same(await count(), before, 'nothing was written');
});

t.test('a user that is deactivated while their request runs changes nothing', async (t) => {
  const key = service.tokenOf({ tenantId, role: 'admin', userId: 'boss' });
  t.equal((await ask('GET', `/v1/tenants/${tenantId}`, { key })).status, 200);
  await service.sql('update users set active = false where user_id = $1', ['boss']);
  const body = { description: 'x', username: 'x', password: 'x', owner: 'company', verify: 'skip' };
  t.match(await ask('POST', `/v1/tenants/${tenantId}/credentials`, { key, body }), {
    status: 403,
    body: { reason: 'user_inactive' },
  });
});

t.test('a deactivated user does not come back by erasing themselves', async (t) => {
  const key = service.tokenOf({ tenantId, role: 'admin', userId: 'erased' });
  const path = `/v1/tenants/${tenantId}/users/erased`;
  const etag = (await ask('GET', path, { key })).headers.get('etag') ?? '';
  await service.sql(`update users set active = false where user_id = 'erased'`);
  t.match(await ask('DELETE', path, { key, headers: { 'if-match': etag } }), {
    status: 403,
    body: { reason: 'user_inactive' },
  });
  t.equal((await service.sql(`select from users where user_id = 'erased'`)).length, 1);
});

t.test('nobody changes their own access', async (t) => {
  const key = service.tokenOf({ tenantId, role: 'admin', userId: 'self' });
  const seen = await ask('GET', `/v1/tenants/${tenantId}/users/self`, { key });
  const etag = seen.headers.get('etag') ?? '';
  const put = (active: boolean, headers: Record<string, string>, userId = 'self') =>
    ask('PUT', `/v1/tenants/${tenantId}/users/${userId}`, { key, headers, body: { active, display_name: 'Me' } });
  t.match(await put(false, { 'if-match': etag }), { status: 403, body: { reason: 'own_user' } });
  t.equal((await put(true, { 'if-match': etag })).status, 200, 'their name they can');
  t.equal((await put(false, { 'if-none-match': '*' }, 'other')).status, 201, 'and the access of others');
  const { secret, id } = await createKey();
  t.equal((await ask('DELETE', `/v1/api-keys/${id}`, { key: secret })).status, 204, 'a key can end itself');
  t.equal((await ask('GET', '/v1/me', { key: secret })).status, 401);
});

t.test('the audit says who lost access, and what a deleted key and tenant were', async (t) => {
  const { id } = await createKey({ description: 'of the old warehouse' });
  await ask('DELETE', `/v1/api-keys/${id}`);
  const gone = await makeTenant(service, 'tenant');
  const { headers } = await ask('GET', `/v1/tenants/${gone}`);
  await ask('DELETE', `/v1/tenants/${gone}`, { headers: { 'if-match': headers.get('etag') ?? '' } });
  const path = `/v1/tenants/${tenantId}/users/audited`;
  await ask('PUT', path, { headers: { 'if-none-match': '*' }, body: { active: true } });
  for (const active of [false, true]) {
    const etag = (await ask('GET', path)).headers.get('etag') ?? '';
    t.equal((await ask('PUT', path, { headers: { 'if-match': etag }, body: { active } })).status, 200);
  }
  const changed = async (table: string, where: string): Promise<string[]> =>
    (
      await service.sql<{ text: string }>(`select unnest(changed) as text from ${table} where ${where} order by id`)
    ).map(({ text }) => text);
  t.ok((await changed('operator_audit', 'true')).includes(`delete api_keys ${id} (operator: of the old warehouse)`));
  t.match(
    (await changed('audit', `tenant_id = '${gone}'`)).find((text) => text.startsWith('delete tenants')),
    /; NM \w+; 0 companies, 0 licenses\)$/,
  );
  const ofUser = (await changed('audit', `object = '${path}'`)).filter((text) => /^(de)?activate/.test(text));
  t.same(ofUser.slice(-2), ['deactivate users', 'activate users']);
  await t.rejects(
    service.sql(`begin; set local role biotrack_app;
      insert into operator_audit (operation_id, actor, request_id, object, changed) values ('x', 'x', 'x', 'x', '{}')`),
    /permission denied/,
  );
  await service.sql('rollback');
});

t.test('requests without a valid key or token are limited by address', async (t) => {
  const limited = await startTestService(t, {
    beside: service,
    role: 'api',
    rateLimits: { unauthenticatedPerMinute: 20 },
    trustProxy: '127.0.0.1',
  });
  const from = (address: string, key: string | null, path = '/v1/tenants') =>
    limited.ask('GET', path, { key, headers: { 'x-forwarded-for': address } });
  for (let count = 0; count < 20; count += 1) await from('10.0.0.1', 'btk_junk');
  const refused = await from('10.0.0.1', 'btk_junk');
  t.match(refused, { status: 429, body: { code: 'rate_limited' } });
  t.ok(Number(refused.headers.get('retry-after')) > 0);
  t.equal((await from('10.0.0.1', null, '/v1/nothing')).status, 429, 'unknown paths count too');
  t.equal((await from('10.0.0.1', service.operatorKey)).status, 200, 'a valid caller of the address is never refused');
  t.equal((await from('10.0.0.1', null, '/livez')).status, 200, 'nor is a health check');
  t.equal((await from('10.0.0.2', 'btk_junk')).status, 401, 'another address is not affected');
  await until('the request is logged', async () => limited.logged().includes('"client.address":"10.0.0.1"'));
});

t.test('forced refreshes and previews of a tenant have limits', async (t) => {
  const limited = await startTestService(t, { beside: service, role: 'api', forcedRefreshSeconds: 30 });
  const start = (body: object) => limited.ask('POST', `/v1/tenants/${tenantId}/syncs`, { body });
  const first = await start({ refresh: 'force' });
  t.equal(first.status, 202);
  const joined = await start({ refresh: 'force' });
  t.match(joined, { status: 202, body: { id: first.body.id } }, 'the active run');
  await service.sql(`update sync_runs set retry_datetime = now() + interval '15 minutes' where id = $1`, [
    first.body.id,
  ]);
  t.match(await start({ refresh: 'force' }), { status: 202, body: { id: first.body.id, retry_datetime: null } });
  await service.sql(`update sync_runs set status = 'canceled', finished_datetime = now() where id = $1`, [
    first.body.id,
  ]);
  const refused = await start({ refresh: 'force' });
  t.match(refused, { status: 429, body: { code: 'rate_limited' } });
  const wait = Number(refused.headers.get('retry-after'));
  t.ok(wait > 20 && wait <= 30, `${wait} s`);
  t.equal((await start({ refresh: 'force', mode: 'preview' })).status, 429, 'a preview fetches the list too');
  for (let count = 0; count < 3; count += 1) t.equal((await start({ mode: 'preview' })).status, 202);
  t.match(await start({ mode: 'preview' }), { status: 429, body: { code: 'rate_limited' } });
  await service.sql(`update sync_runs set finished_datetime = now() - interval '31 s' where id = $1`, [first.body.id]);
  t.equal((await start({ refresh: 'force' })).status, 202);
});

t.test('every documented response of these operations was seen', async (t) => {
  t.strictSame(contract.listUnseen(OWNERS['callers.test.ts'], isOwnOutcome), []);
});
