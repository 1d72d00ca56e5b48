import t from 'tap';
import { startTlsServer } from '../helpers/local-servers.js';
import { startTestService, type TestService, waitForRun } from '../helpers/service.js';
import { until } from '../helpers/until.js';

/** Who must act when a state's answers cannot be used, and what the log has for them. */

const tls = await startTlsServer('valid', (_, response) => response.end('{}'));
t.teardown(() => tls.close());
/** The second attempt starts when the test makes it due. */
const timing = { runs: { attempts: 3, baseSeconds: 600, maxSeconds: 600 }, sweepMs: 50, retry: { attempts: 1 } };
const service = await startTestService(t, {
  timing,
  states: (environment) => ({
    NM: { environments: { production: environment } },
    CT: { environments: { production: { ...environment, url: `${environment.url}/wrong.asp` } } },
    AR: { environments: { production: { ...environment, url: `https://127.0.0.1:${tls.port}` } } },
  }),
});
const florida = await startTestService(t, {
  timing,
  simulator: { state: 'fl', licenses: 200 },
  states: (environment) => ({
    FL: { environments: { production: { ...environment, dialect: 'rest', cursor_parameter: 'Wrong' } } },
  }),
});

florida.simulator.control.setOptions({ restPageSize: 50 });

async function makeTenantIn({ ask, newId, simulator }: TestService, state: string): Promise<string> {
  const id = newId();
  const path = `/v1/tenants/${id}`;
  const { ubi, username, password } = simulator.demo;
  const headers = { 'if-none-match': '*' };
  await ask('PUT', path, { headers, body: { name: 'Test', state, environment: 'production' } });
  await ask('PUT', `${path}/ubi`, { headers, body: { ubi } });
  const preference = { strategy: 'one_per_license' };
  await ask('PUT', `${path}/company-creation-preference`, { headers, body: preference });
  const login = { description: 'x', username, password, owner: 'company', verify: 'skip' };
  await ask('POST', `${path}/credentials`, { body: login });
  return id;
}

const setupOf = async ({ ask }: TestService, id: string) =>
  (await ask('GET', `/v1/tenants/${id}/setup`)).body.steps.find(({ step }: { step: string }) => step === 'first_sync');

/** Starts a run and waits until its first attempt has failed. */
async function failOnce({ ask }: TestService, id: string): Promise<{ path: string; runId: string }> {
  const started = await ask('POST', `/v1/tenants/${id}/syncs`, { body: {} });
  const path = `/v1/tenants/${id}/syncs/${started.body.id}`;
  await until('a retry', async () => (await ask('GET', path)).body.retry_datetime !== null);
  return { path, runId: started.body.id };
}

const lastReport = ({ logged }: TestService, runId: string): Record<string, unknown> =>
  logged()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter((line) => line.event === 'run.finished' && line['run.id'] === runId)
    .at(-1) ?? {};

const CASES = [
  {
    name: 'a list that is not UTF-8',
    of: service,
    state: 'NM',
    evidence: { action: 'sync_vendor', answer: 'invalid_charset', httpStatus: 200 },
  },
  {
    name: 'a wrong cursor parameter',
    of: florida,
    state: 'FL',
    evidence: { action: 'sync_vendor', answer: 'invalid_pagination' },
  },
  {
    name: 'a certificate that is not trusted',
    of: service,
    state: 'AR',
    evidence: { action: 'login', answer: 'tls_failure', code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' },
  },
] as const;

for (const { name, of, state, evidence } of CASES) {
  t.test(`${name}: the operator must act from the second attempt on`, async (t) => {
    if (evidence.answer === 'invalid_charset') {
      const { control } = of.simulator;
      const [{ location } = { location: '' }] = control.rows();
      control.rename({ location, name: 'CAFÉ' });
      control.injectFault({ fault: 'wrong_charset', action: 'sync_vendor', charset: 'latin1', times: 0 });
    }
    const id = await makeTenantIn(of, state);
    const { path, runId } = await failOnce(of, id);
    const fields = Object.fromEntries(Object.entries(evidence).map(([field, value]) => [`biotrack.${field}`, value]));
    t.match(lastReport(of, runId), { 'run.status': 'retry_scheduled', ...fields });
    t.match(await setupOf(of, id), { who: 'none' }, 'the first failure can be a hiccup');
    t.notMatch((await of.ask('GET', path)).body.reason_message.text, /must fix/);

    await of.sql(`update sync_runs set retry_datetime = now() where id = $1`, [runId]);
    await until('the operator', async () => (await setupOf(of, id)).who === 'operator');
    t.match((await of.ask('GET', path)).body, {
      status: 'queued',
      reason_message: {
        params: { attempts: 2, answer: evidence.answer },
        text: /After 2 attempts, the operator of this service must fix the cause/,
      },
    });
    await of.sql(`update sync_runs set retry_datetime = now() where id = $1`, [runId]);
    t.match(await waitForRun(of, id, runId), { status: 'failed', reason_message: { text: /After 3 attempts/ } });
    t.match(await setupOf(of, id), { who: 'operator', status: 'blocked' });
    of.simulator.control.clearFaults();
  });
}

t.test('a wrong path: the operator must act at once', async (t) => {
  const id = await makeTenantIn(service, 'CT');
  const started = await service.ask('POST', `/v1/tenants/${id}/syncs`, { body: {} });
  const run = await waitForRun(service, id, started.body.id);
  t.match(run, {
    status: 'failed',
    reason: 'upstream_rejected',
    reason_message: { text: /operator.*\(login, client_error, HTTP 404\)/ },
  });
  t.match(lastReport(service, run.id), { 'biotrack.answer': 'client_error', 'biotrack.httpStatus': 404 });
  t.match(await setupOf(service, id), { who: 'operator' });
});
