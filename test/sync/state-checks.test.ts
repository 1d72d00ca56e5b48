import type pg from 'pg';
import t from 'tap';
import { makeTenant, startTestService, syncTenant, type TestResponse } from '../helpers/service.js';
import { until } from '../helpers/until.js';

/** The schedule checks a state once for all its tenants, and starts runs only for those that have something to sync. */

type Body = TestResponse['body'];

const service = await startTestService(t, { role: 'api', simulator: { licenses: 60 } });
const worker = await startTestService(t, { beside: service, role: 'worker', timing: { sweepMs: 50 } });
const { ask, sql, simulator, newId } = service;
const { control, demo } = simulator;

const pathOf = (tenantId: string): string => `/v1/tenants/${tenantId}`;
const getSchedule = async (tenantId: string): Promise<Body> => (await ask('GET', `${pathOf(tenantId)}/schedule`)).body;
const countRuns = async (tenantId: string): Promise<number> =>
  (await sql('select from sync_runs where tenant_id = $1', [tenantId])).length;

/** Statements of the worker process that belong to checks, without those that only look for something due. */
const statements: string[] = [];
const LOOKS = /from "sync_runs"|"idempotency_keys"|"refused_usernames"|audit|"changes"|select distinct "state"/;
const recorded = new WeakSet<pg.PoolClient>();
worker.service.db.pool.on('acquire', (client) => {
  if (recorded.has(client)) return;
  recorded.add(client);
  const query = client.query.bind(client) as (...args: unknown[]) => unknown;
  let texts: string[] = [];
  const recording = (...args: unknown[]): unknown => {
    const [first] = args as [string | { text?: string }];
    const text = typeof first === 'string' ? first : (first.text ?? '');
    texts.push(text);
    if (!texts[0]?.startsWith('begin') || /^(commit|rollback)/.test(text)) {
      if (!texts.some((each) => LOOKS.test(each) && !/saveStateCheck|update schedules/.test(each)))
        statements.push(...texts);
      texts = [];
    }
    return query(...args);
  };
  Object.assign(client, { query: recording });
});

/** A tenant with a schedule, after its first sync. */
async function makeScheduled(strategy: 'one_per_license' | 'one_per_vendor' = 'one_per_license'): Promise<string> {
  const tenantId = await makeTenant(service, 'credential', strategy);
  const [{ license_number }] = (await ask('GET', `${pathOf(tenantId)}/available-licenses`)).body.data;
  const made = await ask('POST', `${pathOf(tenantId)}/licenses`, { body: { license_number } });
  if (made.status !== 201) throw new Error(JSON.stringify(made.body));
  await syncTenant(service, tenantId);
  return tenantId;
}

const makeDue = (...ids: readonly string[]): Promise<unknown> =>
  sql('update schedules set next_datetime = now() where tenant_id = any($1)', [ids]);
const isDue = async (tenantId: string): Promise<boolean> =>
  Date.parse((await getSchedule(tenantId)).next_datetime) <= Date.now();
const untilChecked = (tenantId: string): Promise<unknown> =>
  until('the state was checked', async () => !(await isDue(tenantId)));
/** As after an hour. */
const expireList = (): Promise<unknown> => sql(`update directories set refreshed_datetime = now() - interval '1 hour'`);

t.test('nothing new: one probe marks all tenants, due or not, without runs', async (t) => {
  const [one, two, later] = [await makeScheduled(), await makeScheduled('one_per_vendor'), await makeScheduled()];
  const runs = await Promise.all([one, two, later].map(countRuns));
  const before = await getSchedule(one);
  t.match(before, { last_synced_datetime: String });
  await expireList();
  const calls = control.counters().callsByAction;
  await makeDue(one, two);
  await untilChecked(one);
  await untilChecked(two);
  t.strictSame(await Promise.all([one, two, later].map(countRuns)), runs, 'no run');
  const schedules = await Promise.all([one, two, later].map(getSchedule));
  t.ok(
    schedules.every(({ last_synced_datetime }) => last_synced_datetime > before.last_synced_datetime),
    'the time of the check',
  );
  t.equal(new Set(schedules.map(({ next_datetime }) => next_datetime)).size, 1, 'they are due at the same time');
  const seconds = (Date.parse(schedules[0].next_datetime) - Date.now()) / 1_000;
  t.ok(seconds > 3_600 * 0.88 && seconds < 3_600 * 1.11, `${Math.round(seconds)} s`);
  t.match(control.counters().callsByAction, { sync_check: (calls.sync_check ?? 0) + 1 }, 'one probe');
  t.equal(control.counters().callsByAction.sync_vendor, calls.sync_vendor, 'the list is not read');
});

t.test('500 tenants: one probe and at most 30 statements', async (t) => {
  const leader = await makeScheduled();
  await sql(
    `create temp table clones as select gen_random_uuid() as id from generate_series(1, 499);
     insert into tenants (tenant_id, name, state, environment, inputs_revision, first_synced_datetime, first_synced_run_id)
       select c.id, 'Clone', state, environment, inputs_revision, null, null from tenants, clones c where tenant_id = '${leader}';
     insert into schedules (tenant_id, next_datetime, failures) select id, now() + interval '1 day', 0 from clones;
     insert into ubis (tenant_id, ubi, ubi_key) select c.id, ubi, ubi_key from ubis, clones c where tenant_id = '${leader}';
     insert into creation_preferences (tenant_id, strategy, include_labs)
       select c.id, strategy, include_labs from creation_preferences, clones c where tenant_id = '${leader}';
     insert into credentials (tenant_id, id, owner, description, username, username_key, sealed_password, status, checked_datetime, last_used_datetime)
       select c.id, gen_random_uuid(), owner, description, username, username_key, sealed_password, status, now(), now() + interval '1 minute'
         from credentials, clones c where tenant_id = '${leader}';
     insert into licenses (tenant_id, id, license_key, license_number, active, sync_enabled, create_companies, sync_rooms, notify_on_change, share_with_leaflink)
       select c.id, gen_random_uuid(), license_key, license_number, true, true, true, true, true, true from licenses, clones c where tenant_id = '${leader}';
     insert into sync_states (tenant_id, input_versions, counts, row_counts, object_totals, warnings, compared_datetime)
       select c.id, jsonb_set(input_versions, '{revision}', to_jsonb(t.inputs_revision)), counts, row_counts,
         '{"companies": 0, "activeCompanies": 0, "activeLicenses": 0, "listedLicenses": 0}', warnings, now()
         from sync_states s, clones c join tenants t on t.tenant_id = c.id where s.tenant_id = '${leader}';
     insert into sync_runs (tenant_id, id, trigger, mode, refresh, strategy, step, requested_by, status, counts, row_counts, directory_version, finished_datetime)
       select c.id, gen_random_uuid(), 'schedule', 'full', 'auto', strategy, 'done', 'schedule', 'succeeded', counts, row_counts, directory_version, now()
         from sync_runs, clones c where tenant_id = '${leader}';`,
  );
  const clones = (await sql<{ id: string }>(`select tenant_id as id from tenants where name = 'Clone'`)).map(
    ({ id }) => id,
  );
  t.equal(clones.length, 499);
  await expireList();
  const { sync_check: probes = 0 } = control.counters().callsByAction;
  const runs = (await sql('select from sync_runs')).length;
  await until('no check is in progress', async () => !(await isDue(leader)));
  statements.length = 0;
  await makeDue(leader, ...clones);
  await untilChecked(leader);
  const left = await until('no tenant is due', async () => {
    const due = await sql('select from schedules where next_datetime <= now()');
    return due.length === 0 ? 'none' : undefined;
  });
  t.equal(left, 'none');
  t.equal((control.counters().callsByAction.sync_check ?? 0) - probes, 1, 'one probe');
  t.equal((await sql('select from sync_runs')).length, runs, 'no run rows');
  t.comment(`500 tenants: ${statements.length} statements`);
  t.ok(statements.length > 5 && statements.length <= 30, `${statements.length} statements:\n${statements.join('\n')}`);
  await sql(`delete from tenants where name = 'Clone'`);
});

t.test('a new list: every due tenant gets a run', async (t) => {
  const [one, two] = [await makeScheduled(), await makeScheduled('one_per_vendor')];
  const runs = await Promise.all([one, two].map(countRuns));
  control.addSite({ ubi: '771000001', location: '99110001', name: 'NEW SITE' });
  await expireList();
  await makeDue(one, two);
  for (const [index, tenantId] of [one, two].entries()) {
    await until('a run', async () => (await countRuns(tenantId)) === (runs[index] ?? 0) + 1);
    const run = await until('it has ended', async () => {
      const [last] = (await ask('GET', `${pathOf(tenantId)}/syncs`)).body.data;
      return last.finished_datetime === null ? undefined : last;
    });
    t.match(run, { trigger: 'schedule', status: /^succeeded/, counts: { created: 1 } });
  }
});

t.test('a tenant with something of its own to sync gets a run', async (t) => {
  const cases: Readonly<Record<string, (tenantId: string) => Promise<unknown>>> = {
    'its last complete plan is older than a day': (tenantId) =>
      sql(`update sync_states set compared_datetime = now() - interval '25 hours' where tenant_id = $1`, [tenantId]),
    'its login was last checked a day ago': (tenantId) =>
      sql(`update credentials set checked_datetime = now() - interval '23 hours' where tenant_id = $1`, [tenantId]),
    'its inputs have changed': (tenantId) =>
      sql('update tenants set inputs_revision = inputs_revision + 1 where tenant_id = $1', [tenantId]),
    'its schedule counts a failure': (tenantId) =>
      sql('update schedules set failures = 1 where tenant_id = $1', [tenantId]),
    'its last run failed': (tenantId) =>
      sql(
        `insert into sync_runs (tenant_id, id, trigger, mode, refresh, strategy, step, requested_by, status, reason, finished_datetime)
         select tenant_id, $2, 'schedule', 'full', 'auto', strategy, 'done', 'schedule', 'failed', 'internal', now()
           from sync_runs where tenant_id = $1 limit 1`,
        [tenantId, newId()],
      ),
  };
  const calm = await makeScheduled();
  for (const [what, change] of Object.entries(cases)) {
    const tenantId = await makeScheduled();
    const calmRuns = await countRuns(calm);
    await change(tenantId);
    const runs = await countRuns(tenantId);
    await makeDue(tenantId, calm);
    await until(what, async () => (await countRuns(tenantId)) === runs + 1);
    await until('it has ended', async () => {
      const [last] = (await ask('GET', `${pathOf(tenantId)}/syncs`)).body.data;
      return /^succeeded/.test(last.status);
    });
    await untilChecked(calm);
    t.equal(await countRuns(calm), calmRuns, `${what}: only this tenant`);
    t.equal((await getSchedule(tenantId)).failures, 0);
  }
});

t.test('a login is checked daily, and an outage does not harm it', async (t) => {
  const tenantId = await makeScheduled();
  const [credential] = (await ask('GET', `${pathOf(tenantId)}/credentials`)).body.data;
  const one = `${pathOf(tenantId)}/credentials/${credential.id}`;
  const age = (): Promise<unknown> =>
    sql(`update credentials set checked_datetime = now() - interval '1 day' where id = $1`, [credential.id]);
  const runDue = async (): Promise<Body> => {
    const runs = await countRuns(tenantId);
    await makeDue(tenantId);
    return until('a run', async () => {
      if ((await countRuns(tenantId)) === runs) return undefined;
      const [last] = (await ask('GET', `${pathOf(tenantId)}/syncs`)).body.data;
      return last.finished_datetime === null ? undefined : last;
    });
  };
  await age();
  t.match(await runDue(), { status: /^succeeded/ });
  const checked = (await ask('GET', one)).body.checked_datetime;
  t.ok(Date.now() - Date.parse(checked) < 60_000, 'the login was checked');

  await age();
  const { ubi, username, password } = demo;
  control.changePassword({ ubi, username, password: 'another one' });
  t.match(
    await runDue(),
    { status: 'failed', reason: 'credentials_rejected' },
    'a login that broke is noticed within a day',
  );
  t.match(await getSchedule(tenantId), { status: 'paused', reason: 'credentials_rejected' });
  control.changePassword({ ubi, username, password });
  const etag = (await ask('GET', one)).headers.get('etag') ?? '';
  t.match(await ask('PATCH', one, { body: { password }, headers: { 'if-match': etag } }), {
    status: 200,
    body: { status: 'valid' },
  });

  await age();
  control.injectFault({ fault: 'server_error', action: 'login', times: 0 });
  t.match(await runDue(), { status: /^succeeded/ }, 'the list is fresh, so the run does not need the login');
  control.clearFaults();
  t.match((await ask('GET', one)).body, { status: 'valid' });
});

t.test('a paused tenant and one without a working login are not marked', async (t) => {
  const tenantId = await makeScheduled();
  const calm = await makeScheduled();
  await sql(
    `update schedules set paused_datetime = now(), paused_reason = 'list_empty', next_datetime = now() + interval '5 hours' where tenant_id = $1`,
    [tenantId],
  );
  const { last_synced_datetime } = await getSchedule(tenantId);
  await makeDue(calm);
  await untilChecked(calm);
  t.match(await getSchedule(tenantId), { status: 'paused', last_synced_datetime });
});

t.test('a login that the state refuses is not the last one that is tried', async (t) => {
  const tenants = [await makeScheduled(), await makeScheduled()];
  const [broken, working] = tenants as [string, string];
  const user = { ubi: demo.ubi, username: `leader-${newId()}`, password: 'first' };
  control.addUser(user);
  const made = await ask('POST', `${pathOf(broken)}/credentials`, {
    body: { owner: 'company', description: 'leads', username: user.username, password: user.password },
  });
  t.equal(made.status, 201);
  await sql(
    `update credentials set last_used_datetime = case when id = $1 then now() - interval '9 days' else now() end`,
    [made.body.id],
  );
  control.changePassword({ ubi: demo.ubi, username: user.username, password: 'second', endSessions: true });
  await expireList();
  const runs = await countRuns(working);
  await makeDue(...tenants);
  await untilChecked(working);
  t.equal(await countRuns(working), runs, 'the next login has checked the state');
  t.match((await ask('GET', `${pathOf(broken)}/credentials/${made.body.id}`)).body, { status: 'rejected' });
});
