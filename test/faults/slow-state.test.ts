import t from 'tap';
import { startChild, writeFiles } from '../helpers/child.js';
import { makeTenant, sendRequest, startTestService } from '../helpers/service.js';
import { until } from '../helpers/until.js';

/** A state that needs longer for its list than callers wait, and processes that are killed meanwhile. */

t.test('saving a login does not wait for the list', async (t) => {
  const patient = 3_600_000;
  const service = await startTestService(t, {
    simulator: { licenses: 60, offersSyncCheck: false },
    timing: {
      timeouts: { headersMs: patient, shortMs: patient, listMs: patient, probeMs: 100 },
      // A single outage opens the circuit.
      circuit: { failures: 1, openMs: patient },
    },
  });
  const { ask, simulator } = service;
  simulator.control.injectFault({ fault: 'hang', action: 'sync_vendor', times: 0 });
  const tenantId = await makeTenant(service);
  t.match(await ask('GET', `/v1/tenants/${tenantId}/credentials`), { body: { data: [{ status: 'valid' }] } });
  t.equal(simulator.control.counters().listCalls, 1, 'the privilege was asked for');
  simulator.control.clearFaults();
  const list = await ask('GET', `/v1/tenants/${tenantId}/available-licenses`);
  t.equal(list.status, 200, 'a slow answer is no outage');
});

t.test('two processes ask a slow state once, and the next process asks again if they are killed', async (t) => {
  const service = await startTestService(t, { role: 'worker', simulator: { licenses: 60, offersSyncCheck: false } });
  const { databaseUrl, operatorKey, simulator } = service;
  const { control } = simulator;
  const files = await writeFiles(t, service);
  const start = () => startChild(t, { databaseUrl, files, role: 'api' });
  const [first, second] = await Promise.all([start(), start()]);
  const to =
    (baseUrl: string) =>
    (method: string, path: string, options = {}) =>
      sendRequest(baseUrl, operatorKey, method, path, options);
  const tenants = [];
  for (const { baseUrl } of [first, second])
    tenants.push(await makeTenant({ ask: to(baseUrl), newId: service.newId, simulator }));
  const [one, other] = tenants.map((id) => `/v1/tenants/${id}/available-licenses`) as [string, string];

  // Never answers, as a state that needs longer than the process lives.
  control.injectFault({ fault: 'hang', action: 'sync_vendor', times: 0 });
  const before = control.counters().listCalls;
  const loading = { status: 503, body: { code: 'list_loading', detail: /for \d+ seconds/ } };
  const answers = await Promise.all([to(first.baseUrl)('GET', one), to(second.baseUrl)('GET', other)]);
  for (const answer of answers) {
    t.match(answer, loading);
    t.equal(answer.headers.get('retry-after'), '5');
  }
  t.match(await to(first.baseUrl)('GET', one), loading, 'it joins the fetch');
  t.equal(control.counters().listCalls, before + 1, 'two processes, three requests, one fetch');

  await Promise.all([first.end('SIGKILL'), second.end('SIGKILL')]);
  control.clearFaults();
  const third = await start();
  const found = await until('the list', async () => {
    const answer = await to(third.baseUrl)('GET', one);
    if (answer.status !== 200) t.match(answer, loading);
    return answer.status === 200 && answer;
  });
  t.ok(found.body.data.length > 0, 'after the lease of the killed process');
  t.equal(control.counters().listCalls, before + 2, 'fetched once more');
});
