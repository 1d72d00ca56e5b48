import { setTimeout as pause } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { withTenant } from '../../src/db/database.js';
import { queueRun } from '../../src/modules/syncs/service.js';
import { pickCount } from '../helpers/counts.js';
import { drawRunCases, makeTwins, readRunState } from '../helpers/run-cases.js';
import { makeTenant, startTestService, syncTenant, type TestService, waitForRun } from '../helpers/service.js';
import { clearStalls, MOMENTS, type Moment, placeStalls, stallAt } from '../helpers/stalls.js';

/** Errors at each step of a run leave the state before or after, never one between; and runs that share a state. */

/** As in `service.ts`. */
const WORKER_CONCURRENCY = 4;
const timing = { runs: { attempts: 5, baseSeconds: 0.5, maxSeconds: 1 }, sweepMs: 200 };

t.test('an error at every step', { timeout: 600_000 }, async (t) => {
  const cases = drawRunCases(pickCount({ few: 1, full: 1, long: 4 }));
  for (const drawn of cases) {
    t.comment(drawn.title);
    await t.test(drawn.title, async (t) => {
      const service = await startTestService(t, { simulator: drawn.simulator, timing });
      const tenants = await makeTwins(service, drawn, MOMENTS.length + 1);
      const undisturbed = tenants.pop() as string;
      const before = await readRunState(service, undisturbed);
      await placeStalls(service);
      const ends: (object | undefined)[] = [];
      for (const [index, moment] of MOMENTS.entries()) {
        const tenantId = tenants[index] as string;
        await failAt(t, service, tenantId, moment);
        t.strictSame(await readRunState(service, tenantId), before, `${moment}: nothing was changed`);
        await clearStalls(service);
        const next = await syncTenant(service, tenantId, { refresh: 'force' });
        t.match(next, { status: /^succeeded/ }, `${moment}: the next run succeeds`);
        ends.push(await readRunState(service, tenantId));
      }
      t.match(await syncTenant(service, undisturbed, { refresh: 'force' }), { status: /^succeeded/ });
      const wanted = await readRunState(service, undisturbed);
      t.notSame(wanted, before, 'the runs had something to do');
      for (const [index, moment] of MOMENTS.entries()) t.strictSame(ends[index], wanted, `${moment}: applied once`);
    });
  }
  t.comment(`${cases.length} seeds × ${MOMENTS.length} moments: after an error, nothing or everything was applied`);
});

/** Starts a run that fails there, and asserts that it reports so. */
async function failAt(t: Test, service: TestService, tenantId: string, moment: Moment): Promise<void> {
  const { ask, simulator } = service;
  if (moment === 'fetching') {
    simulator.control.injectFault({ fault: 'missing_list', action: 'sync_vendor', times: 1 });
  } else await stallAt(service, tenantId, moment, 'throw');
  const { body } = await ask('POST', `/v1/tenants/${tenantId}/syncs`, { body: { refresh: 'force' } });
  if (moment === 'queued') {
    // No worker can start it, so it stays queued.
    await pause(500);
    t.match((await ask('GET', `/v1/tenants/${tenantId}/syncs/${body.id}`)).body, { status: 'queued', attempt: 0 });
  } else {
    const run = await waitForRun(service, tenantId, body.id);
    t.match(run, { status: 'failed', reason: moment === 'fetching' ? 'list_empty' : 'internal' }, moment);
  }
}

const service = await startTestService(t, { simulator: { licenses: 60, offersSyncCheck: false }, timing });
const { ask, sql, simulator } = service;
await placeStalls(service);

/** The calls to BioTrack during `work`. */
async function countCalls(work: () => Promise<unknown>): Promise<{ lists: number; logins: number }> {
  const before = simulator.control.counters();
  await work();
  const after = simulator.control.counters();
  return { lists: after.listCalls - before.listCalls, logins: after.logins - before.logins };
}

const startRun = async (tenantId: string, refresh: 'auto' | 'force'): Promise<string> => {
  const { status, body } = await ask('POST', `/v1/tenants/${tenantId}/syncs`, { body: { refresh } });
  // On a busy machine, a request may wait for the others for longer than a second.
  if (status === 409 && body.code === 'sync_in_progress') return startRun(tenantId, refresh);
  if (status !== 202) throw new Error(`${status} ${JSON.stringify(body)}`);
  return body.id;
};

t.test('fifty requests at once are one run', async (t) => {
  const rounds = pickCount({ few: 2, full: 2, long: 20 });
  const tenantId = await makeTenant(service);
  for (let round = 0; round < rounds; round += 1) {
    // Not answered before all have asked: who asks when the run has ended begins another one, and may.
    simulator.control.injectFault({ fault: 'slow_first_byte', action: 'sync_vendor', delayMs: 5_000, times: 1 });
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

t.test('the tenants of a state share one list call, and none of them delays the others', async (t) => {
  const many = pickCount({ few: 30, full: 30, long: 500 });
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
    // One query for all: a request for each would take longer than the runs.
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
  t.strictSame(await countCalls(syncAll), { lists: 1, logins: 1 }, 'the first syncs');
  const rows = await sql('select xmin, ctid, id from companies order by id');
  await age();
  t.strictSame(await countCalls(syncAll), { lists: 1, logins: 1 }, 'the next syncs, with an expired list');
  t.strictSame(await sql('select xmin, ctid, id from companies order by id'), rows, 'which write no row');
  t.strictSame(await countCalls(syncAll), { lists: 0, logins: 0 }, 'no call while the list is fresh');

  const [slow, poisoned] = [await makeTenant(service), await makeTenant(service)];
  await stallAt(service, slow, 'applying', 'sleep');
  await stallAt(service, poisoned, 'applying', 'throw');
  const [standing, failing] = [await startRun(slow, 'auto'), await startRun(poisoned, 'auto')];
  await syncAll();
  t.match(await waitForRun(service, poisoned, failing), { status: 'failed', reason: 'internal' });
  t.match((await ask('GET', `/v1/tenants/${slow}/syncs/${standing}`)).body, { status: 'running' }, 'still held');
  await clearStalls(service);
  await sql(
    `select pg_cancel_backend(pid) from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'`,
  );
  await waitForRun(service, slow, standing);
  t.comment(`${many} tenants: a list call and a login a refresh`);
});

t.test('a hundred previews of one tenant do not delay other tenants', async (t) => {
  const [looking, working] = [await makeTenant(service), await makeTenant(service)];
  await syncTenant(service, looking);
  await syncTenant(service, working);
  // The worker is busy, so that the previews queue.
  const busy = await Promise.all(Array.from({ length: WORKER_CONCURRENCY }, () => makeTenant(service)));
  for (const tenantId of busy) await stallAt(service, tenantId, 'applying', 'sleep');
  for (const tenantId of busy) await startRun(tenantId, 'auto');
  const preview = async (tenantId: string): Promise<string> =>
    (await ask('POST', `/v1/tenants/${tenantId}/syncs`, { body: { mode: 'preview' } })).body.id;
  const previews: string[] = [];
  // More than requests can start.
  const request = {
    ...({ trigger: 'request', mode: 'preview', refresh: 'auto', strategy: 'one_per_license' } as const),
    requestedBy: 'api_key:test',
  };
  while (previews.length < 100) {
    const { id } = await withTenant(service.service.db, looking, (tx) => queueRun(tx, service.newId, looking, request));
    previews.push(id);
  }
  const own = await startRun(looking, 'auto');
  const others = [await preview(working), await startRun(working, 'auto')];
  await clearStalls(service);
  await sql(
    `select pg_cancel_backend(pid) from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'`,
  );
  for (const id of previews) await waitForRun(service, looking, id);
  for (const id of others) t.match((await waitForRun(service, working, id)).status, /^succeeded/);
  const [{ before } = { before: -1 }] = await sql<{ before: number }>(
    `select count(*)::int as before from sync_runs
      where id = any ($1) and started_datetime < (select max(started_datetime) from sync_runs where id = any ($2))`,
    [previews, [own, ...others]],
  );
  t.ok(before >= 0 && before <= WORKER_CONCURRENCY + 1, `behind ${before} of 100 previews that were requested before`);
});
