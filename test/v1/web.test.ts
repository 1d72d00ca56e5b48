import { readFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import t from 'tap';
import { FIRST_PUT, makeTenant, startTestService, syncTenant } from '../helpers/service.js';

/** What browsers, proxies and caches see: origins, compression, links, and the headers of the document. */

const ORIGIN = 'https://app.example.com';
const service = await startTestService(t, {
  simulator: { licenses: 60 },
  corsOrigins: [ORIGIN, 'http://localhost:5173'],
  publicUrl: 'https://api.example.com/biotrack',
});
const { ask, baseUrl, operatorKey, newId } = service;
const tenantId = await makeTenant(service);
await syncTenant(service, tenantId);
const companies = `/v1/tenants/${tenantId}/companies`;

/** Without decompression, which `fetch` always does. */
function askRaw(path: string, headers: Record<string, string>, method = 'GET') {
  return new Promise<{ status: number; headers: Record<string, string | string[] | undefined>; body: Buffer }>(
    (resolve, reject) => {
      const request = httpRequest(
        new URL(path, baseUrl),
        { method, headers: { authorization: `Bearer ${operatorKey}`, ...headers } },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('end', () =>
            resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
          );
        },
      );
      request.on('error', reject);
      request.end();
    },
  );
}

const preflight = (origin: string, path = companies, method = 'PATCH') =>
  askRaw(
    path,
    {
      origin,
      'access-control-request-method': method,
      'access-control-request-headers': 'authorization,content-type,if-match,idempotency-key',
    },
    'OPTIONS',
  );

t.test('pages of configured origins can call the service', async (t) => {
  const allowed = await preflight(ORIGIN);
  t.match(allowed, {
    status: 204,
    headers: {
      'access-control-allow-origin': ORIGIN,
      'access-control-allow-methods': /PATCH/,
      'access-control-allow-headers': /If-Match.*Idempotency-Key/,
      'access-control-max-age': '7200',
    },
  });
  t.match(allowed.headers.vary, /Origin/);
  const { headers } = await askRaw(companies, { origin: ORIGIN });
  t.equal(headers['access-control-allow-origin'], ORIGIN);
  for (const name of ['ETag', 'Location', 'Retry-After', 'RateLimit', 'X-Request-Id', 'Link'])
    t.match(headers['access-control-expose-headers'], name);
  t.equal(headers['access-control-allow-credentials'], undefined, 'callers send tokens, not cookies');
  t.equal(headers['cross-origin-resource-policy'], 'cross-origin');
  const problem = await askRaw(`/v1/tenants/${newId()}`, { origin: ORIGIN });
  t.match(problem, { status: 404, headers: { 'access-control-allow-origin': ORIGIN } }, 'problems can be read too');
  const plain = await askRaw(companies, {}, 'OPTIONS');
  t.match(plain, { status: 204, headers: { allow: 'GET, HEAD, OPTIONS, POST' } }, 'not a preflight');
  t.match(await askRaw('/v1/nothing', {}, 'OPTIONS'), { status: 404 });
  const unknown = await askRaw(companies, { origin: ORIGIN, authorization: 'Bearer none' });
  t.match(unknown, { status: 401, headers: { 'access-control-allow-origin': ORIGIN } });
});

t.test('pages of other origins cannot', async (t) => {
  for (const origin of ['https://evil.example', `${ORIGIN}.evil.example`, 'http://app.example.com', 'null']) {
    const refused = await preflight(origin);
    t.equal(refused.status, 403, origin);
    t.match(JSON.parse(refused.body.toString()), { code: 'origin_not_allowed', detail: /CORS_ORIGINS/ });
    t.equal(refused.headers['access-control-allow-origin'], undefined);
    const direct = await askRaw(companies, { origin });
    t.match(direct, { status: 200, headers: { vary: /Origin/ } }, 'a script with a key is served');
    t.equal(direct.headers['access-control-allow-origin'], undefined);
  }
  const closed = await startTestService(t);
  const headers = { origin: ORIGIN, 'access-control-request-method': 'GET' };
  const off = await fetch(`${closed.baseUrl}/v1/states`, { method: 'OPTIONS', headers });
  t.match({ status: off.status, body: await off.json() }, { status: 403, body: { code: 'origin_not_allowed' } });
  t.equal((await fetch(`${closed.baseUrl}/livez`)).headers.get('cross-origin-resource-policy'), 'same-origin');
  const plain = await fetch(`${closed.baseUrl}/v1/states`, { method: 'OPTIONS' });
  t.match(
    { status: plain.status, allow: plain.headers.get('allow') },
    { status: 204, allow: 'GET, HEAD, OPTIONS' },
    'OPTIONS without an origin is not a preflight',
  );
});

t.test('responses are compressed', async (t) => {
  const plain = await askRaw(`${companies}?page[size]=50`, {});
  t.equal(plain.headers['content-encoding'], undefined);
  const ways = { gzip: gunzipSync, br: brotliDecompressSync };
  for (const [encoding, decompress] of Object.entries(ways)) {
    for (const round of ['read', 'cached']) {
      const packed = await askRaw(`${companies}?page[size]=50`, { 'accept-encoding': encoding });
      t.equal(packed.headers['content-encoding'], encoding, round);
      t.match(packed.headers.vary, /accept-encoding/i);
      t.equal(packed.headers.etag, plain.headers.etag, 'the same ETag');
      t.ok(packed.body.length < plain.body.length / 4, `${packed.body.length} of ${plain.body.length} bytes`);
      t.strictSame(decompress(packed.body), plain.body);
      const etag = `W/${packed.headers.etag}`;
      const same = await askRaw(`${companies}?page[size]=50`, { 'accept-encoding': encoding, 'if-none-match': etag });
      t.match(same, { status: 304, headers: { 'content-encoding': undefined } });
      t.equal(same.body.length, 0);
    }
  }
  const both = await askRaw(companies, { 'accept-encoding': 'gzip, deflate, br, zstd' });
  t.equal(both.headers['content-encoding'], 'br');
  const small = await askRaw(`/v1/tenants/${tenantId}`, { 'accept-encoding': 'gzip' });
  t.equal(small.headers['content-encoding'], undefined, 'not below 1 KiB');
  const head = await askRaw(companies, { 'accept-encoding': 'gzip' }, 'HEAD');
  t.match(head, { status: 200 });
  t.equal(head.body.length, 0);
  for (const encoding of ['identity', 'compress', '*;q=0', 'nonsense']) {
    const { status, headers } = await askRaw(companies, { 'accept-encoding': encoding });
    t.match({ status, encoding: headers['content-encoding'] }, { status: 200, encoding: undefined }, encoding);
  }
  const { body: run } = await ask('POST', `/v1/tenants/${tenantId}/syncs`, { body: {} });
  const events = await askRaw(`/v1/tenants/${tenantId}/syncs/${run.id}/events`, { 'accept-encoding': 'gzip, br' });
  t.match(events, { status: 200, headers: { 'content-type': /^text\/event-stream/, 'content-encoding': undefined } });
});

t.test('links have the path of PUBLIC_URL', async (t) => {
  const id = newId();
  await ask('PUT', `/v1/tenants/${id}`, {
    body: { name: 'Test', state: 'NM', environment: 'training' },
    headers: FIRST_PUT,
  });
  const created = await ask('POST', `/v1/tenants/${id}/companies`, {
    body: { name: 'Mesa' },
    headers: { 'idempotency-key': 'location' },
  });
  const location = `https://api.example.com/biotrack/v1/tenants/${id}/companies/${created.body.id}`;
  t.equal(created.headers.get('location'), location);
  const replayed = await ask('POST', `/v1/tenants/${id}/companies`, {
    body: { name: 'Mesa' },
    headers: { 'idempotency-key': 'location' },
  });
  t.equal(replayed.headers.get('location'), location, 'also if it is repeated');
  const page = await ask('GET', `${companies}?page[size]=1`);
  t.match(page.body.next_page, /^https:\/\/api\.example\.com\/biotrack\/v1\/tenants\//);
  const { body: document } = await ask('GET', '/openapi/v1.json');
  t.strictSame(document.servers, [{ url: 'https://api.example.com/biotrack' }]);
  const docs = await (await fetch(`${baseUrl}/docs/`)).text();
  t.match(docs, '/biotrack/openapi/v1.json');
  const problem = await (await fetch(`${baseUrl}/docs/problems/not_found`)).text();
  t.match(problem, '"/biotrack/docs/problems"');
});

t.test('the document has a version and an ETag', async (t) => {
  const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'));
  const response = await fetch(`${baseUrl}/openapi/v1.json`);
  t.match(await response.json(), { info: { version } });
  const etag = response.headers.get('etag') ?? '';
  t.match(etag, /^"[\w-]{22}"$/);
  const again = await fetch(`${baseUrl}/openapi/v1.json`, { headers: { 'if-none-match': `W/${etag}` } });
  t.equal(again.status, 304);
});
