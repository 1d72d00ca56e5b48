import process from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { makeTenant, startTestService, syncTenant, waitForRun } from '../helpers/service.js';
import { clearStalls, MOMENTS, placeStalls, stallAt } from '../helpers/stalls.js';

/** What happens to a run at each of its steps: an error is thrown. State before or after, no other. */

const service = await startTestService(t, {
  simulator: { licenses: 60, offersSyncCheck: false },
  patience: { runs: { attempts: 5, baseSeconds: 0.5, mostSeconds: 1 }, sweepMs: 200 },
});
const { ask, sql, simulator } = service;
const IS_LONG = process.env.TEST_LONG === '1';
const NOTHING = { companies: 0, licenses: 0, changes: 0 };

async function readState(tenantId: string): Promise<Record<string, number> | undefined> {
  const [row] = await sql<Record<string, number>>(
    `select (select count(*)::int from companies where tenant_id = $1) as companies,
            (select count(*)::int from company_licenses where tenant_id = $1) as licenses,
            (select count(*)::int from changes where tenant_id = $1) as changes`,
    [tenantId],
  );
  return row;
}

const example = await makeTenant(service);
await syncTenant(service, example);
const wanted = await readState(example);
await placeStalls(service);

t.test('an error at every step', async (t) => {
  for (const moment of MOMENTS) {
    const tenantId = await makeTenant(service);
    if (moment === 'fetching') {
      simulator.control.injectFault({ fault: 'missing_list', action: 'sync_vendor', times: 1 });
    } else await stallAt(service, tenantId, moment, 'throw');
    const { body } = await ask('POST', `/v1/tenants/${tenantId}/syncs`, { body: { refresh: 'force' } });
    if (moment === 'queued') {
      // Nobody can take it up, so it stays where it is until somebody can.
      await pause(500);
      t.match((await ask('GET', `/v1/tenants/${tenantId}/syncs/${body.id}`)).body, { status: 'queued', attempt: 0 });
    } else {
      const run = await waitForRun(service, tenantId, body.id);
      t.match(run, { status: 'failed', reason: moment === 'fetching' ? 'list_empty' : 'internal' }, moment);
    }
    t.strictSame(await readState(tenantId), NOTHING, `${moment}: nothing was changed`);
    await clearStalls(service);
    t.match(await syncTenant(service, tenantId), { status: /^succeeded/ }, `${moment}: and the next one does it`);
    t.strictSame(await readState(tenantId), wanted, `${moment}: once`);
  }
});

/** What the state was asked while something was done. */
async function countCalls(work: () => Promise<unknown>): Promise<{ lists: number; logins: number }> {
  const before = simulator.control.counters();
  await work();
  const after = simulator.control.counters();
  return { lists: after.listCalls - before.listCalls, logins: after.logins - before.logins };
}

const startRun = async (tenantId: string, refresh: 'auto' | 'force'): Promise<string> => {
  const { status, body } = await ask('POST', `/v1/tenants/${tenantId}/syncs`, { body: { refresh } });
  if (status !== 202) throw new Error(`${status} ${JSON.stringify(body)}`);
  return body.id;
};

t.test('fifty at once are one run', async (t) => {
  const rounds = IS_LONG ? 20 : 2;
  const tenantId = await makeTenant(service);
  for (let round = 0; round < rounds; round += 1) {
    // Not answered before all have asked: who asks when the run has ended begins another one, and may.
    simulator.control.injectFault({ fault: 'slow_first_byte', action: 'sync_vendor', delayMs: 1_500, times: 1 });
    let hasEnded = false;
    const calls = await countCalls(async () => {
      const asking = Array.from({ length: 50 }, () => startRun(tenantId, 'force'));
      const ids = new Set(await Promise.all(asking));
      const [id = ''] = ids;
      t.equal(ids.size, 1, 'one run');
      hasEnded = (await ask('GET', `/v1/tenants/${tenantId}/syncs/${id}`)).body.finished_datetime !== null;
      t.match(await waitForRun(service, tenantId, id), { status: /^succeeded/, attempt: 1 });
    });
    t.notOk(hasEnded);
    t.strictSame(calls, { lists: 1, logins: 1 });
  }
  t.comment(`${rounds} × 50 requests: a run, a login and a list call each`);
});

t.test('a state is asked once for all of its tenants, and none of them holds up the others', async (t) => {
  const many = IS_LONG ? 500 : 30;
  const tenants: string[] = [];
  while (tenants.length < many) {
    tenants.push(...(await Promise.all(Array.from({ length: 10 }, () => makeTenant(service)))));
  }
  const syncAll = async (): Promise<void> => {
    const runs: string[] = [];
    while (runs.length < many) {
      const some = tenants.slice(runs.length, runs.length + 50);
      runs.push(...(await Promise.all(some.map((tenantId) => startRun(tenantId, 'auto')))));
    }
    // Not each by itself: that would be most of the work.
    const readStatuses = async (): Promise<string[]> => {
      const found = await sql<{ status: string }>('select distinct status from sync_runs where id = any ($1)', [runs]);
      return found.map(({ status }) => status);
    };
    let statuses = await readStatuses();
    for (; statuses.some((status) => ['queued', 'running'].includes(status)); statuses = await readStatuses()) {
      await pause(50);
    }
    t.strictSame(statuses, ['succeeded']);
  };
  const age = (): Promise<unknown> => sql(`update directories set refreshed_datetime = now() - interval '1 hour'`);
  await age();
  t.strictSame(await countCalls(syncAll), { lists: 1, logins: 1 }, 'all of them for the first time');
  const rows = await sql('select xmin, ctid, id from companies order by id');
  await age();
  t.strictSame(await countCalls(syncAll), { lists: 1, logins: 1 }, 'and when their list is old');
  t.strictSame(await sql('select xmin, ctid, id from companies order by id'), rows, 'which writes no row');
  t.strictSame(await countCalls(syncAll), { lists: 0, logins: 0 }, 'and not at all while it is young');

  const [slow, poisoned] = [await makeTenant(service), await makeTenant(service)];
  await stallAt(service, slow, 'applying', 'sleep');
  await stallAt(service, poisoned, 'applying', 'throw');
  const [standing, failing] = [await startRun(slow, 'auto'), await startRun(poisoned, 'auto')];
  await syncAll();
  t.match(await waitForRun(service, poisoned, failing), { status: 'failed', reason: 'internal' });
  t.match(
    (await ask('GET', `/v1/tenants/${slow}/syncs/${standing}`)).body,
    { status: 'running' },
    'it stands there yet',
  );
  await clearStalls(service);
  await sql(
    `select pg_cancel_backend(pid) from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'`,
  );
  await waitForRun(service, slow, standing);
  t.comment(`${many} tenants: a list call and a login a refresh`);
});
