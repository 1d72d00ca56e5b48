import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import t from 'tap';
import { isOwnOutcome, OWNERS } from '../helpers/contract.js';
import { makeTenant, startTestService, syncTenant, type TestResponse, waitForRun } from '../helpers/service.js';
import { until } from '../helpers/until.js';

/** Scheduled runs. */

const service = await startTestService(t, {
  simulator: { licenses: 100, offersSyncCheck: false },
  timing: {
    timeouts: { connectMs: 1_000, headersMs: 30_000, listMs: 30_000, shortMs: 5_000 },
    retry: { attempts: 1, baseMs: 1, maxMs: 1 },
    circuit: { failures: 1_000_000, openMs: 1 },
    runs: { attempts: 3, baseSeconds: 0.2, maxSeconds: 1 },
    sweepMs: 100,
  },
});
const { ask, sql, simulator, contract } = service;
const { control, demo } = simulator;

type Body = TestResponse['body'];

const start = async (tenantId: string, body: object = { refresh: 'force' }): Promise<Body> =>
  (await ask('POST', `/v1/tenants/${tenantId}/syncs`, { body })).body;
/** Without it, a check of the state would find that there is nothing to sync. */
const requireRun = (tenantId: string): Promise<unknown> =>
  sql(`update sync_states set compared_datetime = now() - interval '2 days' where tenant_id = $1`, [tenantId]);

t.test('getSchedule and resumeSchedule', async (t) => {
  const tenantId = await makeTenant(service);
  const path = `/v1/tenants/${tenantId}`;
  const schedule = async (): Promise<Body> => (await ask('GET', `${path}/schedule`)).body;
  const makeDue = async (): Promise<void> => {
    await requireRun(tenantId);
    await sql('update schedules set next_datetime = now() where tenant_id = $1', [tenantId]);
  };
  const runs = async (): Promise<Body[]> => (await ask('GET', `${path}/syncs`)).body.data;
  const untilScheduled = (than: number): Promise<Body> =>
    until('a scheduled run', async () => {
      const all = await runs();
      return all.length > than && !['queued', 'running'].includes(all[0].status) ? all[0] : undefined;
    });

  t.match(await schedule(), { status: 'not_started', interval_seconds: 3_600, next_datetime: null });
  t.equal((await ask('POST', `${path}/schedule/resume`)).status, 404);
  await syncTenant(service, tenantId);
  t.match(await schedule(), { status: 'not_started' }, 'no license creates companies');
  const [{ license_number }, other] = (await ask('GET', `${path}/available-licenses`)).body.data;
  t.equal((await ask('POST', `${path}/licenses`, { body: { license_number } })).status, 201);
  const begun = await schedule();
  t.match(begun, { status: 'running', failures: 0, reason: null, resume_message: null });
  const inSeconds = (Date.parse(begun.next_datetime) - Date.now()) / 1_000;
  t.ok(inSeconds > 3_600 * 0.89 && inSeconds < 3_600 * 1.11, `plus or minus 10%: ${Math.round(inSeconds)} s`);

  await makeDue();
  t.match(await untilScheduled((await runs()).length), { status: /^succeeded/, trigger: 'schedule' });
  t.equal((await ask('POST', `${path}/schedule/resume`)).status, 200, 'no effect if it is not paused');

  const { ubi, username, password } = demo;
  control.changePassword({ ubi, username, password: 'another one' });
  await sql(`update directories set refreshed_datetime = now() - interval '1 day'`);
  await makeDue();
  t.match(await untilScheduled((await runs()).length), {
    status: 'failed',
    reason: 'credentials_rejected',
    attempt: 1,
  });
  t.match(await schedule(), {
    status: 'paused',
    reason: 'credentials_rejected',
    next_datetime: null,
    resume_message: { text: /resumes automatically/ },
  });
  const many = (await runs()).length;
  await pause(500);
  t.equal((await runs()).length, many, 'no run while the login is rejected');
  const [credential] = (await ask('GET', `${path}/credentials`)).body.data;
  const etag = (await ask('GET', `${path}/credentials/${credential.id}`)).headers.get('etag') as string;
  const corrected = await ask('PATCH', `${path}/credentials/${credential.id}`, {
    headers: { 'if-match': etag },
    body: { password: 'another one' },
  });
  t.equal(corrected.status, 200);
  t.match(
    await untilScheduled(many),
    { status: /^succeeded/, trigger: 'schedule' },
    'a corrected login resumes the schedule',
  );
  t.match(await schedule(), { status: 'running', failures: 0 });
  control.changePassword({ ubi, username, password });
  await sql(`update credentials set status = 'rejected' where tenant_id = $1`, [tenantId]);
  const back = (await ask('GET', `${path}/credentials/${credential.id}`)).headers.get('etag') as string;
  await ask('PATCH', `${path}/credentials/${credential.id}`, { headers: { 'if-match': back }, body: { password } });

  control.injectFault({ fault: 'missing_list', action: 'sync_vendor', times: 0 });
  for (let failure = 1; failure <= 3; failure += 1) {
    t.match(await syncTenant(service, tenantId, { refresh: 'force' }), { status: 'failed', reason: 'list_empty' });
    t.match(await schedule(), { failures: failure, status: failure < 3 ? 'running' : 'paused' });
  }
  control.clearFaults();
  const paused = await schedule();
  t.match(paused, { reason: 'list_empty', resume_message: { text: /once a day/ } });
  t.ok((Date.parse(paused.next_datetime) - Date.now()) / 3_600_000 > 20, 'retried once a day');
  const before = (await runs()).length;
  await requireRun(tenantId);
  t.match(await ask('POST', `${path}/schedule/resume`), {
    status: 200,
    body: { status: 'running', failures: 0, reason: null },
  });
  t.match(await untilScheduled(before), { status: /^succeeded/, trigger: 'schedule' });

  const second = await startTestService(t, { beside: service, role: 'worker', timing: { sweepMs: 50 } });
  for (let round = 0; round < 5; round += 1) {
    const count = (await runs()).length;
    await makeDue();
    await untilScheduled(count);
    await pause(250);
    t.equal((await runs()).length, count + 1, 'one of two processes starts the run, once');
  }
  await second.stop();

  await sql('update licenses set create_companies = false where tenant_id = $1', [tenantId]);
  await makeDue();
  await until('gone', async () => ((await schedule()).status === 'not_started' ? true : undefined));
  t.equal((await ask('POST', `${path}/licenses`, { body: { license_number: other.license_number } })).status, 201);
  t.match(await schedule(), { status: 'running' }, 'starts again with a license that creates companies');
  const gone = async (what: string): Promise<void> => {
    await makeDue();
    t.ok(await until(what, async () => ((await schedule()).status === 'not_started' ? true : undefined)), what);
  };
  const licenses = (await ask('GET', `${path}/licenses`)).body.data;
  const { id } = licenses.find((each: Body) => each.license_number === other.license_number);
  const patch = async (body: object): Promise<number> => {
    const { headers } = await ask('GET', `${path}/licenses/${id}`);
    const headersOf = { 'if-match': headers.get('etag') as string };
    return (await ask('PATCH', `${path}/licenses/${id}`, { body, headers: headersOf })).status;
  };
  t.equal(await patch({ sync_enabled: false }), 200);
  await gone('no license is synced');
  t.equal(await patch({ sync_enabled: true }), 200);
  t.match(await schedule(), { status: 'running' });
  t.equal(await patch({ archived: true }), 200);
  await gone('the license is archived');
});

t.test('a failed first sync is retried by the schedule', async (t) => {
  const tenantId = await makeTenant(service);
  const path = `/v1/tenants/${tenantId}`;
  const [{ license_number }] = (await ask('GET', `${path}/available-licenses`)).body.data;
  await sql(
    `create function fail() returns trigger language plpgsql as $$ begin
       if new.tenant_id = '${tenantId}' then raise exception 'simulated failure'; end if;
       return new;
     end $$`,
  );
  await sql('create trigger fail before insert on companies for each row execute function fail()');
  t.equal((await ask('POST', `${path}/licenses`, { body: { license_number } })).status, 201);
  const [first] = (await ask('GET', `${path}/syncs`)).body.data;
  t.match(first, { trigger: 'setup_completed' });
  t.match(await waitForRun(service, tenantId, first.id), { status: 'failed', reason: 'internal' });
  await sql('drop function fail cascade');
  t.match((await ask('GET', `${path}/schedule`)).body, { status: 'running', failures: 1, next_datetime: String });
  await sql('update schedules set next_datetime = now() where tenant_id = $1', [tenantId]);
  const next = await until('a scheduled run', async () => {
    const [run] = (await ask('GET', `${path}/syncs`)).body.data;
    return run.id === first.id || run.finished_datetime === null ? undefined : run;
  });
  t.match(next, { status: /^succeeded/, trigger: 'schedule' });
});

t.test('a login that is corrected during a run does not pause the schedule', async (t) => {
  const tenantId = await makeTenant(service);
  const path = `/v1/tenants/${tenantId}`;
  const [{ license_number }] = (await ask('GET', `${path}/available-licenses`)).body.data;
  t.equal((await ask('POST', `${path}/licenses`, { body: { license_number } })).status, 201);
  const [first] = (await ask('GET', `${path}/syncs`)).body.data;
  t.match(await waitForRun(service, tenantId, first.id), { status: /^succeeded/ });
  const { ubi, username, password } = demo;
  control.changePassword({ ubi, username, password: 'changed', endSessions: true });
  control.injectFault({ fault: 'slow_first_byte', action: 'login', delayMs: 1_500, times: 1 });
  const { id } = await start(tenantId);
  await until('asked', async () => (control.counters().callsInFlight > 0 ? true : undefined));
  const [credential] = (await ask('GET', `${path}/credentials`)).body.data;
  const etag = (await ask('GET', `${path}/credentials/${credential.id}`)).headers.get('etag') as string;
  const body = { password: 'changed' };
  t.match(await ask('PATCH', `${path}/credentials/${credential.id}`, { body, headers: { 'if-match': etag } }), {
    status: 200,
    body: { status: 'valid' },
  });
  t.match(await waitForRun(service, tenantId, id), { status: 'failed', reason: 'credentials_rejected' });
  const next = await until('the next scheduled run', async () => {
    const [run] = (await ask('GET', `${path}/syncs`)).body.data;
    return run.id === id || run.finished_datetime === null ? undefined : run;
  });
  t.match(next, { status: /^succeeded/, trigger: 'schedule' });
  t.match((await ask('GET', `${path}/schedule`)).body, { status: 'running', failures: 0 });
  control.changePassword({ ubi, username, password });
});

t.test('a locked tenant does not delay the scheduled runs of others', async (t) => {
  const due: string[] = [];
  while (due.length < 2) {
    const tenantId = await makeTenant(service);
    const [{ license_number }] = (await ask('GET', `/v1/tenants/${tenantId}/available-licenses`)).body.data;
    await ask('POST', `/v1/tenants/${tenantId}/licenses`, { body: { license_number } });
    const [first] = (await ask('GET', `/v1/tenants/${tenantId}/syncs`)).body.data;
    await waitForRun(service, tenantId, first.id);
    due.push(tenantId);
  }
  const [locked, free] = due as [string, string];
  const holder = new pg.Client({ connectionString: service.databaseUrl });
  await holder.connect();
  await holder.query('begin');
  await holder.query('select from tenants where tenant_id = $1 for no key update', [locked]);
  for (const tenantId of due) await requireRun(tenantId);
  await sql(`update schedules set next_datetime = now() - interval '1 minute' where tenant_id = $1`, [locked]);
  await sql('update schedules set next_datetime = now() where tenant_id = $1', [free]);
  const untilScheduled = (tenantId: string): Promise<Body> =>
    until('a scheduled run', async () => {
      const [run] = (await ask('GET', `/v1/tenants/${tenantId}/syncs`)).body.data;
      return run.trigger === 'schedule' ? run : undefined;
    });
  let waiting = 0;
  const watching = setInterval(async () => {
    const rows = await sql(
      `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    ).catch(() => []);
    waiting = Math.max(waiting, rows.length);
  }, 50);
  await untilScheduled(free);
  clearInterval(watching);
  t.equal(waiting, 0, 'the scheduler does not wait for the lock');
  await holder.query('commit');
  await holder.end();
  await untilScheduled(locked);
});

t.test('every documented response of these operations occurred', async (t) => {
  t.strictSame(contract.listUnseen(OWNERS['schedules.test.ts'], isOwnOutcome), []);
});
