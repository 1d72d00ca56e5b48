import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import t, { type Test } from 'tap';
import { type Child, startChild, writeFiles } from '../helpers/child.js';
import { IS_LONG, pickCount } from '../helpers/counts.js';
import { drawRunCases, makeTwins, type RunCase, readRunState } from '../helpers/run-cases.js';
import { readSeed } from '../helpers/seed.js';
import { makeTenant, sendRequest, startTestService, type TestService, waitForRun } from '../helpers/service.js';
import { clearStalls, countSleeping, MOMENTS, placeStalls, stallAt } from '../helpers/stalls.js';
import { PATIENCE_MS, until } from '../helpers/until.js';

/**
 * Processes that are killed, stopped or suspended: no run is lost, repeated or stuck, nothing is half done, and requests in
 * flight receive their responses.
 */

/** Twice what a test waits for one thing: a lease must expire, and the run must end. */
const TAKEOVER_MS = 2 * PATIENCE_MS;

const service = await startTestService(t, { role: 'api', simulator: { licenses: 60, offersSyncCheck: false } });
const { ask, sql, simulator, databaseUrl, operatorKey } = service;
const files = await writeFiles(t, service);
const startWorkerProcess = (): Promise<Child> => startChild(t, { databaseUrl, files, role: 'worker' });

interface Held {
  readonly tenantId: string;
  readonly runId: string;
}

async function startRun({ ask }: TestService, tenantId: string, refresh: 'auto' | 'force'): Promise<Held> {
  // While a plan is applied, a request that waits for the tenant's lock may be asked to come back.
  const { body } = await until('the run is accepted', async () => {
    const answer = await ask('POST', `/v1/tenants/${tenantId}/syncs`, { body: { refresh } });
    if (answer.status !== 202 && answer.body.code !== 'sync_in_progress') throw new Error(JSON.stringify(answer));
    return answer.status === 202 && answer;
  });
  return { tenantId, runId: body.id };
}

const start = (tenantId: string, refresh: 'auto' | 'force' = 'auto'): Promise<Held> =>
  startRun(service, tenantId, refresh);

t.test(
  'workers that are killed at every step, and suspended past the lease',
  { timeout: IS_LONG ? 1_800_000 : 400_000 },
  async (t) => {
    const cases = drawRunCases(pickCount({ few: 1, full: 1, long: 4 }));
    for (const drawn of cases) {
      t.comment(drawn.title);
      let times: number[] = [];
      await t.test(drawn.title, { timeout: 400_000 }, async (t) => {
        times = await killAtEveryStep(t, drawn);
      });
      t.comment(`ended after ${times.map((ms) => (ms / 1_000).toFixed(1)).join(', ')} s`);
    }
  },
);

/** @returns how long it took until each run had ended */
async function killAtEveryStep(t: Test, drawn: RunCase): Promise<number[]> {
  const service = await startTestService(t, { role: 'api', simulator: drawn.simulator });
  const { ask, sql, simulator, databaseUrl } = service;
  const files = await writeFiles(t, service);
  const startWorkerProcess = (): Promise<Child> => startChild(t, { databaseUrl, files, role: 'worker' });
  const start = (tenantId: string, refresh: 'auto' | 'force' = 'auto'): Promise<Held> =>
    startRun(service, tenantId, refresh);
  const first = await startWorkerProcess();
  const tenants = await makeTwins(service, drawn, MOMENTS.length + 2);
  const take = (): string => tenants.pop() as string;
  const readState = (tenantId: string): Promise<object | undefined> => readRunState(service, tenantId);

  // The directory is current, so that only the runs to be held call BioTrack.
  const undisturbed = await start(take(), 'force');
  const before = await readState(tenants[0] as string);
  t.match(await waitForRun(service, undisturbed.tenantId, undisturbed.runId), { status: /^succeeded/ });
  const wanted = await readState(undisturbed.tenantId);
  t.match(wanted, { gaps: 0 });
  t.notSame(wanted, before, 'the run has something to do');

  // The first process is suspended with a run.
  const hang = (): void =>
    void simulator.control.injectFault({ fault: 'slow_first_byte', action: 'sync_vendor', delayMs: 100_000, times: 1 });
  hang();
  const frozen = await start(take(), 'force');
  await until('the list call of the first process', async () => simulator.control.counters().listCallsInFlight === 1);
  first.process.kill('SIGSTOP');
  const frozenAt = Date.now();

  await placeStalls(service);
  const victims = [await startWorkerProcess(), await startWorkerProcess()];
  const held: Held[] = [];
  for (const moment of MOMENTS.filter((each) => each !== 'fetching')) {
    const tenantId = take();
    await stallAt(service, tenantId, moment, 'sleep');
    held.push(await start(tenantId));
  }
  await until('all are held', async () => (await countSleeping(service)) === held.length);
  hang();
  held.push(await start(take(), 'force'));
  t.equal(held.length, MOMENTS.length);
  await until('a list call', async () => simulator.control.counters().listCallsInFlight === 2);
  for (const { tenantId } of held) t.strictSame(await readState(tenantId), before, 'no change is visible yet');

  await Promise.all(victims.map((victim) => victim.end('SIGKILL')));
  const killedAt = Date.now();
  await clearStalls(service);
  // Sleeping sessions would notice the lost client later.
  await sql(
    `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'`,
  );
  for (const { tenantId } of held) t.strictSame(await readState(tenantId), before, 'no change is left');
  simulator.control.clearFaults();
  const rescuer = await startWorkerProcess();
  const takenOver = async ({ tenantId, runId }: Held, since: number): Promise<number> => {
    await until('the takeover', async () => {
      const { body } = await ask('GET', `/v1/tenants/${tenantId}/syncs/${runId}`);
      return body.status === 'running' || body.status.startsWith('succeeded');
    });
    // `running` may still be of the killed worker: only the end counts.
    t.match(await waitForRun(service, tenantId, runId), { status: /^succeeded/ });
    return Date.now() - since;
  };
  const times = await Promise.all([...held.map((each) => takenOver(each, killedAt)), takenOver(frozen, frozenAt)]);
  for (const ms of times.slice(0, -1)) t.ok(ms < TAKEOVER_MS, `taken over and done within ${ms} ms`);
  for (const { tenantId } of [...held, frozen])
    t.strictSame(await readState(tenantId), wanted, 'applied once, and completely');

  const row = await sql('select xmin, ctid, * from sync_runs where id = $1', [frozen.runId]);
  first.process.kill('SIGCONT');
  await pause(1_500);
  t.strictSame(
    await sql('select xmin, ctid, * from sync_runs where id = $1', [frozen.runId]),
    row,
    'the suspended worker writes no row',
  );
  t.strictSame(await readState(frozen.tenantId), wanted);
  t.equal(
    first
      .output()
      .split('\n')
      .filter((line) => line.includes(frozen.runId)).length,
    0,
    'and logs no end of the run',
  );
  t.equal(await first.end(), 0, 'it resumes, and exits normally');
  t.equal(await rescuer.end(), 0);
  return times;
}

t.test('processes that are stopped under load', { timeout: IS_LONG ? 1_800_000 : 400_000 }, async (t) => {
  const rounds = pickCount({ few: 3, full: 3, long: 50 });
  const inFlight = 100;
  const tenantId = await makeTenant(service);
  const holder = new pg.Client({ connectionString: databaseUrl });
  await holder.connect();
  t.teardown(() => holder.end());
  const seconds: number[] = [];
  const statuses = new Map<number | string, number>();
  let before: Held | undefined;
  let resumed: ReturnType<typeof ask> | undefined;
  for (let round = 0; round < rounds; round += 1) {
    const variables = { DATABASE_POOL_SIZE: `${inFlight + 10}` };
    const child = await startChild(t, { databaseUrl, files, variables });
    if (before !== undefined) {
      t.match(await waitForRun(service, before.tenantId, before.runId), { status: /^succeeded/, attempt: 1 });
      t.match((await resumed)?.body, /event: end\n/);
    }
    // A run that waits for BioTrack must be handed over. A client follows it.
    const waiting = await makeTenant(service);
    simulator.control.injectFault({ fault: 'slow_first_byte', action: 'sync_vendor', delayMs: 60_000, times: 1 });
    before = await start(waiting, 'force');
    await until('a list call', async () => simulator.control.counters().listCallsInFlight === 1);
    const events = `/v1/tenants/${before.tenantId}/syncs/${before.runId}/events`;
    const following = sendRequest(child.baseUrl, operatorKey, 'GET', events, {});

    // Requests that wait in the process, since this session holds a lock on what they read.
    await holder.query('begin; lock table creation_preferences in access exclusive mode');
    const path = `/v1/tenants/${tenantId}/company-creation-preference`;
    let answered = 0;
    const answers = Array.from({ length: inFlight }, () =>
      sendRequest(child.baseUrl, operatorKey, 'GET', path, {}).then(
        ({ status }) => {
          answered += 1;
          return status;
        },
        (error: Error) => `cut: ${error.message}`,
      ),
    );
    await until('all are in flight', async () => {
      const waiting = await sql(
        `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      );
      return waiting.length > 0 && waiting.length + answered === inFlight;
    });
    // An idle connection, as of a load balancer, must not delay the exit.
    const silent = connect(Number(new URL(child.baseUrl).port), '127.0.0.1');
    silent.on('error', () => {});
    await once(silent, 'connect');
    const endedAt = performance.now();
    const ended = child.end('SIGTERM');
    await pause(300);
    await holder.query('commit');
    for (const status of await Promise.all(answers)) statuses.set(status, (statuses.get(status) ?? 0) + 1);
    t.equal(await ended, 0, 'it exits normally');
    seconds.push((performance.now() - endedAt) / 1_000);
    silent.destroy();
    const followed = await following;
    t.match(followed, { status: 200, body: /\n\n$/ }, 'a stream ends between two events');
    t.notMatch(followed.body, /event: end/);
    t.match((await ask('GET', `/v1/tenants/${before.tenantId}/syncs/${before.runId}`)).body, {
      status: 'queued',
      attempt: 0,
      progress: { step: 'queued' },
    });
    simulator.control.clearFaults();
    // The client resumes the stream at another process.
    const seen = followed.body
      .match(/^id: (.*)$/gm)
      .at(-1)
      .slice('id: '.length);
    resumed = ask('GET', events, { headers: { 'last-event-id': seen } });
  }
  await startWorkerProcess();
  t.match((await resumed)?.body, /event: end\n/);
  // On a busy machine, some wait for the lock for too long.
  const { 200: successes = 0, 503: timeouts = 0 } = Object.fromEntries(statuses);
  t.equal(successes + timeouts, rounds * inFlight, 'every request received its response');
  t.ok(successes > 0);
  t.ok(Math.max(...seconds) < PATIENCE_MS / 1_000);
  t.comment(`${rounds} × ${inFlight} requests in flight, the slowest exit took ${Math.max(...seconds).toFixed(1)} s`);
});

t.test('workers that are killed at random', { timeout: IS_LONG ? 3_600_000 : 400_000 }, async (t) => {
  const seed = readSeed();
  t.comment(`TEST_SEED=${seed}`);
  let state = seed;
  const random = (): number => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
  const kills = pickCount({ few: 3, full: 3, long: 100 });
  const strategies = ['one_per_license', 'one_per_vendor', 'one_per_license'] as const;
  const tenants: string[] = [];
  for (const strategy of strategies) tenants.push(await makeTenant(service, 'credential', strategy));
  const children = [await startWorkerProcess(), await startWorkerProcess()];
  const runs: Held[] = [];
  let isBusy = true;
  const work = (async () => {
    for (let round = 0; isBusy; round += 1) {
      // Few enough for the guard.
      const row = simulator.control.rows()[Math.floor(random() * 5)];
      if (row !== undefined) simulator.control.rename({ location: row.location, name: `NAME ${round}` });
      for (const tenantId of tenants) runs.push(await start(tenantId, 'force'));
      await pause(150);
    }
  })();
  for (let kill = 0; kill < kills; kill += 1) {
    await pause(random() * 1_000);
    const index = random() < 0.5 ? 0 : 1;
    await (children[index] as Child).end('SIGKILL');
    children[index] = await startWorkerProcess();
  }
  isBusy = false;
  await work;
  const ids = new Map(runs.map((run) => [run.runId, run]));
  const ends = await Promise.all([...ids.values()].map(({ tenantId, runId }) => waitForRun(service, tenantId, runId)));
  t.comment(`${kills} kills, ${ids.size} runs`);
  for (const { status } of ends) t.match(status, /^succeeded/);
  for (const tenantId of tenants) {
    const last = await start(tenantId, 'force');
    t.match(await waitForRun(service, tenantId, last.runId), { status: /^succeeded/ });
    t.match(await readRunState(service, tenantId), { gaps: 0 }, 'the feed has no gap');
  }
  for (const [index, strategy] of strategies.entries()) {
    const twin = await makeTenant(service, 'credential', strategy);
    t.match(await waitForRun(service, twin, (await start(twin, 'auto')).runId), { status: /^succeeded/ });
    const [killed, calm] = [await readRunState(service, tenants[index] as string), await readRunState(service, twin)];
    const { changes: _feed, ...wanted } = calm as { changes: number };
    t.match(killed, wanted, 'the state equals that of a tenant whose runs were never killed');
  }
  const active = await sql(`select from sync_runs where status in ('queued', 'running')`);
  t.equal(active.length, 0, 'no run is stuck');
});
