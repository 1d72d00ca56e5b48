import { once } from 'node:events';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import t from 'tap';
import { makeTenant, startTestService } from '../helpers/service.js';

/** What a caller can put into a request without knowing the API: no request whatever is answered with a fault of ours. */

const service = await startTestService(t, { role: 'api' });
const { ask } = service;
const tenantId = await makeTenant(service);
const BULK = `/v1/tenants/${tenantId}/licenses/bulk`;
const JSON_TYPE = { 'content-type': 'application/json' };
const MEBIBYTE = 1024 * 1024;

/** Milliseconds of processor time, of all threads. */
async function measureCpu(work: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

t.test('the largest body costs little more than parsing it', async (t) => {
  const fill = (item: string, bytes: number): string =>
    `[${Array(Math.floor((bytes - 4) / (item.length + 1)))
      .fill(item)
      .join(',')}]`;
  const bodies = {
    'empty objects': fill('{}', MEBIBYTE),
    numbers: fill('1', MEBIBYTE),
    'fewer empty objects': fill('{}', 19_000 * 3),
    'one text': `{"licenses":"${'x'.repeat(MEBIBYTE - 20)}"}`,
    'unknown fields': `{${Array.from({ length: 19_000 }, (_each, index) => `"f${index}":1`).join(',')}}`,
    'long texts in a list': `{"licenses":[${Array(40)
      .fill(`{"license_number":"${'9'.repeat(25_000)}"}`)
      .join(',')}]}`,
    'many licenses': `{"licenses":${fill('{"license_number":"1","x":1}', 500_000)}}`,
    escapes: `{"licenses":"${'\\u0041'.repeat(170_000)}"}`,
  };
  // The first requests compile their validators.
  await ask('POST', BULK, { body: { licenses: [] } });
  await ask('POST', BULK, { rawBody: fill('{}', 1_000), headers: JSON_TYPE });
  for (const [name, body] of Object.entries(bodies)) {
    const parsing = await measureCpu(() => JSON.parse(body));
    let status = 0;
    const samples: number[] = [];
    for (let repetition = 0; repetition < 3; repetition += 1)
      samples.push(
        await measureCpu(async () => {
          ({ status } = await ask('POST', BULK, { rawBody: body, headers: JSON_TYPE }));
        }),
      );
    const cost = Math.min(...samples);
    t.comment(`${name}: ${cost.toFixed(0)} ms, JSON.parse ${parsing.toFixed(1)} ms`);
    t.equal(status, 400, `${name}: 400`);
    t.ok(cost <= Math.max(100, 5 * parsing), `${name}: ${cost.toFixed(0)} ms`);
  }
});

t.test('bodies that are no strict JSON in UTF-8', async (t) => {
  const path = `/v1/tenants/${tenantId}/licenses`;
  const post = (rawBody: string | Buffer, headers: Record<string, string> = {}) =>
    ask('POST', path, { rawBody, headers: { ...JSON_TYPE, ...headers } });
  const cases = {
    'nested arrays': { answer: post('['.repeat(4_000)), status: 400, code: 'malformed_json' },
    'nested and closed': { answer: post('['.repeat(4_000) + ']'.repeat(4_000)), status: 400, code: 'malformed_json' },
    'nested objects': { answer: post('{"a":'.repeat(4_000)), status: 400, code: 'malformed_json' },
    'brackets that do not match': {
      answer: post(`{${']'.repeat(19_900)},"a":${'['.repeat(19_900)}`),
      status: 400,
      code: 'malformed_json',
    },
    'invalid UTF-8': { answer: post(Buffer.from('{"name":"p\xfcss"}', 'latin1')), status: 400, code: 'malformed_json' },
    'another charset': {
      answer: post('{}', { 'content-type': 'application/json; charset=iso-8859-1' }),
      status: 415,
      code: 'unsupported_media_type',
    },
    'a compressed body': {
      answer: post(gzipSync('{}'), { 'content-encoding': 'gzip' }),
      status: 415,
      code: 'unsupported_media_type',
    },
    'a duplicate key': { answer: post('{"a":1,"\\u0061":2}'), status: 400, code: 'malformed_json' },
  };
  for (const [name, { answer, status, code }] of Object.entries(cases))
    t.match(await answer, { status, body: { code } }, name);
  for (const charset of ['utf-8', 'UTF-8', '"utf-8"', 'utf8'])
    t.match(
      await post('{"license_number":5}', { 'content-type': `application/json; charset=${charset}` }),
      { status: 400, body: { code: 'invalid_request' } },
      `${charset} is read`,
    );
});

t.test('an empty body with a JSON content type is no body', async (t) => {
  const [{ id }] = (await ask('GET', `/v1/tenants/${tenantId}/credentials`)).body.data;
  const path = `/v1/tenants/${tenantId}/credentials/${id}`;
  t.equal((await ask('POST', `${path}/verify`, { rawBody: '', headers: JSON_TYPE })).status, 200);
  const { headers } = await ask('GET', path);
  const ifMatch = { 'if-match': headers.get('etag') ?? '' };
  t.equal((await ask('DELETE', path, { rawBody: '', headers: { ...JSON_TYPE, ...ifMatch } })).status, 204);
  const missing = await ask('POST', `/v1/tenants/${tenantId}/licenses`, { rawBody: '', headers: JSON_TYPE });
  t.match(missing, { status: 400, body: { code: 'invalid_request' } }, 'a missing body is still named');
});

t.test('integers that would be rounded', async (t) => {
  const created = await ask('POST', `/v1/tenants/${tenantId}/companies`, {
    body: { name: 'Mesa', license_numbers: [] },
  });
  const path = `/v1/tenants/${tenantId}/companies/${created.body.id}`;
  const patch = (custom: string) =>
    ask('PATCH', path, {
      rawBody: `{"custom_data":${custom}}`,
      headers: { ...JSON_TYPE, 'if-match': created.headers.get('etag') ?? '' },
    });
  t.match(await patch('{"a":{"b/c":[1,9007199254740993]}}'), {
    status: 400,
    body: { code: 'invalid_request', errors: [{ pointer: '/custom_data/a/b~1c/1' }] },
  });
  t.match(await patch(`{"a":"${'x'.repeat(8_192)}"}`), {
    status: 400,
    body: { errors: [{ pointer: '/custom_data', detail: 'must not be larger than 8 KiB as JSON' }] },
  });
  const kept = await patch('{"a":9007199254740991,"b":-9007199254740991,"c":1.5,"d":1e20}');
  t.match(kept, { status: 200, body: { custom_data: { a: 9007199254740991, b: -9007199254740991, c: 1.5, d: 1e20 } } });
});

t.test('methods and paths that no operation has', async (t) => {
  t.match(await ask('QUERY', '/livez', { key: null }), { status: 405, body: { code: 'method_not_allowed' } });
  const unknown = await ask('POST', '/v1/nothing', { key: null, body: {}, headers: { 'idempotency-key': 'a' } });
  t.match(unknown, { status: 404, body: { code: 'not_found' } });
});

/** Sends bytes, and returns the status of the answer; undefined if the connection closes without one. */
async function sendBytes(bytes: Buffer): Promise<number | undefined> {
  const { hostname, port } = new URL(service.baseUrl);
  const socket = connect(Number(port), hostname);
  let answer = '';
  socket.setEncoding('latin1').on('data', (text: string) => {
    answer += text;
  });
  socket.on('error', () => {});
  socket.end(bytes);
  await once(socket, 'close');
  const status = /^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1];
  return status === undefined ? undefined : Number(status);
}

t.test('no request gets a 5xx', async (t) => {
  const methods = fc.oneof(
    fc.constantFrom(
      'GET',
      'HEAD',
      'POST',
      'PUT',
      'PATCH',
      'DELETE',
      'OPTIONS',
      'QUERY',
      'PROPFIND',
      'TRACE',
      'M-SEARCH',
    ),
    fc.stringMatching(/^[A-Z]{1,8}$/),
  );
  const ids = fc.constantFrom(tenantId, service.newId(), 'x', '%00', '%ff', '..', '%2e%2e', "'", '\u0080', '');
  const paths = fc.oneof(
    fc.constantFrom(
      '/',
      '/livez',
      '/readyz',
      '/docs',
      '/docs/',
      '/docs/problems',
      '/openapi/v1.json',
      '*',
      '//',
      '/v1',
    ),
    fc.tuple(fc.constantFrom('/v1/tenants/', '/v1/api-keys/', '/docs/problems/'), ids).map((parts) => parts.join('')),
    fc
      .tuple(
        ids,
        fc.constantFrom('companies', 'changes', 'syncs', 'licenses/bulk', 'users', 'nothing'),
        ids,
        fc.string(),
      )
      .map(([tenant, list, id, query]) => `/v1/tenants/${tenant}/${list}/${id}?${encodeURIComponent(query)}=%`),
    fc.string({ unit: 'binary' }).map((text) => `/${text.replaceAll(/[\s\0]/g, '')}`),
  );
  const headers = fc.array(
    fc.oneof(
      fc.constantFrom(
        `Authorization: Bearer ${service.operatorKey}`,
        'Authorization: Bearer btk_x',
        'Authorization: Basic eDp5',
        'Idempotency-Key: a',
        'If-Match: *',
        'If-Match: W/"1", "2"',
        'If-None-Match: *',
        'Content-Type: application/json',
        'Content-Type: application/json; charset=x',
        'Content-Type: text/html',
        'Content-Encoding: br',
        'Content-Length: 0',
        'Content-Length: 1e3',
        'Transfer-Encoding: chunked',
        'Expect: 100-continue',
        'Expect: x',
        'Upgrade: websocket',
        'Host: [::1',
        'Host: a b',
        'Host: %',
        'X-Request-Id: \u0080',
        'X-Forwarded-For: x',
        'Last-Event-ID: \u0080',
        'Accept: */*;q=x',
        'Range: bytes=0-',
        'Origin: null',
        'traceparent: 00',
      ),
      fc.tuple(fc.stringMatching(/^[A-Za-z-]{1,12}$/), fc.string()).map(([name, value]) => `${name}: ${value}`),
    ),
    { maxLength: 2 },
  );
  const bodies = fc.oneof(fc.constantFrom('', '{}', '[]', '{', 'null', '\u0080'), fc.string());
  const seed = Date.now() % 2 ** 31;
  t.comment(`seed ${seed}`);
  const seen = new Map<number | undefined, number>();
  await fc.assert(
    fc.asyncProperty(methods, paths, headers, bodies, async (method, path, lines, body) => {
      const head = [
        `${method} ${path} HTTP/1.1`,
        ...lines,
        ...(lines.some((line) => /^Host:/i.test(line)) ? [] : ['Host: x']),
      ];
      const bytes = Buffer.from(`${head.join('\r\n')}\r\nConnection: close\r\n\r\n${body}`, 'latin1');
      const status = await sendBytes(bytes);
      seen.set(status, (seen.get(status) ?? 0) + 1);
      if (status !== undefined && status >= 500)
        throw new Error(`${status}: ${JSON.stringify(bytes.toString('latin1'))}`);
    }),
    { seed, numRuns: 1_500, verbose: 1 },
  );
  t.comment(
    [...seen]
      .sort()
      .map(([status, count]) => `${status}: ${count}`)
      .join(', '),
  );
  t.ok(
    [400, 401, 404, 405].every((status) => seen.has(status)),
    'the requests reach the service',
  );
});
