import t from 'tap';
import { FAULT_NAMES, type FaultName, type FaultParameters, REFUSAL_NAMES } from '../../src/simulator/index.js';
import { makeTenant, startTestService, syncTenant, type TestService } from '../helpers/service.js';
import { PATIENCE_MS } from '../helpers/until.js';

/** Real syncs with every fault of the simulator, at the login and at the list. */

/** Short timeouts, so that a hanging call ends within a second. */
const PATIENCE = {
  timeouts: { connectMs: 500, headersMs: 500, listMs: 2_000, shortMs: 1_000 },
  retry: { attempts: 2, baseMs: 10, maxMs: 20 },
  // Never opens, so that every fault reaches the sync.
  circuit: { failures: 1_000_000, openMs: 1 },
};

/** The expected reason for a fault at the list; undefined if the sync succeeds. At the login, a few differ. */
const EXPECTED: Readonly<Record<FaultName, string | undefined>> = {
  reset_at_connect: 'upstream_unreachable',
  hang: 'upstream_timeout',
  reset_in_headers: 'upstream_unreachable',
  invalid_http: 'upstream_invalid_response',
  empty_body: 'upstream_invalid_response',
  html: 'upstream_invalid_response',
  json_null: 'upstream_invalid_response',
  json_array: 'upstream_invalid_response',
  raw_body: 'upstream_invalid_response',
  throttled: 'upstream_throttled',
  server_error: 'upstream_unreachable',
  redirect: 'upstream_invalid_response',
  code_602: 'upstream_rejected',
  code_1000: 'upstream_trouble',
  error_response: 'upstream_rejected',
  invalid_license_number: 'upstream_rejected',
  session_expired: 'upstream_session_lost',
  echo_password: 'upstream_rejected',
  huge_body: 'upstream_invalid_response',
  shrunk_list: 'list_shrunk',
  missing_list: 'list_empty',
  invalid_rows: 'upstream_invalid_response',
  slow_first_byte: 'upstream_timeout',
  drip: 'upstream_timeout',
  reset_in_body: 'upstream_invalid_response',
  cut_body: 'upstream_invalid_response',
  cut_body_without_length: 'upstream_invalid_response',
  two_documents: 'upstream_invalid_response',
  leaked_header: undefined,
  wrong_charset: 'upstream_invalid_response',
};

const PARAMETERS: Readonly<Partial<Record<FaultName, FaultParameters>>> = {
  slow_first_byte: { delayMs: 5_000 },
  error_response: { error: 'An unknown text.', errorcode: 4711 },
  drip: { bytes: 1, intervalMs: 50 },
};

/** Faults that refuse a login, because of a text that the service does not know or of the license number. */
const REFUSED_LOGINS: readonly FaultName[] = ['code_602', 'error_response', 'echo_password', 'invalid_license_number'];

/** What is stored about a list that is much shorter. */
const forgetRefusal = (service: TestService) =>
  service.sql(`update directories set refused_digest = null, refused_datetime = null, refused_removals = null,
    refused_keys = '{}'`);

/** All rows that a sync can write, with the transaction that wrote each. */
async function readRows(service: TestService): Promise<string> {
  const tables = ['companies', 'company_licenses', 'vendor_companies', 'changes', 'directory_licenses', 'directories'];
  const states = await Promise.all(
    tables.map((table) =>
      service.sql<{ state: string }>(
        `select coalesce(string_agg(${table === 'directories' ? '' : `t.xmin || ':' || `}t::text, '|' order by t::text), '') as state from ${table} t`,
      ),
    ),
  );
  return states.map(([row]) => row?.state).join('\n');
}

t.test('every fault at the login and at the list ends with a reason and changes nothing', async (t) => {
  const service = await startTestService(t, {
    timing: PATIENCE,
    simulator: { licenses: 100, offersSyncCheck: false },
    states: (environment) => ({ NM: { environments: { production: { ...environment, max_body_bytes: 1_000_000 } } } }),
  });
  const { simulator } = service;
  const tenantId = await makeTenant(service);
  const first = await syncTenant(service, tenantId);
  t.match(first.status, /^succeeded/);
  const seen = new Map<string, number>();

  for (const fault of FAULT_NAMES) {
    for (const action of ['login', 'sync_vendor'] as const) {
      const what = `${fault} at ${action}`;
      const before = await readRows(service);
      simulator.control.injectFault({ fault, action, times: 0, ...PARAMETERS[fault] });
      const start = performance.now();
      const run = await syncTenant(service, tenantId, { refresh: 'force' });
      const elapsedMs = performance.now() - start;
      simulator.control.clearFaults();
      const { body } = await service.ask('GET', `/v1/tenants/${tenantId}/credentials`);
      const isRefused = action === 'login' && REFUSED_LOGINS.includes(fault);
      t.equal(body.data[0].status, isRefused ? 'refused' : 'valid', `${what}: the status of the credential`);
      seen.set(run.reason ?? run.status, (seen.get(run.reason ?? run.status) ?? 0) + 1);
      const isOfLists = ['shrunk_list', 'missing_list', 'invalid_rows'].includes(fault) && action === 'login';
      const expected = isOfLists ? undefined : EXPECTED[fault];
      if (expected === undefined) {
        t.match(run.status, /^succeeded/, `${what}: the sync succeeds`);
        continue;
      }
      if (action === 'sync_vendor') t.equal(run.reason, expected, `${what}: ${run.reason}`);
      // A shrunk list waits for an operator, and its digest is stored.
      const isShrunk = run.reason === 'list_shrunk';
      t.equal(run.status, isShrunk ? 'needs_review' : 'failed', `${what}: ${run.reason}`);
      t.match(run.reason, isRefused ? 'login_refused' : /^(upstream_|list_)/, `${what}: ${run.reason}`);
      t.equal(run.reason_message?.code, run.reason, `${what}: the run has advice`);
      t.ok(elapsedMs < PATIENCE_MS, `${what}: ended after ${Math.round(elapsedMs)} ms`);
      if (isShrunk) await forgetRefusal(service);
      t.equal(await readRows(service), before, `${what}: no row was written`);
      if (!isRefused) continue;
      const verify = `/v1/tenants/${tenantId}/credentials/${body.data[0].id}/verify`;
      const forced = { key: service.tokenOf({ tenantId, role: 'admin' }), body: { force: true } };
      t.match((await service.ask('POST', verify, forced)).body, { result: 'valid' });
    }
  }
  t.comment(`reasons: ${JSON.stringify(Object.fromEntries(seen))}`);
  const last = await syncTenant(service, tenantId, { refresh: 'force' });
  t.match(last.status, /^succeeded/, 'without faults the sync succeeds again');
  t.notMatch(service.logged(), simulator.demo.password, 'the log does not contain the password');
});

t.test('1,000 sync requests with a changed password cause one login', async (t) => {
  const service = await startTestService(t, { simulator: { licenses: 100 } });
  const { simulator, ask } = service;
  const tenantId = await makeTenant(service);
  const { ubi, username } = simulator.demo;
  const { body: credentials } = await ask('GET', `/v1/tenants/${tenantId}/credentials`);
  simulator.control.changePassword({ ubi, username, password: 'another one' });
  const before = simulator.control.counters();

  const statuses = new Map<number, number>();
  for (let round = 0; round < 100; round += 1) {
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => ask('POST', `/v1/tenants/${tenantId}/syncs`, { body: { refresh: 'force' } })),
    );
    for (const { status } of answers) statuses.set(status, (statuses.get(status) ?? 0) + 1);
  }
  const { body: runs } = await ask('GET', `/v1/tenants/${tenantId}/syncs`);
  const after = simulator.control.counters();
  t.comment(`1,000 triggers: ${JSON.stringify(Object.fromEntries(statuses))}`);
  t.equal((statuses.get(202) ?? 0) + (statuses.get(409) ?? 0), 1_000);
  t.ok((statuses.get(409) ?? 0) > 0, 'later sync requests are rejected');
  t.equal(
    runs.data.filter((run: { reason: string }) => run.reason === 'credentials_rejected').length,
    1,
    'one run failed',
  );
  t.equal(after.logins - before.logins, 1, 'one login at BioTrack');
  const { body: credential } = await ask('GET', `/v1/tenants/${tenantId}/credentials/${credentials.data[0].id}`);
  t.equal(credential.status, 'rejected');
  const { body: setup } = await ask('GET', `/v1/tenants/${tenantId}/setup`);
  t.equal(setup.next_step.step, 'credentials', 'setup asks for credentials');
});

t.test('20 reads of the available licenses with a wrong password cause one login', async (t) => {
  for (const isVerified of [true, false]) {
    const service = await startTestService(t, { simulator: { licenses: 100 }, directoryMaxAgeSeconds: 1 });
    const { simulator, ask } = service;
    const tenantId = await makeTenant(service, isVerified ? 'credential' : 'preference');
    const { ubi, username } = simulator.demo;
    if (isVerified) {
      simulator.control.changePassword({ ubi, username, password: 'another one' });
    } else {
      const login = { description: 'untried', username, password: 'wrong', owner: 'company', verify: 'skip' };
      await ask('POST', `/v1/tenants/${tenantId}/credentials`, { body: login });
    }
    const before = simulator.control.counters().logins;
    const reads = Array.from({ length: 20 }, () => ask('GET', `/v1/tenants/${tenantId}/available-licenses`));
    for (const { status, body } of await Promise.all(reads)) {
      t.match({ status, code: body.code }, { status: 409, code: 'setup_incomplete' });
    }
    t.equal(
      simulator.control.counters().logins - before,
      1,
      `one login, with a password that was ${isVerified ? '' : 'not '}verified before`,
    );
  }
});

t.test('a truncated list or another text is never applied', async (t) => {
  const service = await startTestService(t, {
    timing: PATIENCE,
    simulator: { licenses: 100, offersSyncCheck: false, shuffle: false },
  });
  const { simulator } = service;
  const tenantId = await makeTenant(service);
  t.match((await syncTenant(service, tenantId)).status, /^succeeded/);
  const before = await readRows(service);
  const rows = JSON.stringify(simulator.control.rows()).length;
  const damages: FaultParameters[] = [
    ...Array.from({ length: 25 }, (_, index) => ({ cutAt: Math.floor((rows / 60) * (index + 1)) })),
    ...[
      '{}',
      '{"success":1,"vendor":[]}',
      '{"success":1,"vendor":{}}',
      '{"success":1,"vendor":[{}]}',
      '[[[',
      '"a"',
      '7',
    ].map((text) => ({ text })),
  ];
  for (const damage of damages) {
    const fault = damage.text === undefined ? 'cut_body_without_length' : 'raw_body';
    simulator.control.injectFault({ fault, action: 'sync_vendor', times: 0, ...damage });
    const run = await syncTenant(service, tenantId, { refresh: 'force' });
    simulator.control.clearFaults();
    t.equal(run.status, 'failed', `${JSON.stringify(damage)}: ${run.reason}`);
  }
  t.equal(await readRows(service), before, 'no row was written');
});

/** Answers of other implementations, and rows that break the list as a whole. */
const ODD_LISTS: readonly string[] = [
  '{"success":1,"vendor":{"location":"220000001","ubi":"420000001","name":"SINGLE OBJECT","transactionid":"1"}}',
  '{"vendor":[]}',
  '{"vendor":null}',
  '{"success":null,"vendor":null}',
  '{"success":1,"vendor":[{"location":"220000001","ubi":"420000001","name":"RAW\tTAB"}]}',
  '{"success":0,"error":"Your session on this server has expired."}',
  '{"success":0,"error":null,"errorcode":null}',
];

t.test('no known refusal and no odd list changes what is published', async (t) => {
  const service = await startTestService(t, {
    timing: PATIENCE,
    simulator: { licenses: 60, offersSyncCheck: false },
  });
  const { control, demo } = service.simulator;
  const makeTenantOf = async (username: string): Promise<string> => {
    const password = `password of ${username}`;
    control.addUser({ ubi: demo.ubi, username, password });
    const tenantId = await makeTenant(service, 'preference');
    const body = { description: 'own user', username, password, owner: 'company' };
    t.equal((await service.ask('POST', `/v1/tenants/${tenantId}/credentials`, { body })).status, 201);
    t.match((await syncTenant(service, tenantId)).status, /^succeeded/);
    return tenantId;
  };
  // A refused login can change the status of its credential, so each has a tenant and a user of its own.
  for (const refusal of REFUSAL_NAMES) {
    for (const action of ['login', 'sync_vendor']) {
      const username = `${refusal}.${action}@example.com`;
      const tenantId = await makeTenantOf(username);
      const before = await readRows(service);
      if (action === 'login') control.expireSessions({ ubi: demo.ubi, username });
      control.injectFault({ fault: 'error_response', refusal, action, times: 0 });
      const run = await syncTenant(service, tenantId, { refresh: 'force' });
      control.clearFaults();
      t.match(run, { status: 'failed', reason_message: { text: String } }, `${refusal} at ${action}: ${run.reason}`);
      t.equal(await readRows(service), before, `${refusal} at ${action}: no row was written`);
    }
  }
  const tenantId = await makeTenantOf('odd-lists@example.com');
  const before = await readRows(service);
  for (const text of ODD_LISTS) {
    control.injectFault({ fault: 'raw_body', action: 'sync_vendor', times: 0, text });
    const run = await syncTenant(service, tenantId, { refresh: 'force' });
    control.clearFaults();
    t.match(run.status, /^(failed|needs_review)$/, `${text}: ${run.reason}`);
    await forgetRefusal(service);
    t.equal(await readRows(service), before, `${text}: no row was written`);
  }
  t.match((await syncTenant(service, tenantId, { refresh: 'force' })).status, /^succeeded/, 'the state is not blocked');
});
