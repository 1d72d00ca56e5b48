import { spawn } from 'node:child_process';
import { getPriority } from 'node:os';
import process from 'node:process';
import t, { type Test } from 'tap';
import { superviseWorker } from '../../src/worker-process.js';
import { type Child, startChild, writeFiles } from '../helpers/child.js';
import { pickPort } from '../helpers/free-port.js';
import { makeTenant, sendRequest, startTestService, waitForRun } from '../helpers/service.js';
import { until } from '../helpers/until.js';

/** A service with the role `all`: one process serves requests, and starts another one that executes runs. */

const service = await startTestService(t, { role: 'api', simulator: { licenses: 60, offersSyncCheck: false } });
const { simulator, databaseUrl, operatorKey, ask } = service;
const files = await writeFiles(t, service);
const metricsPort = await pickPort();
const start = (): Promise<Child> =>
  startChild(t, { databaseUrl, files, variables: { METRICS_PORT: String(metricsPort) } });

interface Line {
  readonly pid: number;
  readonly event: string;
}

const readLines = (child: Child): Line[] =>
  child
    .output()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Line);

/** The process IDs of the workers that have started, in order. */
const readWorkers = (child: Child): number[] =>
  readLines(child)
    .filter(({ pid, event }) => event === 'service.started' && pid !== child.pid)
    .map(({ pid }) => pid);

async function untilWorker(child: Child, count: number): Promise<number> {
  return until(`worker ${count}`, async () => readWorkers(child)[count - 1]);
}

const isRunning = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

interface SlowRun {
  readonly tenantId: string;
  readonly runId: string;
}

/** A run that waits for an answer of BioTrack. */
async function startSlowRun(): Promise<SlowRun> {
  const tenantId = await makeTenant(service);
  simulator.control.injectFault({ fault: 'slow_first_byte', action: 'sync_vendor', delayMs: 100_000, times: 1 });
  const { body } = await ask('POST', `/v1/tenants/${tenantId}/syncs`, { body: { refresh: 'force' } });
  await until('a list call', async () => simulator.control.counters().listCallsInFlight === 1);
  return { tenantId, runId: body.id };
}

/** The run was given back without losing an attempt, and the next process finishes it. */
async function checkHandedOver(t: Test, { tenantId, runId }: SlowRun): Promise<void> {
  const { body } = await ask('GET', `/v1/tenants/${tenantId}/syncs/${runId}`);
  t.match(body, { status: 'queued', attempt: 0 }, 'the run is handed over');
  simulator.control.clearFaults();
  const next = await start();
  t.match(await waitForRun(service, tenantId, runId), { status: /^succeeded/, attempt: 1 });
  t.equal(await next.end(), 0);
}

t.test('runs are executed in a process of lower priority, and metrics are of both', async (t) => {
  const child = await start();
  const worker = await untilWorker(child, 1);
  t.ok(getPriority(worker) > getPriority(child.pid), 'the worker gives way');
  t.ok(process.kill(-worker, 0), 'it has a process group of its own, so that Ctrl-C ends it once');
  const tenantId = await makeTenant(service);
  const { body } = await sendRequest(child.baseUrl, operatorKey, 'POST', `/v1/tenants/${tenantId}/syncs`, { body: {} });
  t.match(await waitForRun(service, tenantId, body.id), { status: /^succeeded/ });
  const readMetrics = async (): Promise<string> => (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  const metrics = await readMetrics();
  t.match(metrics, /^biotrack_connect_runs_finished_total\{status="succeeded[^}]*\} 1$/m, 'counted in the worker');
  t.match(
    metrics,
    /^biotrack_connect_requests_total\{method="POST",route="\/v1\/tenants\/:tenant_id\/syncs"[^}]*\} 1$/m,
  );
  t.match(metrics, /^biotrack_connect_database_up 1$/m, 'a gauge of the database is not added up');
  process.kill(worker, 'SIGSTOP');
  t.match(await readMetrics(), /^biotrack_connect_requests_total/m, 'they do not wait for a worker that hangs');
  process.kill(worker, 'SIGCONT');
  t.equal(await child.end(), 0);
  t.notOk(isRunning(worker), 'both end');
  t.notMatch(child.output(), /worker\.exited/);
});

t.test('a worker that is killed is started again, and its run succeeds', async (t) => {
  const child = await start();
  const worker = await untilWorker(child, 1);
  const run = await startSlowRun();
  process.kill(worker, 'SIGKILL');
  simulator.control.clearFaults();
  t.not(await untilWorker(child, 2), worker);
  t.match(
    readLines(child).filter(({ event }) => event === 'worker.exited'),
    [{ 'process.ending': 'SIGKILL' }],
  );
  t.match(await waitForRun(service, run.tenantId, run.runId), { status: /^succeeded/ });
  t.equal(await child.end(), 0);
});

t.test('SIGTERM hands over the run of the worker', async (t) => {
  const child = await start();
  await untilWorker(child, 1);
  const run = await startSlowRun();
  t.equal(await child.end(), 0);
  await checkHandedOver(t, run);
});

t.test('SIGTERM to both processes, as a service manager sends it', async (t) => {
  const child = await start();
  const worker = await untilWorker(child, 1);
  const run = await startSlowRun();
  process.kill(worker, 'SIGTERM');
  process.kill(worker, 'SIGINT');
  const ended = child.end();
  process.kill(worker, 'SIGTERM');
  t.equal(await ended, 0);
  t.notOk(isRunning(worker));
  await checkHandedOver(t, run);
  t.notMatch(child.output(), /worker\.exited/);
});

t.test('a worker ends when the process that started it is killed', async (t) => {
  const child = await start();
  const worker = await untilWorker(child, 1);
  const run = await startSlowRun();
  t.equal(await child.end('SIGKILL'), 'SIGKILL');
  await until('the end of the worker', async () => !isRunning(worker));
  await checkHandedOver(t, run);
});

t.test('a process that cannot be started is tried again', async (t) => {
  const endings: unknown[] = [];
  const worker = superviseWorker(
    () => spawn('/nowhere/node', [], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] }),
    (ending) => endings.push(ending),
  );
  await until('the second try', async () => endings.length === 2);
  t.strictSame(endings[0], { code: null, signal: null });
  t.equal(await worker.readMetrics(), undefined);
  await worker.stop();
});

t.test('an error while it is started is no end of the service', async (t) => {
  let tries = 0;
  const failing = (): never => {
    tries += 1;
    throw new Error('no memory');
  };
  const worker = superviseWorker(failing, () => {});
  await until('the second try', async () => tries === 2);
  await worker.stop();
  t.equal(tries, 2);
});
