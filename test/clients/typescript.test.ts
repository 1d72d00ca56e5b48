import t from 'tap';
import {
  type Client,
  type ClientOptions,
  ConnectionError,
  createClient,
  isProblem,
  PageError,
  PROBLEM_CODES,
  ProblemError,
  parseEventStream,
  type Retry,
  SyncTimeoutError,
  UnexpectedResponseError,
} from '#client';
import { toRetryAfterMs } from '../../clients/typescript/src/errors.js';
import { newIdempotencyKey } from '../../clients/typescript/src/idempotency-key.js';
import { DEFAULT_RETRY_POLICY, toRetryDelayMs } from '../../clients/typescript/src/retry-policy.js';
import { ERRORS } from '../../src/domain/service-error.js';
import { startTestService } from '../helpers/service.js';
import { cutMidway, events, hang, json, problem, startHostileServer } from './hostile-server.js';

const service = await startTestService(t, { simulator: { licenses: 60 } });
const server = await startHostileServer();
t.teardown(() => server.close());

const TENANT = '0193a4c0-7d3e-7cc2-9f51-3f2d6f1f8a11';
const RUN = '0193a4c0-7d3e-7cc2-9f51-3f2d6f1f8a12';
const PATH = { tenant_id: TENANT };

/** Retries quickly. */
const toHostile = (options: Partial<ClientOptions> = {}): Client =>
  createClient({ baseUrl: server.url, token: 'btk_test', retries: { firstDelayMs: 5 }, ...options });

const getTenant = (client: Client, signal?: AbortSignal) =>
  client.GET('/v1/tenants/{tenant_id}', { params: { path: PATH }, ...(signal === undefined ? {} : { signal }) });

/** The error of a promise that must reject. */
async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('expected an error');
}

const collect = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
};

t.test('a tenant, from its creation to its companies, with the real service', async (t) => {
  const { demo } = service.simulator;
  const client = createClient({ baseUrl: service.baseUrl, token: async () => service.operatorKey });
  const params = { path: { tenant_id: service.newId() } };
  const missing = await failureOf(client.GET('/v1/tenants/{tenant_id}', { params }));
  t.ok(isProblem(missing, 'not_found') && isProblem(missing) && !isProblem(missing, 'forbidden'));
  t.match(missing, { status: 404, code: 'not_found', requestId: /./, problem: { status: 404 }, errors: [] });
  t.match(missing, { request: { method: 'GET', path: '/v1/tenants/{tenant_id}', attempts: 1 } });

  const body = { name: 'Client', state: 'NM', environment: 'production' } as const;
  const saved = await client.save('/v1/tenants/{tenant_id}', { params, toBody: () => body });
  t.match(saved, { outcome: 'created', data: { name: 'Client' }, etag: saved.data?.etag });
  const same = await client.save('/v1/tenants/{tenant_id}', {
    params,
    toBody: (present) => (present?.name === 'Client' ? undefined : body),
  });
  t.equal(same.outcome, 'unchanged');
  t.equal(same.data?.etag, saved.data?.etag);
  const taken = await failureOf(client.PUT('/v1/tenants/{tenant_id}', { params, body, etag: null }));
  t.ok(isProblem(taken, 'precondition_failed'), 'an ETag of null only creates');
  await client.PUT('/v1/tenants/{tenant_id}/ubi', { params, body: { ubi: demo.ubi }, etag: null });
  await client.PUT('/v1/tenants/{tenant_id}/company-creation-preference', {
    params,
    body: { strategy: 'one_per_license' },
    etag: null,
  });
  const invalid = await failureOf(
    client.POST('/v1/tenants/{tenant_id}/credentials', {
      params,
      // @ts-expect-error the owner is not one of the known ones
      body: { description: 'x', username: demo.username, password: demo.password, owner: 'unknown' },
    }),
  );
  t.match(invalid, { status: 400, errors: [{ pointer: '/owner' }] });
  const open = await failureOf(client.POST('/v1/tenants/{tenant_id}/syncs', { params, body: {} }));
  t.ok(isProblem(open, 'setup_incomplete'));
  t.match(open, { nextStep: { operation_id: 'createCredential' } });
  const credential = await client.POST('/v1/tenants/{tenant_id}/credentials', {
    params,
    body: { description: 'office', username: demo.username, password: demo.password, owner: 'company' },
  });
  t.equal(credential.status, 201);
  t.equal(credential.etag, credential.data.etag);

  const key = { idempotencyKey: newIdempotencyKey() };
  const run = await client.POST('/v1/tenants/{tenant_id}/syncs', { params, body: {}, ...key });
  const again = await client.POST('/v1/tenants/{tenant_id}/syncs', { params, body: {}, ...key });
  t.equal(again.headers.get('idempotency-replayed'), 'true', 'the given key is sent');
  const statuses: string[] = [];
  const done = await client.waitForSync(params.path.tenant_id, run.data.id, {
    onProgress: ({ status }) => statuses.push(status),
    timeoutMs: 60_000,
  });
  t.equal(done.status, 'succeeded');
  t.equal(statuses.at(-1), 'succeeded');
  const history = await collect(client.streamSyncEvents(params.path.tenant_id, run.data.id));
  t.match(history.at(-1), { type: 'end', run: { id: run.data.id, status: 'succeeded' } });
  const lastEventId = history.at(-1)?.id ?? '';
  t.same(await collect(client.streamSyncEvents(params.path.tenant_id, run.data.id, { lastEventId })), [], '204');

  const small = { ...params, query: { 'page[size]': 7 } };
  const companies = await collect(client.paginate('/v1/tenants/{tenant_id}/companies', { params: small }));
  t.ok(companies.length > 14, 'several pages');
  t.equal(new Set(companies.map(({ id }) => id)).size, companies.length);
  const pages = await collect(client.pages('/v1/tenants/{tenant_id}/companies', { params: small }));
  t.same(
    pages.flatMap(({ data }) => data),
    companies,
  );
  t.type((await client.pages('/v1/tenants/{tenant_id}/changes', { params }).next()).value?.cursor, 'string');

  const [company] = companies;
  if (company === undefined) throw new Error('no company');
  const at = { path: { ...params.path, id: company.id } };
  const path = '/v1/tenants/{tenant_id}/companies/{id}';
  const renamed = await client.PATCH(path, { params: at, etag: company.etag, body: { name: 'Renamed' } });
  t.equal(renamed.data.name, 'Renamed');
  const stale = await failureOf(client.PATCH(path, { params: at, etag: company.etag, body: { name: 'Again' } }));
  t.ok(isProblem(stale, 'precondition_failed'));
  const etag = (await client.GET(path, { params: at })).etag ?? '';
  t.equal(await client.getIfChanged(path, { params: at, etag }), undefined, '304');
  t.equal((await client.getIfChanged(path, { params: at, etag: company.etag }))?.data.name, 'Renamed');

  const deleted = await client.DELETE('/v1/tenants/{tenant_id}/credentials/{id}', {
    params: { path: { ...params.path, id: credential.data.id } },
    etag: (
      await client.GET('/v1/tenants/{tenant_id}/credentials/{id}', {
        params: { path: { ...params.path, id: credential.data.id } },
      })
    ).data.etag,
  });
  t.equal(deleted.status, 204);
  t.equal(deleted.data, undefined);
});

t.test('the types know the operations', async (t) => {
  const client = toHostile();
  const wrong = async (): Promise<void> => {
    // @ts-expect-error unknown path
    await client.GET('/v1/unknown');
    // @ts-expect-error the path has no PUT
    await client.PUT('/v1/tenants/{tenant_id}/syncs', { params: { path: PATH } });
    // @ts-expect-error the path has parameters
    await client.GET('/v1/tenants/{tenant_id}');
    // @ts-expect-error unknown query parameter
    await client.GET('/v1/tenants', { params: { query: { limit: 5 } } });
    // @ts-expect-error not a list
    client.paginate('/v1/me');
    // @ts-expect-error cannot be replaced
    await client.save('/v1/me', { toBody: () => undefined });
    // @ts-expect-error GET sends no key
    await client.GET('/v1/me', { idempotencyKey: 'x' });
  };
  t.type(wrong, 'function');
  t.same([...PROBLEM_CODES].sort(), Object.keys(ERRORS).sort(), 'all codes of the service are known');
});

t.test('429 and 503 are retried', async (t) => {
  const retries: Retry[] = [];
  const client = toHostile({ onRetry: (retry) => retries.push(retry) });
  server.respond(problem(429, 'rate_limited', { 'retry-after': '1' }), json({ name: 'Shop', etag: '"1"' }));
  const startedAt = performance.now();
  const { data, etag } = await getTenant(client);
  t.equal(data.name, 'Shop');
  t.equal(etag, '"1"');
  t.ok(performance.now() - startedAt >= 990, 'after Retry-After');
  t.match(retries, [{ delayMs: 1_000, retry: 1, error: { code: 'rate_limited' } }]);
  server.respond(problem(503, 'storage_unavailable'), problem(503, 'storage_unavailable'), json({ name: 'Shop' }));
  t.equal((await getTenant(client)).status, 200);
  t.equal(server.requests.length, 3);

  server.respond(problem(503, 'upstream_unavailable', { 'retry-after': '600' }));
  const late = await failureOf(getTenant(client));
  t.match(late, { code: 'upstream_unavailable', retryAfterMs: 600_000 }, 'a wait beyond the limit fails at once');
  t.equal(server.requests.length, 1);
  server.respond(problem(503, 'storage_unavailable'));
  t.match(await failureOf(getTenant(toHostile({ retries: 0 }))), { status: 503, request: { attempts: 1 } });
  t.match(await failureOf(getTenant(client)), { status: 503, request: { attempts: 6 } }, 'retries are limited');
  server.respond(problem(429, 'logins_held', { 'retry-after': '0' }));
  t.match(await failureOf(getTenant(client)), { code: 'logins_held', request: { attempts: 1 } });
});

t.test('broken connections are retried', async (t) => {
  server.respond(cutMidway, (response) => response.destroy(), json({ data: [] }));
  t.same((await toHostile().GET('/v1/states')).data, { data: [] });
  t.equal(server.requests.length, 3);
  server.respond((response) => response.destroy());
  const error = await failureOf(getTenant(toHostile({ retries: { firstDelayMs: 1, maxRetries: 2 } })));
  t.ok(error instanceof ConnectionError);
  t.match(error, { reason: 'network', cause: Error, request: { attempts: 3 } });
  server.respond((response) => response.destroy());
  await failureOf(getTenant(toHostile({ retries: { retryConnections: false } })));
  t.equal(server.requests.length, 1, 'unless that is disabled');
  const patch = toHostile().PATCH('/v1/tenants/{tenant_id}/companies/{id}', {
    params: { path: { ...PATH, id: RUN } },
    body: { name: 'x' },
  });
  t.ok((await failureOf(patch)) instanceof ConnectionError);
  t.equal(server.requests.length, 2, 'a PATCH without an ETag is sent once');

  server.respond(hang);
  const slow = await failureOf(getTenant(toHostile({ timeoutMs: 100 })));
  t.match(slow, { reason: 'timeout', request: { attempts: 1 } }, 'a timeout is not retried');
});

t.test('a POST is retried with the same key', async (t) => {
  const client = toHostile();
  const start = () => client.POST('/v1/tenants/{tenant_id}/syncs', { params: { path: PATH }, body: {} });
  const busy = problem(409, 'idempotency_in_progress');
  server.respond((response) => response.destroy(), problem(503, 'storage_unavailable'), busy, json({ id: RUN }, 202));
  t.equal((await start()).data.id, RUN);
  const keys = server.requests.map(({ headers }) => headers['idempotency-key']);
  t.match(keys[0], /^[0-9a-f]{8}-[0-9a-f]{4}-4/);
  t.same(keys, [keys[0], keys[0], keys[0], keys[0]]);
  t.same(new Set(server.requests.map(({ body }) => body)), new Set(['{}']), 'and the same body');
  server.respond(json({ id: RUN }, 202));
  await start();
  t.not(server.requests[0]?.headers['idempotency-key'], keys[0], 'another call has another key');
  const path = { params: { path: PATH }, body: {} };
  await client.POST('/v1/tenants/{tenant_id}/syncs', { ...path, headers: { 'Idempotency-Key': 'mine' } });
  t.equal(server.requests[1]?.headers['idempotency-key'], 'mine');
});

t.test('the token is read for each attempt', async (t) => {
  let calls = 0;
  const token = async (): Promise<string> => `token-${++calls}`;
  server.respond(problem(503, 'identity_unavailable'), json({ data: [] }));
  await toHostile({ token }).GET('/v1/states');
  t.same(
    server.requests.map(({ headers }) => headers.authorization),
    ['Bearer token-1', 'Bearer token-2'],
  );
  const failing = toHostile({ token: () => Promise.reject(new RangeError('no token')) });
  t.ok((await failureOf(failing.GET('/v1/states'))) instanceof RangeError);
});

t.test('answers that are not from the service', async (t) => {
  const client = toHostile({ retries: 0 });
  for (const [status, body, headers] of [
    [502, '<html>Bad gateway</html>', { 'content-type': 'text/html', 'x-request-id': 'of-the-proxy' }],
    [503, '', {}],
    [200, '<html>Login</html>', { 'content-type': 'text/html' }],
    [200, '', {}],
    [307, '', { location: 'http://127.0.0.1:9/' }],
  ] as const) {
    server.respond((response) => response.writeHead(status, headers).end(body));
    const error = await failureOf(getTenant(client));
    t.ok(error instanceof UnexpectedResponseError && error instanceof ProblemError, `${status} ${body}`);
    t.match(error, { status, code: 'unexpected_response', problem: undefined });
    t.notOk(isProblem(error));
  }
  server.respond((response) => response.writeHead(502, { 'x-request-id': 'of-the-proxy' }).end('x'));
  t.match(await failureOf(getTenant(client)), { requestId: 'of-the-proxy' });
});

t.test('pages of another origin are refused', async (t) => {
  const other = 'http://other.example.com/v1/tenants?page%5Bafter%5D=b';
  const list = (nextPage: string | null) => json({ data: [{ id: 1 }], next_page: nextPage });
  server.respond(list(other));
  const error = await failureOf(collect(toHostile().paginate('/v1/tenants')));
  t.ok(error instanceof PageError);
  t.match((error as Error).message, 'http://other.example.com');
  t.equal(server.requests.length, 1);

  server.respond(list(other), list(null));
  t.equal((await collect(toHostile({ ignorePageOrigin: true }).paginate('/v1/tenants'))).length, 2);
  t.equal(server.requests[1]?.search, '?page%5Bafter%5D=b', 'only the query is used');
  server.respond(list(`${server.url}/v1/tenants?page%5Bafter%5D=same`));
  t.ok((await failureOf(collect(toHostile().pages('/v1/tenants')))) instanceof PageError, 'a circle ends');
  server.respond(list('http://['));
  t.ok((await failureOf(collect(toHostile().pages('/v1/tenants')))) instanceof PageError, 'an invalid URL');
});

t.test('a setting that changes between read and write is saved again', async (t) => {
  const client = toHostile();
  const save = (maxRaces?: number) =>
    client.save('/v1/tenants/{tenant_id}/ubi', {
      params: { path: PATH },
      toBody: (present) => ({ ubi: `${present?.ubi ?? 'none'}+` }),
      ...(maxRaces === undefined ? {} : { maxRaces }),
    });
  server.respond(
    json({ ubi: 'a', etag: '"1"' }),
    problem(412, 'precondition_failed'),
    json({ ubi: 'b' }, 200, { etag: 'W/"2"' }),
    json({ ubi: 'b+', etag: '"3"' }),
  );
  t.match(await save(), { outcome: 'updated', data: { ubi: 'b+' }, etag: '"3"' });
  t.same(
    server.requests.map(({ method, headers, body }) => [method, headers['if-match'], body]),
    [
      ['GET', undefined, ''],
      ['PUT', '"1"', '{"ubi":"a+"}'],
      ['GET', undefined, ''],
      ['PUT', '"2"', '{"ubi":"b+"}'],
    ],
    'from what is there now, with a strong ETag',
  );
  server.respond(problem(404, 'not_found'), json({ ubi: 'none+', etag: '"1"' }, 201));
  t.equal((await save()).outcome, 'created');
  t.equal(server.requests[1]?.headers['if-none-match'], '*');
  server.respond(
    json({ ubi: 'a', etag: '"1"' }),
    problem(412, 'precondition_failed'),
    json({ ubi: 'a', etag: '"1"' }),
    problem(412, 'precondition_failed'),
  );
  t.ok(isProblem(await failureOf(save(1)), 'precondition_failed'), 'races are limited');
  t.equal(server.requests.length, 4);
});

t.test('a signal stops everything at once', async (t) => {
  const reason = new Error('stopped');
  const stopSoon = (): AbortSignal => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(reason), 50);
    return controller.signal;
  };
  const startedAt = performance.now();
  server.respond(hang);
  t.equal(await failureOf(getTenant(toHostile(), stopSoon())), reason, 'a request');
  t.equal(server.requests.length, 1);
  server.respond(problem(429, 'rate_limited', { 'retry-after': '60' }));
  t.equal(await failureOf(getTenant(toHostile(), stopSoon())), reason, 'the delay before a retry');
  server.respond(events([': hello\n\n'], 'stay'));
  t.equal(
    await failureOf(collect(toHostile().streamSyncEvents(TENANT, RUN, { signal: stopSoon() }))),
    reason,
    'events',
  );
  t.equal(await failureOf(toHostile().waitForSync(TENANT, RUN, { signal: stopSoon() })), reason, 'waiting');
  server.respond(hang);
  t.equal(await failureOf(collect(toHostile().paginate('/v1/tenants', { signal: stopSoon() }))), reason, 'a list');
  t.equal(await failureOf(getTenant(toHostile(), AbortSignal.abort(reason))), reason, 'before it starts');
  t.ok(performance.now() - startedAt < 10_000);
});

const eventOf = (id: string, status: string, type = 'progress'): string =>
  `id: ${id}\nevent: ${type}\ndata: ${JSON.stringify({ id: RUN, status })}\n\n`;

t.test('events resume after the last one', async (t) => {
  const client = toHostile();
  const cut = events([eventOf('1', 'queued'), eventOf('2', 'running'), 'id: 3\nevent: progress\nda'], 'cut');
  server.respond(cut, events([': keep-alive\n\n'], 'end'), events([eventOf('4', 'succeeded', 'end')], 'stay'));
  const seen = await collect(client.streamSyncEvents(TENANT, RUN));
  t.same(
    seen.map(({ id, type, run }) => [id, type, run.status]),
    [
      ['1', 'progress', 'queued'],
      ['2', 'progress', 'running'],
      ['4', 'end', 'succeeded'],
    ],
  );
  t.same(
    server.requests.map(({ headers }) => headers['last-event-id']),
    [undefined, '2', '2'],
  );
  t.match(server.requests[0]?.headers, { authorization: 'Bearer btk_test', accept: 'text/event-stream' });
  server.respond((response) => response.writeHead(204).end());
  t.same(await collect(client.streamSyncEvents(TENANT, RUN, { lastEventId: '4' })), []);
  t.equal(server.requests[0]?.headers['last-event-id'], '4');
  server.respond(problem(404, 'not_found'));
  t.ok(isProblem(await failureOf(collect(client.streamSyncEvents(TENANT, RUN))), 'not_found'));
  server.respond(events(['data: {{\n\n'], 'end'));
  t.ok((await failureOf(collect(client.streamSyncEvents(TENANT, RUN)))) instanceof UnexpectedResponseError);
  server.respond(json({ not: 'events' }));
  t.ok((await failureOf(collect(client.streamSyncEvents(TENANT, RUN)))) instanceof UnexpectedResponseError);

  let closed = false;
  server.respond((response, request) => {
    response.once('close', () => {
      closed = true;
    });
    events([eventOf('1', 'running')], 'stay')(response, request);
  });
  for await (const event of client.streamSyncEvents(TENANT, RUN)) if (event.id === '1') break;
  for (let tries = 0; !closed && tries < 500; tries += 1) await new Promise((resolve) => setTimeout(resolve, 10));
  t.ok(closed, 'leaving the loop closes the connection');
});

t.test('waiting for a sync', async (t) => {
  const client = toHostile();
  const running = json({ id: RUN, status: 'running' });
  const done = json({ id: RUN, status: 'succeeded' });
  const listsEvents = ({ path }: { path: string }): boolean => path.endsWith('/events');

  server.respond(events([eventOf('1', 'running')], 'cut'), running, events([eventOf('2', 'x', 'end')], 'end'), done);
  const statuses: string[] = [];
  const run = await client.waitForSync(TENANT, RUN, { onProgress: ({ status }) => statuses.push(status) });
  t.equal(run.status, 'succeeded');
  t.same(statuses, ['running', 'running', 'x', 'succeeded']);
  t.same(
    server.requests.filter(listsEvents).map(({ headers }) => headers['last-event-id']),
    [undefined, '1'],
    'a stream that was cut is resumed',
  );

  server.respond(problem(503, 'streams_exhausted'), running, running, done);
  t.equal((await client.waitForSync(TENANT, RUN)).status, 'succeeded');
  t.equal(server.requests.filter(listsEvents).length, 1, 'polls if there are no events');

  server.respond(problem(503, 'streams_exhausted'), running);
  const late = await failureOf(client.waitForSync(TENANT, RUN, { timeoutMs: 300 }));
  t.ok(late instanceof SyncTimeoutError);
  t.match(late, { run: { status: 'running' } });
  server.respond(problem(404, 'not_found'));
  t.ok(isProblem(await failureOf(client.waitForSync(TENANT, RUN)), 'not_found'));
  server.respond(events([eventOf('1', 'running')], 'stay'));
  const thrown = new Error('of the callback');
  const throwing = client.waitForSync(TENANT, RUN, {
    onProgress: () => {
      throw thrown;
    },
  });
  t.equal(await failureOf(throwing), thrown);
});

t.test('server-sent events', async (t) => {
  const parse = async (bytes: Uint8Array, size: number): Promise<unknown[]> => {
    async function* chunks(): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
    }
    return collect(parseEventStream(chunks()));
  };
  const text = [
    '\uFEFF: comment\n\n',
    'id: 1\nevent: progress\ndata: first\ndata:second\ndata\n\n',
    'data: {"name":"Café 🌿"}\r\n\r\n',
    'event: only a type\n\n',
    'id: 2\rdata: cr\r\r',
    'id: a\0b\nretry: 5\nunknown: x\ndata:  two spaces\n\n',
    'id\ndata: no id\n\n',
    'data: not complete\n',
  ].join('');
  const wanted = [
    { id: '1', type: 'progress', data: 'first\nsecond\n' },
    { id: '1', type: 'message', data: '{"name":"Café 🌿"}' },
    { id: '2', type: 'message', data: 'cr' },
    { id: '2', type: 'message', data: ' two spaces' },
    { id: '', type: 'message', data: 'no id' },
  ];
  const bytes = new TextEncoder().encode(text);
  for (const size of [1, 2, 3, 5, 7, 64, bytes.length]) t.same(await parse(bytes, size), wanted, `chunks of ${size}`);
  for (const end of ['\n', '\r', '\r\n']) {
    const lines = new TextEncoder().encode(`data: a${end}${end}data: b${end}data: c${end}${end}`);
    for (const size of [1, 2, 3, 100]) {
      t.match(await parse(lines, size), [{ data: 'a' }, { data: 'b\nc' }], JSON.stringify([end, size]));
    }
  }
});

t.test('the delay before a retry', async (t) => {
  const request = { method: 'GET', path: '/v1/states', attempts: 1 };
  const lost = new ConnectionError('network', request, undefined);
  const response = (status: number, retryAfterMs?: number, code = 'x') =>
    new ProblemError({
      request,
      status,
      requestId: undefined,
      retryAfterMs,
      problem: { type: 't', code, title: 'T', status, detail: 'D', request_id: 'r' },
    });
  const delayOf = (error: ProblemError | ConnectionError, retries = 0, waitedMs = 0, isRepeatable = true, random = 1) =>
    toRetryDelayMs({ error, retries, waitedMs, isRepeatable }, DEFAULT_RETRY_POLICY, () => random);
  t.equal(delayOf(lost), 250);
  t.equal(delayOf(lost, 0, 0, true, 0), 125, 'varies');
  t.equal(delayOf(lost, 3), 2_000, 'grows');
  t.equal(delayOf(lost, DEFAULT_RETRY_POLICY.maxRetries), undefined, 'retries are limited');
  t.equal(delayOf(lost, 0, 0, false), undefined, 'a request that could take effect twice is not sent again');
  t.equal(delayOf(response(429, 7_000)), 7_000);
  t.equal(delayOf(response(429, 7_000), 0, 0, false), 7_000);
  t.equal(delayOf(response(503, 7_000), 0, 0, false), undefined);
  t.equal(delayOf(response(503, 7_000), 0, 115_000), undefined, 'the total delay is limited');
  t.equal(delayOf(response(409, 5_000, 'sync_in_progress')), 5_000, 'a sync is being applied');
  t.equal(delayOf(response(409, undefined, 'idempotency_in_progress'), 1), 500);
  t.equal(delayOf(response(429, 7_000, 'logins_held')), undefined, 'a held login is not sent again');
  t.equal(delayOf(response(503), 1), 500);
  for (const status of [400, 401, 403, 404, 409, 412, 422, 500]) {
    t.equal(delayOf(response(status, 1_000)), undefined, `${status} is not retried`);
  }
  t.equal(toRetryAfterMs('7'), 7_000);
  t.equal(
    toRetryAfterMs(new Date(9_000).toUTCString(), () => 4_000),
    5_000,
  );
  t.equal(toRetryAfterMs('soon'), undefined);
  t.equal(toRetryAfterMs(null), undefined);
});

t.test('keys without crypto.randomUUID', async (t) => {
  const { randomUUID } = crypto;
  t.teardown(() => Object.defineProperty(crypto, 'randomUUID', { value: randomUUID, configurable: true }));
  Object.defineProperty(crypto, 'randomUUID', { value: undefined, configurable: true });
  const key = newIdempotencyKey();
  t.match(key, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  t.not(newIdempotencyKey(), key);
});

t.test('an invalid base URL', async (t) => {
  for (const baseUrl of ['ftp://x', 'nowhere', 'http://x/?a=1', 'http://x/#a']) {
    t.throws(() => createClient({ baseUrl, token: 'x' }), TypeError, baseUrl);
  }
  server.respond(json({ data: [] }));
  await createClient({ baseUrl: `${server.url}/connect/`, token: 'x' }).GET('/v1/states');
  t.equal(server.requests[0]?.path, '/connect/v1/states');
});
