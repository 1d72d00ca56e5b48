import { execFileSync } from 'node:child_process';
import process from 'node:process';
import { sql as statement } from 'kysely';
import t, { type Test } from 'tap';
import { withOperator, withTenant } from '../../src/db/database.js';
import type { StorageError } from '../../src/db/sqlstate.js';
import { sweepAbandonedRuns } from '../../src/modules/syncs/index.js';
import { IS_LONG, pickCount } from '../helpers/counts.js';
import { startTestServer, TEST_DATABASE_URL } from '../helpers/postgres.js';
import { drawRunCases, makeTwins, type RunCase, readRunState } from '../helpers/run-cases.js';
import { FIRST_PUT, makeTenant, startTestService, syncTenant, waitForRun } from '../helpers/service.js';
import { clearStalls, countSleeping, MOMENTS, type Moment, placeStalls, stallAt } from '../helpers/stalls.js';
import { PATIENCE_MS, until } from '../helpers/until.js';

/** Failures of the database: each has a name, recovers by itself, and leaves nothing half done. */

// A server of its own, since these tests crash it.
const server = await startTestServer();
process.env[TEST_DATABASE_URL] = server.url;
t.teardown(() => server.stop());

const service = await startTestService(t, {
  hasLine: true,
  databasePoolSize: 4,
  simulator: { licenses: 100, offersSyncCheck: false },
});
const { ask, sql } = service;
const { db, metrics } = service.service;

async function readCounter(part: string): Promise<number> {
  const lines = (await metrics.render())
    .split('\n')
    .filter((each) => each.startsWith('biotrack_connect_') && each.includes(part));
  return lines.reduce((total, each) => total + Number(each.slice(each.lastIndexOf(' ') + 1)), 0);
}

function createGate(): { readonly opened: Promise<void>; open(): void } {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

/** Waits until the service works again, and returns how long that took. */
async function untilWell(): Promise<number> {
  const startedAt = performance.now();
  await until('the service works again', async () => {
    const ready = await ask('GET', '/readyz', { key: null });
    return ready.status === 200 && (await ask('GET', '/v1/tenants')).status === 200;
  });
  return performance.now() - startedAt;
}

t.test('a transaction that loses against another one is retried', async (t) => {
  const tenantId = await makeTenant(service, 'preference');
  const before = await readCounter('database_retries_total');
  let isFirst = true;
  const both = [createGate(), createGate()] as const;
  const change = (order: readonly ('ubis' | 'creation_preferences')[], mine: 0 | 1): Promise<void> => {
    let attempt = 0;
    return withTenant(db, tenantId, async (tx) => {
      attempt += 1;
      for (const [index, table] of order.entries()) {
        await tx
          .updateTable(table)
          .set((eb) => ({ version: eb('version', '+', 1) }))
          .execute();
        if (index > 0 || attempt > 1) continue;
        both[mine].open();
        await both[1 - mine]?.opened;
      }
    });
  };
  await Promise.all([change(['ubis', 'creation_preferences'], 0), change(['creation_preferences', 'ubis'], 1)]);
  const [row] = await sql<{ ubi: number; preference: number }>(
    `select u.version as ubi, p.version as preference from ubis u join creation_preferences p using (tenant_id) where tenant_id = $1`,
    [tenantId],
  );
  t.strictSame(row, { ubi: 3, preference: 3 }, 'both transactions of a deadlock take effect, each once');
  // Either of the two may be the victim, and its second attempt may deadlock again.
  t.ok((await readCounter('database_retries_total{kind="deadlock"}')) >= 1, 'a deadlock was retried');

  const result = await withTenant(db, tenantId, async (tx) => {
    await tx
      .updateTable('ubis')
      .set((eb) => ({ version: eb('version', '+', 1) }))
      .execute();
    if (isFirst) {
      isFirst = false;
      await statement`do $$ begin raise exception using errcode = '40001'; end $$`.execute(tx);
    }
    return 'done';
  });
  t.equal(result, 'done');
  t.equal(await readCounter('kind="serialization_failure"'), 2, 'an error and a retry');
  t.ok((await readCounter('database_retries_total')) > before);
  await t.rejects(
    withTenant(db, tenantId, (tx) =>
      statement`do $$ begin raise exception using errcode = '40001'; end $$`.execute(tx),
    ),
    { code: '40001' },
    'not without end',
  );
});

t.test('a full disk', async (t) => {
  const tenantId = await makeTenant(service);
  await sql(
    `create function full_disk() returns trigger language plpgsql as $$ begin raise exception using errcode = '53100'; end $$`,
  );
  for (const table of ['licenses', 'ubis', 'companies', 'directory_licenses'])
    await sql(
      `create trigger full_disk before insert or update on ${table} for each statement execute function full_disk()`,
    );
  const refused = await ask('PUT', `/v1/tenants/${tenantId}/ubi`, {
    body: { ubi: '1' },
    headers: { 'if-match': '"1", "2", "3"' },
  });
  t.match(refused, { status: 503, body: { code: 'storage_unavailable' } });
  t.match(refused.headers.get('retry-after'), /^\d+$/);
  t.equal((await ask('GET', `/v1/tenants/${tenantId}/ubi`)).status, 200, 'reads still work');
  const run = await syncTenant(service, tenantId, { refresh: 'force' });
  t.match(run, { status: 'failed', reason: 'storage_unavailable' });
  t.ok((await readCounter('database_errors_total{kind="disk_full"}')) >= 2);
  await sql('drop function full_disk cascade');
  t.match((await syncTenant(service, tenantId)).status, /^succeeded/, 'recovers when there is room again');
});

/** The codes of Postgres. An unknown commit has no code, and its own test. */
const CODES: Readonly<Record<Exclude<StorageError, 'commit_unknown'>, string>> = {
  unreachable: '08006',
  shutting_down: '57P01',
  too_many_connections: '53300',
  disk_full: '53100',
  out_of_resources: '53200',
  system_error: '58030',
  lock_timeout: '55P03',
  idle_timeout: '25P03',
  deadlock: '40P01',
  serialization_failure: '40001',
};

t.test('every database error has its counter, and the same response', async (t) => {
  const tenantId = await makeTenant(service, 'ubi');
  for (const [kind, code] of Object.entries(CODES)) {
    const before = await readCounter(`database_errors_total{kind="${kind}"}`);
    await sql(`create function broken() returns trigger language plpgsql as
      $$ begin raise exception using errcode = '${code}'; end $$`);
    await sql('create trigger broken before update on ubis for each statement execute function broken()');
    const { status, headers, body } = await ask('PUT', `/v1/tenants/${tenantId}/ubi`, {
      body: { ubi: '1' },
      headers: { 'if-match': '"1"' },
    });
    await sql('drop function broken cascade');
    t.match({ status, body }, { status: 503, body: { code: 'storage_unavailable' } }, kind);
    t.match(headers.get('retry-after'), /^\d+$/);
    t.ok((await readCounter(`database_errors_total{kind="${kind}"}`)) > before, `${kind} is counted`);
  }
  t.equal((await ask('GET', `/v1/tenants/${tenantId}/ubi`)).body.etag, '"1"', 'nothing was changed');
});

t.test('too few connections', async (t) => {
  const tenantId = await makeTenant(service, 'ubi');
  await sql('select 1');
  const holder = sql(
    `begin; select from tenants where tenant_id = '${tenantId}' for update; select pg_sleep(9); commit`,
  );
  await until('the lock is held', async () => (await countSleeping(service)) === 1);
  const waiting = Array.from({ length: 12 }, (_each, index) =>
    ask('PUT', `/v1/tenants/${tenantId}/ubi`, { body: { ubi: `${index}` }, headers: { 'if-match': '"1"' } }),
  );
  const answers = await Promise.all(waiting);
  await holder;
  t.strictSame(
    [...new Set(answers.map(({ status }) => status))].sort(),
    [200, 409, 412, 503].filter((status) => answers.some((each) => each.status === status)),
  );
  t.ok(answers.every(({ status, body }) => status !== 503 || body.code === 'storage_unavailable'));
  t.ok(answers.every(({ status, body }) => status !== 409 || body.code === 'sync_in_progress'));
  t.ok(
    answers.filter(({ status }) => status === 409 || status === 503).length >= 4,
    'requests that would wait too long are rejected',
  );
  t.ok(
    (await readCounter('database_errors_total{kind="too_many_connections"}')) +
      (await readCounter('database_errors_total{kind="lock_timeout"}')) >
      0,
  );
  t.ok((await untilWell()) < PATIENCE_MS);
});

t.test('a connection that stops responding', async (t) => {
  const other = await startTestService(t, {
    beside: service,
    role: 'api',
    hasLine: true,
    timing: { databaseSilenceMs: 1_500 },
  });
  t.equal((await other.ask('GET', '/v1/tenants')).status, 200);
  other.line.hang();
  const startedAt = performance.now();
  const { status, body } = await other.ask('GET', '/v1/tenants');
  t.match({ status, body }, { status: 503, body: { code: 'storage_unavailable' } });
  t.ok(performance.now() - startedAt < PATIENCE_MS);
  await other.line.restore();
  let again = 0;
  for (const until = Date.now() + PATIENCE_MS; again !== 200 && Date.now() < until; )
    again = (await other.ask('GET', '/v1/tenants')).status;
  t.equal(again, 200);
});

t.test('work between two statements is not silence', async (t) => {
  const { service: slow } = await startTestService(t, {
    beside: service,
    role: 'api',
    timing: { databaseSilenceMs: 200 },
  });
  const rows = await withOperator(slow.db, async (tx) => {
    await statement`select 1`.execute(tx);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    return (await statement<{ two: number }>`select 2 as two`.execute(tx)).rows;
  });
  t.strictSame(rows, [{ two: 2 }]);
  await t.rejects(
    withOperator(slow.db, (tx) => statement`select pg_sleep(5)`.execute(tx)),
    /silent for 200 ms/,
  );
});

t.test('a worker with half-open connections executes runs again', async (t) => {
  const api = await startTestService(t, { role: 'api', simulator: { licenses: 60 } });
  const worker = await startTestService(t, {
    beside: api,
    role: 'worker',
    hasLine: true,
    timing: { databaseSilenceMs: 1_500 },
  });
  const tenantId = await makeTenant(api);
  t.match((await syncTenant(api, tenantId)).status, /^succeeded/);
  worker.line.strand();
  const startedAt = performance.now();
  t.match((await syncTenant(api, tenantId)).status, /^succeeded/);
  const seconds = (performance.now() - startedAt) / 1_000;
  t.ok(seconds < PATIENCE_MS / 1_000, `${seconds.toFixed(1)} s`);
  t.comment(`the next run of a worker with half-open connections ended after ${seconds.toFixed(1)} s`);
});

t.test('a lost response to a commit is not reported as a rejection', async (t) => {
  // Without a worker, whose commits could be the one that is lost.
  const api = await startTestService(t, { beside: service, role: 'api', hasLine: true });
  const id = service.newId();
  const body = { name: 'Lost', state: 'NM', environment: 'production' };
  // The caller is authenticated in a transaction of its own.
  api.line.loseCommit(1);
  const lost = await api.ask('PUT', `/v1/tenants/${id}`, { body, headers: FIRST_PUT });
  t.ok(api.line.hasLostCommit);
  t.match(lost, {
    status: 503,
    body: { code: 'storage_unavailable', detail: /unknown whether the changes were saved/ },
  });
  t.match(await api.ask('GET', `/v1/tenants/${id}`), { status: 200, body: { name: 'Lost' } }, 'it was committed');
  t.equal((await api.ask('PUT', `/v1/tenants/${id}`, { body, headers: FIRST_PUT })).status, 412, 'and is not repeated');
  t.equal((await sql('select from audit where tenant_id = $1', [id])).length, 1);
  t.match(await api.service.metrics.render(), /^biotrack_connect_database_commits_unknown_total 1$/m);
});

t.test('a lost response to any commit of a run', { timeout: 300_000 }, async (t) => {
  const api = await startTestService(t, { role: 'api', simulator: { licenses: 60, offersSyncCheck: false } });
  const worker = await startTestService(t, {
    beside: api,
    role: 'worker',
    hasLine: true,
    // No other commit may be the one that is lost, so this test sweeps by itself.
    timing: { sweepMs: 3_600_000, runs: { attempts: 5, baseSeconds: 0.2, maxSeconds: 0.5 } },
  });
  const { control } = api.simulator;
  let lost = 0;
  for (let isLost = true; isLost; lost += isLost ? 1 : 0) {
    control.addVendor({ name: `New ${lost}`, sites: 1 });
    const tenantId = await makeTenant(api);
    worker.line.loseCommit(lost);
    const { body } = await api.ask('POST', `/v1/tenants/${tenantId}/syncs`, { body: { refresh: 'force' } });
    const sweeping = setInterval(() => void sweepAbandonedRuns(api.service.db), 250);
    const run = await waitForRun(api, tenantId, body.id).finally(() => clearInterval(sweeping));
    isLost = worker.line.hasLostCommit;
    worker.line.loseCommit(Number.POSITIVE_INFINITY);
    const state = await readRunState(api, tenantId);
    const twin = await makeTenant(api);
    t.match((await syncTenant(api, twin)).status, /^succeeded/);
    t.match(run, { status: /^succeeded/ }, `commit ${lost}`);
    t.strictSame(state, await readRunState(api, twin), `commit ${lost}: applied once`);
  }
  t.ok(lost >= 4, 'at least a claim, a login, a list and a result');
  t.comment(`${lost} commits of a run, the response to each of them lost: every run was applied once`);
});

t.test('crashes of Postgres', { timeout: IS_LONG ? 3_000_000 : 400_000 }, async (t) => {
  const rounds = pickCount({ few: 3, full: 3, long: 100 });
  const recoveries: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const tenantId = await makeTenant(service, 'preference');
    const calls = Array.from({ length: 4 }, () => ask('GET', `/v1/tenants/${tenantId}/setup`));
    const [backend] = await sql<{ pid: number }>(
      `select pid from pg_stat_activity where application_name = 'biotrack-connect' order by random() limit 1`,
    );
    if (backend === undefined) throw new Error('no connection');
    execFileSync('kill', ['-9', String(backend.pid)]);
    for (const { status } of await Promise.all(calls)) t.ok(status === 200 || status === 503, `${status}`);
    recoveries.push(await untilWell());
  }
  t.ok(Math.max(...recoveries) < PATIENCE_MS, `recovered within ${Math.round(Math.max(...recoveries))} ms`);
  t.comment(`${rounds} crashes, the slowest recovery ${Math.round(Math.max(...recoveries))} ms, the same process`);
  const tenantId = await makeTenant(service);
  t.match((await syncTenant(service, tenantId)).status, /^succeeded/, 'the queue has recovered too');
});

t.test('Postgres crashes at every step of a run', { timeout: IS_LONG ? 1_800_000 : 400_000 }, async (t) => {
  const durations = new Map<Moment, number[]>(MOMENTS.map((moment) => [moment, []]));
  for (const [round, drawn] of drawRunCases(pickCount({ few: 1, full: 1, long: 4 })).entries()) {
    t.comment(drawn.title);
    await t.test(drawn.title, { timeout: 400_000 }, async (t) => {
      for (const [moment, seconds] of await crashAtEveryStep(t, drawn, round)) durations.get(moment)?.push(seconds);
    });
  }
  for (const [moment, seconds] of durations) {
    t.ok(seconds.length > 0 && Math.max(...seconds) < PATIENCE_MS / 1_000, `${moment}: ended in time`);
    t.comment(`${moment}: ended ${seconds.map((each) => each.toFixed(1)).join(', ')} s after the crash`);
  }
});

/** @returns how many seconds after the crash the runs had ended */
async function crashAtEveryStep(t: Test, drawn: RunCase, round: number): Promise<[Moment, number][]> {
  const timing = { runs: { attempts: 5, baseSeconds: 0.5, maxSeconds: 1 }, sweepMs: 200 };
  const other = await startTestService(t, { simulator: drawn.simulator, timing });
  const { control } = other.simulator;
  const tenants = await makeTwins(other, drawn, MOMENTS.length + 1);
  const undisturbed = tenants.pop() as string;
  const before = await readRunState(other, undisturbed);
  t.match(await syncTenant(other, undisturbed, { refresh: 'force' }), { status: /^succeeded/ });
  const wanted = await readRunState(other, undisturbed);
  t.notSame(wanted, before, 'the run has something to do');
  await placeStalls(other);
  const start = async (tenantId: string, refresh: 'auto' | 'force'): Promise<string> =>
    (await other.ask('POST', `/v1/tenants/${tenantId}/syncs`, { body: { refresh } })).body.id;

  // Two workers, so that a run can be held at each step at the same time.
  await startTestService(t, { beside: other, role: 'worker', timing });

  const held: { moment: Moment; tenantId: string; runId: string }[] = [];
  for (const moment of MOMENTS.filter((each) => each !== 'fetching')) {
    const tenantId = tenants.pop() as string;
    await stallAt(other, tenantId, moment, 'sleep');
    held.push({ moment, tenantId, runId: await start(tenantId, 'auto') });
  }
  await until('all are held', async () => (await countSleeping(other)) === held.length);
  // The last one, since later runs wait for it.
  const asking = tenants.pop() as string;
  control.injectFault({ fault: 'slow_first_byte', action: 'sync_vendor', delayMs: 2_000, times: 1 });
  held.push({ moment: 'fetching', tenantId: asking, runId: await start(asking, 'force') });
  await until('a list call', async () => control.counters().listCallsInFlight > 0);
  await clearStalls(other);
  const [backend] = await other.sql<{ pid: number }>(
    `select pid from pg_stat_activity where wait_event = 'PgSleep' order by pid offset ${round} limit 1`,
  );
  execFileSync('kill', ['-9', String(backend?.pid)]);
  const crashedAt = performance.now();
  // Postgres takes a moment to notice the crash, and another one to recover.
  await until('Postgres is back', () =>
    other.sql('select from pg_stat_activity where pid = $1', [backend?.pid]).then(
      ({ length }) => length === 0,
      () => false,
    ),
  );
  for (const { moment, tenantId } of held) {
    const state = await readRunState(other, tenantId);
    const isWhole = [before, wanted].some((each) => JSON.stringify(each) === JSON.stringify(state));
    t.ok(isWhole, `${moment}: the state before or after, nothing between`);
  }
  const durations = await Promise.all(
    held.map(async ({ moment, tenantId, runId }): Promise<[Moment, number]> => {
      t.match(await waitForRun(other, tenantId, runId), { status: /^succeeded/ }, moment);
      const seconds = (performance.now() - crashedAt) / 1_000;
      t.strictSame(await readRunState(other, tenantId), wanted, `${moment}: applied once, by the same process`);
      return [moment, seconds];
    }),
  );
  t.equal(
    (await other.sql(`select from sync_runs where status in ('queued', 'running')`)).length,
    0,
    'no run is stuck',
  );
  return durations;
}
