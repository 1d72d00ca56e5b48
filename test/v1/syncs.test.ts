import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import t from 'tap';
import { RETRY_POLICY, toRetryDelaySeconds } from '../../src/modules/syncs/retry-policy.js';
import { isOwnOutcome, OWNERS } from '../helpers/contract.js';
import { makeTenant, startTestService, syncTenant, type TestResponse, waitForRun } from '../helpers/service.js';
import { until } from '../helpers/until.js';

/** Starting, reading, retrying, canceling and streaming runs. Their effect on companies is tested in `test/sync`. */

const service = await startTestService(t, {
  simulator: { licenses: 100, offersSyncCheck: false },
  timing: {
    timeouts: { connectMs: 1_000, headersMs: 90_000, listMs: 90_000, shortMs: 5_000 },
    retry: { attempts: 1, baseMs: 1, maxMs: 1 },
    circuit: { failures: 1_000_000, openMs: 1 },
    runs: { attempts: 3, baseSeconds: 0.2, maxSeconds: 1 },
    sweepMs: 100,
  },
});
const { ask, sql, simulator, contract, newId } = service;
const { control, demo } = simulator;

type Body = TestResponse['body'];

const start = async (tenantId: string, body: object = { refresh: 'force' }): Promise<Body> =>
  (await ask('POST', `/v1/tenants/${tenantId}/syncs`, { body })).body;
const read = async (tenantId: string, id: string): Promise<Body> =>
  (await ask('GET', `/v1/tenants/${tenantId}/syncs/${id}`)).body;
const untilStep = (tenantId: string, id: string, step: string): Promise<Body> =>
  until(step, async () => {
    const run = await read(tenantId, id);
    return run.progress.step === step ? run : undefined;
  });
const slowList = (delayMs: number): void =>
  void control.injectFault({ fault: 'slow_first_byte', action: 'sync_vendor', delayMs, times: 1 });

const readMetric = async (part: string): Promise<number> => {
  const lines = (await service.service.metrics.render())
    .split('\n')
    .filter((line) => line.includes(part) && !line.startsWith('#'));
  return lines.reduce((total, line) => total + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
};

/** A run that waits for an hour, and a stream that has no events to send. */
const quiet = await makeTenant(service);
control.injectFault({ fault: 'server_error', action: 'sync_vendor', times: 1 });
const { id: waitingId } = await start(quiet);
await until('retry scheduled', async () => {
  const rows = await sql(
    `update sync_runs set retry_datetime = now() + interval '1 hour' where id = $1 and retry_datetime is not null returning id`,
    [waitingId],
  );
  return rows[0];
});
let streamed = '';
const following = (async () => {
  const { body } = await fetch(`${service.baseUrl}/v1/tenants/${quiet}/syncs/${waitingId}/events`, {
    headers: { authorization: `Bearer ${service.operatorKey}` },
  });
  for await (const chunk of body ?? []) streamed += Buffer.from(chunk).toString();
})();

t.test('a transient failure is retried, and shown until then', async (t) => {
  const tenantId = await makeTenant(service);
  control.injectFault({ fault: 'server_error', action: 'sync_vendor', times: 2 });
  const { id } = await start(tenantId);
  const put = await until('retry scheduled', async () => {
    const run = await read(tenantId, id);
    return run.retry_datetime === null ? undefined : run;
  });
  t.match(put, { status: 'queued', reason: 'upstream_unreachable', finished_datetime: null });
  t.match(put.reason_message.text, /BioTrack/);
  t.match(await waitForRun(service, tenantId, id), {
    status: /^succeeded/,
    attempt: 3,
    reason: null,
    retry_datetime: null,
  });
  t.ok((await readMetric('status="retry_scheduled"')) >= 2);

  control.injectFault({ fault: 'server_error', action: 'sync_vendor', times: 0 });
  const failed = await syncTenant(service, tenantId, { refresh: 'force' });
  control.clearFaults();
  t.match(
    failed,
    { status: 'failed', reason: 'upstream_unreachable', attempt: 3, retry_datetime: null },
    'fails after the last attempt',
  );

  control.injectFault({ fault: 'missing_list', action: 'sync_vendor', times: 0 });
  t.match(
    await syncTenant(service, tenantId, { refresh: 'force' }),
    { status: 'failed', reason: 'list_empty', attempt: 1 },
    'other failures are not retried',
  );
  control.clearFaults();
});

t.test('the delays of the default retry policy', async (t) => {
  const toDelay = (attempt: number, retryAfterMs?: number, isHeldBack = false): number | undefined =>
    toRetryDelaySeconds('upstream_unreachable', attempt, RETRY_POLICY, { retryAfterMs, isHeldBack });
  for (const [attempt, seconds] of [15, 60, 240, 900].entries()) {
    const waits = Array.from({ length: 100 }, () => toDelay(attempt + 1) ?? 0);
    t.ok(
      Math.min(...waits) >= seconds && Math.max(...waits) <= seconds * 1.25,
      `${seconds} s and up to a quarter more`,
    );
    t.ok(new Set(waits).size > 50, 'with jitter');
  }
  t.equal(toDelay(5), undefined, 'no retry after the fifth failure');
  t.ok((toDelay(1, 600_000) ?? 0) >= 600, 'at least as long as BioTrack requested');
  const heldBack = Array.from({ length: 100 }, () => toDelay(5, 20_000, true) ?? 0);
  t.ok(
    Math.min(...heldBack) >= 20 && Math.max(...heldBack) <= 25,
    'a call that was held back waits for the circuit only',
  );
  t.equal(toRetryDelaySeconds('credentials_rejected', 1, RETRY_POLICY, undefined), undefined);
});

t.test('a call that the open circuit held back costs no attempt', async (t) => {
  const other = await startTestService(t, {
    simulator: { licenses: 20, offersSyncCheck: false },
    timing: {
      timeouts: { connectMs: 1_000, headersMs: 30_000, listMs: 30_000, shortMs: 5_000 },
      retry: { attempts: 1, baseMs: 1, maxMs: 1 },
      circuit: { failures: 1, openMs: 1_500 },
      runs: { attempts: 2, baseSeconds: 0.1, maxSeconds: 0.1 },
      sweepMs: 50,
    },
  });
  const tenantId = await makeTenant(other);
  other.simulator.control.injectFault({ fault: 'server_error', action: 'sync_vendor', times: 1 });
  const before = other.simulator.control.counters().listCalls;
  const { id } = (await other.ask('POST', `/v1/tenants/${tenantId}/syncs`, { body: { refresh: 'force' } })).body;
  t.match(await waitForRun(other, tenantId, id), { status: 'succeeded', attempt: 2 });
  const { listCalls } = other.simulator.control.counters();
  t.equal(listCalls - before, 2, 'BioTrack was asked twice: the failed call, and the one when the circuit half-opened');
});

t.test('startSync makes a run that waits for a retry due now', async (t) => {
  const tenantId = await makeTenant(service);
  control.injectFault({ fault: 'server_error', action: 'sync_vendor', times: 1 });
  const { id } = await start(tenantId);
  await until('retry scheduled', async () => {
    const rows = await sql(
      `update sync_runs set retry_datetime = now() + interval '1 hour' where id = $1 and retry_datetime is not null returning id`,
      [id],
    );
    return rows[0];
  });
  await pause(500);
  t.match(await read(tenantId, id), { status: 'queued', attempt: 1 });
  t.equal((await start(tenantId)).id, id, 'the same run');
  t.match(await waitForRun(service, tenantId, id), { status: /^succeeded/, attempt: 2 });
});

t.test('a rejected login is not retried, and a run that always fails does not block others', async (t) => {
  const [refused, poisoned, healthy] = [
    await makeTenant(service),
    await makeTenant(service),
    await makeTenant(service),
  ];
  await sql(`create function poison() returns trigger language plpgsql as $$ begin
    if new.tenant_id = '${poisoned}' then raise exception 'poison'; end if; return new; end $$`);
  await sql('create trigger poison before insert on companies for each row execute function poison()');
  await sql(`update credentials set status = 'rejected' where tenant_id = $1`, [refused]);
  t.equal((await ask('POST', `/v1/tenants/${refused}/syncs`, { body: {} })).status, 409);
  const [bad, good] = await Promise.all([syncTenant(service, poisoned, {}), syncTenant(service, healthy, {})]);
  t.match(bad, { status: 'failed', reason: 'internal', attempt: 1 });
  t.match(good.status, /^succeeded/);
  await sql('drop function poison cascade');

  const { id } = await start(poisoned);
  await waitForRun(service, poisoned, id);
  await sql(
    `update sync_runs set status = 'running', step = 'fetching', attempt = 3, finished_datetime = null,
    leased_until_datetime = now() - interval '1 second' where id = $1`,
    [id],
  );
  t.match(
    await waitForRun(service, poisoned, id),
    { status: 'failed', reason: 'interrupted' },
    'fails after too many attempts',
  );
  t.ok((await readMetric('runs_taken_over_total')) >= 1);
});

t.test('cancelSync', async (t) => {
  const tenantId = await makeTenant(service);
  const path = `/v1/tenants/${tenantId}/syncs`;
  slowList(20_000);
  const running = await start(tenantId);
  await untilStep(tenantId, running.id, 'fetching');
  await until('asked', async () => (control.counters().listCallsInFlight > 0 ? true : undefined));
  const canceled = await ask('POST', `${path}/${running.id}/cancel`);
  t.match(canceled, { status: 200, body: { id: running.id, status: 'canceled', progress: { step: 'done' } } });
  t.match(await ask('POST', `${path}/${running.id}/cancel`), { status: 409, body: { code: 'run_ended' } });
  t.equal((await ask('POST', `${path}/${service.newId()}/cancel`)).status, 404);
  t.match((await syncTenant(service, tenantId)).status, /^succeeded/, 'another run can start at once');
  t.match(await read(tenantId, running.id), { status: 'canceled' });

  const synced = await sql<{ at: string }>(
    `select first_synced_datetime::text as at from tenants where tenant_id = $1`,
    [tenantId],
  );
  await sql(`update tenants set first_synced_datetime = null where tenant_id = $1`, [tenantId]);
  control.injectFault({ fault: 'server_error', action: 'sync_vendor', times: 1 });
  const waiting = await start(tenantId);
  await until('retry scheduled', async () => {
    const rows = await sql(
      `update sync_runs set retry_datetime = now() + interval '1 hour' where id = $1 and retry_datetime is not null returning id`,
      [waiting.id],
    );
    return rows[0];
  });
  const [, , , , first] = (await ask('GET', `/v1/tenants/${tenantId}/setup`)).body.steps;
  t.match(
    first,
    { status: 'blocked', who: 'none', blockers: [{ text: /upstream_unreachable.*retries it automatically at 20.*Z/ }] },
    'the checklist shows the failure and the time of the retry',
  );
  await sql(`update tenants set first_synced_datetime = $2 where tenant_id = $1`, [tenantId, synced[0]?.at]);
  t.match(await ask('POST', `${path}/${waiting.id}/cancel`), {
    status: 200,
    body: { status: 'canceled', retry_datetime: null },
  });

  const fresh = await makeTenant(service);
  await sql(
    `create function linger() returns trigger language plpgsql as $$ begin perform pg_sleep(1); return null; end $$`,
  );
  await sql('create trigger linger before insert on companies for each statement execute function linger()');
  const applying = await start(fresh, {});
  await untilStep(fresh, applying.id, 'applying');
  const canceledBefore = await readMetric('status="canceled"');
  t.match(
    await ask('POST', `/v1/tenants/${fresh}/syncs/${applying.id}/cancel`),
    { status: 200, body: { status: 'canceled' } },
    'canceled at once although the run has locked the tenant',
  );
  await sql('drop function linger cascade');
  await until('canceled', async () => ((await readMetric('status="canceled"')) > canceledBefore ? true : undefined));
  t.match(await read(fresh, applying.id), { status: 'canceled', counts: null });
  t.same((await ask('GET', `/v1/tenants/${fresh}/companies`)).body.data, [], 'its changes are rolled back');
});

t.test('cancelSync while the run plans', async (t) => {
  const tenantId = await makeTenant(service);
  const holder = new pg.Client({ connectionString: service.databaseUrl });
  await holder.connect();
  slowList(800);
  const { id } = await start(tenantId);
  await until('asked', async () => (control.counters().listCallsInFlight > 0 ? true : undefined));
  // The run waits for the lock of the tenant before it plans.
  await holder.query('begin');
  await holder.query('select from tenants where tenant_id = $1 for no key update', [tenantId]);
  await untilStep(tenantId, id, 'planning');
  const [fenced, canceled] = [await readMetric('writes_fenced_total'), await readMetric('status="canceled"')];
  t.match(await ask('POST', `/v1/tenants/${tenantId}/syncs/${id}/cancel`), {
    status: 200,
    body: { status: 'canceled' },
  });
  await holder.query('commit');
  await holder.end();
  await until('canceled', async () => ((await readMetric('status="canceled"')) > canceled ? true : undefined));
  t.equal(await readMetric('writes_fenced_total'), fenced, 'not counted as fenced');
  t.match(await syncTenant(service, tenantId, {}), { status: /^succeeded/, counts: { updated: 0 } });
  t.match(await read(tenantId, id), { status: 'canceled', counts: null });
});

interface Seen {
  readonly id: string;
  readonly event: string;
  readonly data: Body;
}

const toEvents = (text: string): Seen[] =>
  [...text.matchAll(/^id: (.*)\nevent: (.*)\ndata: (.*)$/gm)].map(([, id, event, data]) => ({
    id: id as string,
    event: event as string,
    data: JSON.parse(data as string),
  }));

t.test('listSyncEvents', async (t) => {
  const tenantId = await makeTenant(service);
  slowList(1_500);
  const run = await start(tenantId);
  const path = `/v1/tenants/${tenantId}/syncs/${run.id}/events`;
  const { status, headers, body } = await ask('GET', path);
  t.equal(status, 200);
  t.match(headers.get('content-type'), /^text\/event-stream/);
  const events = toEvents(body);
  t.ok(events.length >= 2, events.map(({ data }) => `${data.status} ${data.progress.step}`).join(', '));
  t.ok(events.slice(0, -1).every(({ event }) => event === 'progress'));
  t.match(events.at(-1), { event: 'end', data: { id: run.id, status: /^succeeded/ } });
  t.strictSame(events.at(-1)?.data, await read(tenantId, run.id));

  const again = await ask('GET', path, { headers: { 'last-event-id': events[0]?.id as string } });
  t.strictSame(
    toEvents(again.body).map(({ event }) => event),
    ['end'],
    'missed events are sent',
  );
  const over = await ask('GET', path, { headers: { 'last-event-id': events.at(-1)?.id as string } });
  t.equal(over.status, 204, '204 after the last event');
  t.equal((await ask('GET', `/v1/tenants/${tenantId}/syncs/${service.newId()}/events`)).status, 404);

  slowList(25_000);
  const long = await start(tenantId);
  const gone = new AbortController();
  // As many as a tenant can have.
  const open = Array.from({ length: 20 }, () =>
    fetch(`${service.baseUrl}/v1/tenants/${tenantId}/syncs/${long.id}/events`, {
      headers: { authorization: `Bearer ${service.operatorKey}` },
      signal: gone.signal,
    }),
  );
  for (const response of await Promise.all(open)) t.equal(response.status, 200);
  const full = await ask('GET', `/v1/tenants/${tenantId}/syncs/${long.id}/events`);
  t.match(full, { status: 503, body: { code: 'streams_exhausted' } });
  gone.abort();
  await ask('POST', `/v1/tenants/${tenantId}/syncs/${long.id}/cancel`);
  const after = await until('a free stream', async () => {
    const answer = await ask('GET', `/v1/tenants/${tenantId}/syncs/${long.id}/events`);
    return answer.status === 200 ? answer : undefined;
  });
  t.match(toEvents(after.body).at(-1), { event: 'end', data: { status: 'canceled' } });
});

t.test('a stream without events sends heartbeats', async (t) => {
  await until('a heartbeat', async () => /^: /m.test(streamed));
  t.equal((await ask('POST', `/v1/tenants/${quiet}/syncs/${waitingId}/cancel`)).status, 200);
  await following;
  t.match(streamed, /^id: .*\nevent: progress\ndata: .*\n\n(: heartbeat\n\n)+id: .*\nevent: end\n/);
});

t.test('a slow state does not block the runs of other states', async (t) => {
  const hanging: string[] = [];
  while (hanging.length < 12) hanging.push(await makeTenant(service));
  const other = service.newId();
  const path = `/v1/tenants/${other}`;
  const { ubi, username, password } = demo;
  const puts = [
    ['', { name: 'Other', state: 'NM', environment: 'training' }],
    ['/ubi', { ubi }],
    ['/company-creation-preference', { strategy: 'one_per_license' }],
  ] as const;
  for (const [rest, body] of puts) {
    t.equal((await ask('PUT', `${path}${rest}`, { body, headers: { 'if-none-match': '*' } })).status, 201);
  }
  const login = { description: 'test', username, password, owner: 'company' };
  t.equal((await ask('POST', `${path}/credentials`, { body: login })).status, 201);
  // The slow call of an earlier, canceled run would delay these runs instead.
  await until('no list call', async () => (control.counters().listCallsInFlight === 0 ? true : undefined));
  // The run of the other state waits for up to 12 seconds behind the runs that check whether the slow list has arrived.
  slowList(25_000);
  const runs = await Promise.all(hanging.map((tenantId) => start(tenantId)));
  await until('a slow list call', async () => (control.counters().listCallsInFlight > 0 ? true : undefined));
  await pause(1_500);
  const setups = await Promise.all(hanging.map((tenantId) => ask('GET', `/v1/tenants/${tenantId}/setup`)));
  t.ok(
    setups.every(({ body }) => !JSON.stringify(body).includes('failed')),
    'waiting runs have not failed',
  );
  const fast = await syncTenant(service, other, { refresh: 'force' });
  t.match(fast, { status: /^succeeded/ });
  t.equal(control.counters().listCallsInFlight, 1, 'the list call of the first state is still in progress');
  for (const [index, { id }] of runs.entries()) {
    const run = await waitForRun(service, hanging[index] as string, id);
    if (index === 0) t.ok(fast.finished_datetime < run.finished_datetime, 'the run of the other state ended first');
    t.match(run, { status: /^succeeded/, attempt: 1 }, 'waiting is not counted as an attempt');
  }
});

t.test('startSync', async (t) => {
  for (const [upTo, next] of [
    ['tenant', 'putUbi'],
    ['ubi', 'putCompanyCreationPreference'],
    ['preference', 'createCredential'],
  ] as const) {
    const id = await makeTenant(service, upTo);
    t.match(
      await ask('POST', `/v1/tenants/${id}/syncs`, { body: {} }),
      { status: 409, body: { code: 'setup_incomplete', next_step: { operation_id: next, path: /^\/v1\/tenants\// } } },
      `after ${upTo}`,
    );
  }
  const tenantId = await makeTenant(service, 'credential', 'one_per_vendor');
  const path = `/v1/tenants/${tenantId}/syncs`;
  for (const body of [
    { mode: 'dry_run' },
    { refresh: 'always' },
    { refresh: true },
    { dry_run: true },
    [],
    null,
    'x',
    1,
  ]) {
    t.match(
      await ask('POST', path, { body }),
      { status: 400, body: { code: 'invalid_request' } },
      JSON.stringify(body),
    );
  }
  t.strictSame((await ask('GET', path)).body, { data: [], next_page: null }, 'no run was started');

  const started = await ask('POST', path, { body: { mode: 'full', refresh: 'force' } });
  t.match(started, {
    status: 202,
    body: {
      trigger: 'request',
      mode: 'full',
      refresh: 'force',
      strategy: 'one_per_vendor',
      reason: null,
      reason_message: null,
      requested_by: /^api_key:/,
    },
  });
  t.ok(['queued', 'running'].includes(started.body.status));
  t.equal(started.headers.get('location'), `${service.baseUrl}${path}/${started.body.id}`);
  const run = await waitForRun(service, tenantId, started.body.id);
  t.match(run, { attempt: 1, progress: { step: 'done', done: 4, total: 4 }, directory_version: 1 });
  t.match(run.status, /^succeeded/);
});

t.test('getSync and listSyncs', async (t) => {
  const tenantId = await makeTenant(service);
  const path = `/v1/tenants/${tenantId}/syncs`;
  const runs = [
    await syncTenant(service, tenantId),
    await syncTenant(service, tenantId),
    await syncTenant(service, tenantId),
  ];
  const read = await ask('GET', `${path}/${runs[0].id}`);
  t.match(read, { status: 200, body: runs[0] });
  const times = [read.body.requested_datetime, read.body.started_datetime, read.body.finished_datetime];
  t.strictSame(times, [...times].sort(), 'requested, started, finished');
  t.match(await ask('GET', `${path}/${newId()}`), { status: 404, body: { code: 'not_found' } });

  const toIds = (body: { data: { id: string }[] }): string[] => body.data.map(({ id }) => id);
  const newestFirst = runs.map(({ id }) => id).reverse();
  t.strictSame(toIds((await ask('GET', path)).body), newestFirst, 'newest first');
  const first = await ask('GET', `${path}?page[size]=2`);
  t.strictSame(toIds(first.body), newestFirst.slice(0, 2));
  t.strictSame(toIds((await ask('GET', first.body.next_page)).body), newestFirst.slice(2));
  t.match(await ask('GET', `${path}?page[after]=nonsense`), { status: 400, body: { code: 'invalid_cursor' } });
  t.match(await ask('GET', `${path}?state=failed`), { status: 400, body: { errors: [{ pointer: '?state' }] } });
});

t.test('listSyncs with filters', async (t) => {
  const tenantId = await makeTenant(service);
  const path = `/v1/tenants/${tenantId}/syncs`;
  const ids: string[] = [];
  for (const mode of ['full', 'preview', 'full', 'preview', 'full']) {
    const { body } = await ask('POST', path, { body: { mode } });
    ids.unshift((await waitForRun(service, tenantId, body.id)).id);
  }
  const [a, b, c, d, e] = ids;
  await service.sql(`update sync_runs set status = 'failed', trigger = 'schedule' where id = any($1)`, [[a, d]]);
  await service.sql(`update sync_runs set status = 'canceled' where id = $1`, [c]);
  const listed = async (query: string, size = 100): Promise<string[]> => {
    const found: string[] = [];
    for (let next: string | null = `${path}?page[size]=${size}&${query}`; next !== null; ) {
      const { body }: Awaited<ReturnType<typeof ask>> = await ask('GET', next);
      found.push(...body.data.map(({ id }: { id: string }) => id));
      next = body.next_page;
    }
    return found;
  };
  for (const size of [1, 2, 100]) {
    t.strictSame(await listed('status=failed', size), [a, d]);
    t.strictSame(await listed('status=canceled,failed', size), [a, c, d]);
    t.strictSame(await listed('mode=preview', size), [b, d]);
    t.strictSame(await listed('trigger=schedule&mode=full', size), [a]);
    t.strictSame(await listed('trigger=request&status=succeeded,succeeded_with_warnings', size), [b, e]);
    t.strictSame(await listed('status=needs_review', size), []);
  }
  for (const [name, value] of [
    ['status', 'failed,lost'],
    ['status', 'failed,'],
    ['status', 'FAILED'],
    ['trigger', 'request,schedule'],
    ['mode', 'x'],
  ] as const) {
    const refused = await ask('GET', `${path}?${name}=${value}`);
    t.match(refused, { status: 400, body: { code: 'invalid_request', errors: [{ pointer: `?${name}` }] } }, value);
  }
  const { body: page } = await ask('GET', `${path}?status=failed&page[size]=1`);
  const cursor = new URL(page.next_page).searchParams.get('page[after]');
  t.match(
    await ask('GET', `${path}?status=canceled&page[after]=${cursor}`),
    { status: 400, body: { code: 'invalid_cursor' } },
    'a cursor belongs to its filters',
  );
  await service.sql(`update sync_runs set status = 'succeeded' where id = any($1)`, [[a, c, d]]);
});

t.test('every documented response of these operations occurred', async (t) => {
  t.strictSame(contract.listUnseen(OWNERS['syncs.test.ts'], isOwnOutcome), []);
});
