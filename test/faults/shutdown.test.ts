import process from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import t from 'tap';
import { startChild, writeFiles } from '../helpers/child.js';
import { makeTenant, send, startTestService, waitForRun } from '../helpers/service.js';

/** SIGTERM: what was taken is answered, the run is handed over, and the process ends in time. */

const IS_LONG = process.env.TEST_LONG === '1';
const ROUNDS = IS_LONG ? 50 : 5;
const IN_FLIGHT = 100;

const service = await startTestService(t, { role: 'api', simulator: { licenses: 60, offersSyncCheck: false } });
const { ask, simulator, databaseUrl, operatorKey } = service;
const files = await writeFiles(t, service);

t.test(`${ROUNDS} × SIGTERM with ${IN_FLIGHT} requests in flight`, { timeout: 3_600_000 }, async (t) => {
  const holder = new pg.Client({ connectionString: databaseUrl });
  await holder.connect();
  t.teardown(() => holder.end());
  const tenantId = await makeTenant(service);
  const durations: number[] = [];
  const handedOver: { id: string; tenantId: string }[] = [];
  let cut = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const child = await startChild(t, { databaseUrl, files });
    // A run that waits for BioTrack, which is to be handed over.
    const waiting = await makeTenant(service);
    simulator.control.injectFault({ fault: 'slow_first_byte', action: 'sync_vendor', delayMs: 60_000, times: 1 });
    const run = await ask('POST', `/v1/tenants/${waiting}/syncs`, { body: { refresh: 'force' } });
    while (simulator.control.counters().listCallsInFlight === 0) await pause(20);

    // Requests that stand still in the process: the tenant is held by somebody else.
    await holder.query('begin');
    await holder.query(`select from tenants where tenant_id = '${tenantId}' for update`);
    const answers = Array.from({ length: IN_FLIGHT }, (_each, index) =>
      index % 10 === 0
        ? send(child.baseUrl, operatorKey, 'PUT', `/v1/tenants/${tenantId}/ubi`, {
            body: { ubi: '1' },
            headers: { 'if-match': '"99"' },
          })
        : send(child.baseUrl, operatorKey, 'GET', `/v1/tenants/${tenantId}/setup`, {}),
    ).map((answer) =>
      answer.then(
        ({ status }) => status,
        () => 0,
      ),
    );
    await pause(700);
    const startedAt = performance.now();
    const ended = child.end('SIGTERM');
    await pause(200);
    await holder.query('commit');
    const statuses = await Promise.all(answers);
    cut += statuses.filter((status) => status !== 200 && status !== 412).length;
    t.equal(await ended, 0, 'it ends well');
    durations.push(performance.now() - startedAt);
    const { body } = await ask('GET', `/v1/tenants/${waiting}/syncs/${run.body.id}`);
    t.match(body, { status: 'queued', attempt: 0 }, 'its run is in the queue again');
    handedOver.push({ id: run.body.id, tenantId: waiting });
    simulator.control.clearFaults();
  }
  t.equal(cut, 0, 'none was cut');
  t.ok(Math.max(...durations) < 15_000);
  t.comment(
    `${ROUNDS} × ${IN_FLIGHT} requests, ${cut} cut, the slowest end took ${Math.round(Math.max(...durations))} ms`,
  );
  await startChild(t, { databaseUrl, files, role: 'worker' });
  for (const { id, tenantId: of } of handedOver) t.match(await waitForRun(service, of, id), { status: /^succeeded/ });
});
