import t from 'tap';
import { restoreStatuses } from '../../src/modules/credentials/index.js';
import { inLockedTenant } from '../../src/modules/tenants/index.js';
import { makeTenant, startTestService, syncTenant } from '../helpers/service.js';
import { until } from '../helpers/until.js';

/** Logins that BioTrack refuses in other words than for a wrong password, and refusals that are a problem of the state. */

const service = await startTestService(t, { simulator: { licenses: 60, offersSyncCheck: false } });
const { ask, sql, simulator } = service;
const { control, demo } = simulator;
const OTHER = { ubi: demo.ubi, username: 'other@example.com', password: 'other-password' };
control.addUser(OTHER);

// biome-ignore lint/suspicious/noExplicitAny: bodies of every shape.
type Body = any;

/** Refuses every login until `clearFaults`. */
const refuse = (error: string | null, errorcode: number | null = null): void =>
  void control.injectFault({ fault: 'error_response', action: 'login', times: 0, error, errorcode });
const countLogins = (): number => control.counters().logins;
const read = async (path: string): Promise<Body> => (await ask('GET', path)).body;

/** A tenant that is synced on a schedule, with a login of this user. */
async function makeSynced(user: { username: string; password: string } = demo): Promise<string> {
  const id = await makeTenant(service, 'preference');
  const path = `/v1/tenants/${id}`;
  const { username, password } = user;
  const login = { description: 'office', username, password, owner: 'company' };
  t.equal((await ask('POST', `${path}/credentials`, { body: login })).status, 201);
  const [{ license_number }] = (await read(`${path}/available-licenses`)).data;
  await ask('POST', `${path}/licenses`, { body: { license_number } });
  await untilIdle(id);
  return id;
}

/** Waits until no run is active or due, so that the next request starts a new one. */
const untilIdle = (tenantId: string): Promise<unknown> =>
  until('idle', async () => {
    const { next_datetime } = await read(`/v1/tenants/${tenantId}/schedule`);
    const [latest] = (await read(`/v1/tenants/${tenantId}/syncs`)).data;
    return (next_datetime === null || Date.parse(next_datetime) > Date.now()) && latest?.finished_datetime !== null;
  });
const readCredential = async (tenantId: string): Promise<Body> =>
  (await read(`/v1/tenants/${tenantId}/credentials`)).data[0];
const force = (tenantId: string, id: string) =>
  ask('POST', `/v1/tenants/${tenantId}/credentials/${id}/verify`, {
    key: service.tokenOf({ tenantId, role: 'admin' }),
    body: { force: true },
  });

const REFUSALS: readonly (readonly [text: string, code: number | null])[] = [
  ['Your account has been locked.', null],
  ['Invalid login.', null],
  ['Your password has expired.', null],
  ['User is not active.', null],
  ['Your account is temporarily locked. Please try again later.', null],
  ['Too many failed login attempts. Please try again later.', null],
  ['Password does not match. Please try again later.', null],
  ['Rate limit: account locked.', null],
  ['An error occurred while processing your request.', 602],
];

for (const [text, code] of REFUSALS) {
  t.test(`"${text}" refuses the login`, async (t) => {
    const tenantId = await makeSynced();
    const path = `/v1/tenants/${tenantId}`;
    const { id } = await readCredential(tenantId);

    refuse(text, code);
    const fresh = await makeTenant(service, 'preference');
    const { username, password } = demo;
    const login = { description: 'x', username, password, owner: 'company' };
    const saved = await ask('POST', `/v1/tenants/${fresh}/credentials`, { body: login });
    t.match(saved, { status: 422, body: { code: 'login_refused' } }, 'a new login');
    t.strictSame((await read(`/v1/tenants/${fresh}/credentials`)).data, [], 'is not saved');
    t.notMatch(JSON.stringify(saved.body), text, "BioTrack's words are not shown");

    const run = await syncTenant(service, tenantId, { refresh: 'force' });
    t.match(run, { status: 'failed', reason: 'login_refused', attempt: 1, operator_detail: text });
    t.notMatch(run.reason_message.text, text);
    t.match(await readCredential(tenantId), { status: 'refused', status_message: { text: /locked or inactive/ } });
    t.match(await read(`${path}/schedule`), { status: 'paused', reason: 'login_refused', next_datetime: null });
    const { steps, next_step } = await read(`${path}/setup`);
    t.match(
      steps.find(({ step }: Body) => step === 'credentials'),
      { status: 'blocked', who: 'admin' },
      'the setup asks the owner',
    );
    t.match(next_step, { operation_id: 'updateCredential', path: `${path}/credentials/${id}` });
    const logins = countLogins();
    t.match(await ask('POST', `${path}/syncs`, { body: { refresh: 'force' } }), { status: 409 });
    t.match(await ask('POST', `${path}/credentials/${id}/verify`), {
      body: { result: 'refused', remembered: true, credential: { status: 'refused' } },
    });
    t.equal(countLogins(), logins, 'the login is not repeated by a machine');
    const admin = service.tokenOf({ tenantId, role: 'admin' });
    t.match((await ask('GET', `${path}/syncs/${run.id}`, { key: admin })).body, { operator_detail: null });

    control.clearFaults();
    t.match(await force(tenantId, id), { body: { result: 'valid', credential: { status: 'valid' } } });
    t.match(await read(`${path}/schedule`), { status: 'running' }, 'a user fixes it');
  });
}

t.test('the operator reads the text without what was sent', async (t) => {
  const user = { ubi: demo.ubi, username: 'Secret.Name@example.com', password: 'pa$$ & "word"' };
  control.addUser(user);
  const tenantId = await makeSynced(user);
  const echoes = [
    user.password,
    encodeURIComponent(user.password),
    JSON.stringify(user.password),
    'pa$$ &amp; &quot;word&quot;',
    user.username.toUpperCase(),
    user.ubi,
  ];
  refuse(`Sorry, ${echoes.join(' | ')} is odd. ${'x'.repeat(1_000)}`);
  const run = await syncTenant(service, tenantId, { refresh: 'force' });
  control.clearFaults();
  t.match(run.operator_detail, /^Sorry, .* is odd\. x+$/);
  t.equal(run.operator_detail.length, 300);
  t.match(service.logged(), 'is odd. xxx', 'it is logged');
  for (const seen of [run.operator_detail, service.logged()]) {
    for (const echo of echoes) t.notOk(seen.includes(echo), `without ${echo}`);
  }
});

const TROUBLES: readonly (readonly [text: string | null, code: number | null])[] = [
  ['The system is down for maintenance.', null],
  ['Server is too busy.', 602],
  ['Service temporarily unavailable', null],
  ['Please try again later.', null],
  ['An internal error has occurred. Please try again.', 1000],
];

for (const [text, code] of TROUBLES) {
  t.test(`"${text}" is a problem of the state`, async (t) => {
    const tenantId = await makeSynced();
    const path = `/v1/tenants/${tenantId}`;
    refuse(text, code);
    const fresh = await makeTenant(service, 'preference');
    const { username, password } = demo;
    const login = { description: 'x', username, password, owner: 'company' };
    const saved = await ask('POST', `/v1/tenants/${fresh}/credentials`, { body: login });
    t.match(saved, { status: 503, body: { code: 'upstream_unavailable', reason: 'upstream_trouble' } });
    for (let failure = 1; failure <= 4; failure += 1) {
      t.match(await syncTenant(service, tenantId, { refresh: 'force' }), {
        status: 'failed',
        reason: 'upstream_trouble',
        operator_detail: text,
      });
    }
    control.clearFaults();
    t.match(await readCredential(tenantId), { status: 'valid' }, 'the login keeps its status');
    t.match(await read(`${path}/schedule`), { status: 'running', failures: 4 }, 'the schedule is not paused');
    t.match(await syncTenant(service, tenantId, { refresh: 'force' }), { status: /^succeeded/ });
  });
}

t.test('one text that refuses two usernames within ten minutes is a problem of the state', async (t) => {
  const beside = await startTestService(t, { beside: service, role: 'api' });
  const [first, second] = [await makeSynced(), await makeSynced(OTHER)];
  const refused = async (tenantId: string, text: string): Promise<Body> => {
    await untilIdle(tenantId);
    refuse(text);
    const run = await syncTenant(service, tenantId, { refresh: 'force' });
    control.clearFaults();
    return run;
  };
  const [one, two] = [await readCredential(first), await readCredential(second)];

  t.match(await refused(first, 'Not now, case 1.'), { reason: 'login_refused' });
  t.match(await refused(second, 'Something else.'), { reason: 'login_refused' }, 'another text of another user');
  t.match(await readCredential(first), { status: 'refused' });
  refuse('Not now, case 2.');
  t.match(
    await beside.ask('POST', `/v1/tenants/${second}/credentials/${two.id}/verify`, {
      key: service.tokenOf({ tenantId: second, role: 'admin' }),
      body: { force: true },
    }),
    { body: { result: 'unavailable' } },
    'the same text for the second username, in another process',
  );
  control.clearFaults();
  t.match(await readCredential(first), { status: 'valid' }, 'the status that it caused is restored');
  t.match(await read(`/v1/tenants/${first}/schedule`), { status: 'running' }, 'with the schedule');
  t.match(await readCredential(second), { status: 'refused' }, 'the status that another text caused is not');
  await untilIdle(first);
  t.match(await syncTenant(service, first, { refresh: 'force' }), { status: /^succeeded/ });
  t.match(await force(second, two.id), { body: { result: 'valid' } });

  t.match(await refused(first, 'Not now, case 3.'), { status: 'failed', reason: 'upstream_trouble' });
  t.match(await readCredential(first), { status: 'valid' }, 'a third refusal is one, too');

  await sql(`update refused_usernames set refused_datetime = now() - interval '11 minutes'`);
  t.match(await refused(first, 'Not now, case 4.'), { reason: 'login_refused' }, 'ten minutes later it is not');
  t.match(await readCredential(first), { id: one.id, status: 'refused' });
  t.match(await refused(second, 'Not now, case 5.'), { reason: 'upstream_trouble' });
  t.match(await readCredential(first), { status: 'valid' });
  t.match(await readCredential(second), { status: 'valid' });
  const mixed = await sql('select from audit where changed::text like $1 and tenant_id = $2', ['%credentials%', first]);
  t.equal(mixed.length, 1, 'the restored tenant has no audit row of the request, only that of its own credential');
});

t.test('a status from a refusal in another tenant is restored, too', async (t) => {
  const user = { ubi: demo.ubi, username: 'shared@example.com', password: 'right' };
  control.addUser(user);
  const [first, second, skipping] = [
    await makeSynced(user),
    await makeSynced(user),
    await makeTenant(service, 'preference'),
  ];
  refuse('Closed, case 1.');
  t.match(await syncTenant(service, first, { refresh: 'force' }), { reason: 'login_refused' });
  const logins = countLogins();
  t.match(await syncTenant(service, second, { refresh: 'force' }), { reason: 'login_refused' });
  const { username, password } = user;
  const skipped = { description: 'x', username, password, owner: 'company', verify: 'skip' };
  t.match(await ask('POST', `/v1/tenants/${skipping}/credentials`, { body: skipped }), { body: { status: 'refused' } });
  t.equal(countLogins(), logins, 'neither sent the login');
  await sql(
    `update credentials set status = 'refused', status_before_refusal = 'valid',
    refused_text = (select refused_text from credentials where tenant_id = $1) where tenant_id = $2`,
    [second, first],
  );

  const fresh = await makeTenant(service, 'preference');
  const other = { description: 'x', username: OTHER.username, password: 'not known yet', owner: 'company' };
  const answer = await ask('POST', `/v1/tenants/${fresh}/credentials`, { body: other });
  t.match(answer, { status: 503, body: { reason: 'upstream_trouble' } });
  control.clearFaults();
  t.match(await readCredential(first), { status: 'valid' });
  t.match(await readCredential(second), { status: 'valid' });
  t.match(await readCredential(skipping), { status: 'unverified' });
  t.match(await read(`/v1/tenants/${second}/schedule`), { status: 'running' });
});

t.test('what could not be restored is restored by the next sweep', async (t) => {
  const [first, second] = [await makeSynced(), await makeSynced(OTHER)];
  const refuseOne = async (tenantId: string, text: string): Promise<Body> => {
    refuse(text);
    const run = await syncTenant(service, tenantId, { refresh: 'force' });
    control.clearFaults();
    await untilIdle(tenantId);
    return run;
  };
  t.match(await refuseOne(first, 'Stopped, case 1.'), { reason: 'login_refused' });
  await sql(
    'alter table credentials add constraint broken check (status <> $$valid$$ or username <> $$demo@example.com$$) not valid',
  );
  t.match(await refuseOne(second, 'Stopped, case 2.'), { reason: 'upstream_trouble' }, 'the run is not affected');
  t.match(await readCredential(first), { status: 'refused' });
  await sql('alter table credentials drop constraint broken');
  const errors: unknown[] = [];
  await restoreStatuses(service.service.db, (error) => errors.push(error));
  t.strictSame(errors, []);
  t.match(await readCredential(first), { status: 'valid' });
});

t.test('a refusal is remembered even if its tenant is locked', async (t) => {
  const user = { ubi: demo.ubi, username: 'locked@example.com', password: 'right' };
  control.addUser(user);
  const [locked, other] = [await makeSynced(user), await makeSynced(user)];
  const logins = countLogins();
  control.changePassword({ ...user, password: 'changed', endSessions: true });
  const countRejected = async (): Promise<number> =>
    (await sql("select from login_attempts where refusal = 'rejected'")).length;
  const rejected = await countRejected();
  const { db } = service.service;
  let unlock = (): void => undefined;
  const gate = new Promise<void>((resolve) => {
    unlock = resolve;
  });
  control.injectFault({ fault: 'slow_first_byte', action: 'login', times: 1, delayMs: 1_000 });
  const running = syncTenant(service, locked, { refresh: 'force' });
  await until('the login is sent', async () => control.counters().callsInFlight > 0);
  const holding = inLockedTenant(db, locked, () => gate);
  await until('the refusal is saved', async () => (await countRejected()) > rejected);
  unlock();
  await holding;
  t.match(await running, { status: 'failed' });
  t.match(await syncTenant(service, other, { refresh: 'force' }), { reason: 'credentials_rejected' });
  t.equal(countLogins(), logins + 1, 'it is not sent again');
});

t.test('a bare refusal', async (t) => {
  const tenantId = await makeSynced();
  const path = `/v1/tenants/${tenantId}`;
  refuse(null);
  for (let failure = 1; failure <= 4; failure += 1) {
    t.match(await syncTenant(service, tenantId, { refresh: 'force' }), {
      status: 'failed',
      reason: 'upstream_trouble',
      operator_detail: null,
    });
  }
  t.match(await read(`${path}/schedule`), { status: 'running', failures: 4 }, 'nothing is paused');
  t.match(await readCredential(tenantId), { status: 'valid' }, 'the login is not blamed');
  t.match(await read(`${path}/ubi`), { status: 'verified' }, 'nor is the UBI');
  const { id } = await readCredential(tenantId);
  t.match(await ask('POST', `${path}/credentials/${id}/verify`), { body: { result: 'unavailable' } });

  const { username, password } = OTHER;
  const other = { description: 'other', username, password, owner: 'company' };
  t.match(
    await ask('POST', `${path}/credentials`, { body: other }),
    { status: 422, body: { code: 'login_refused' } },
    'for a known UBI, a login that was never valid is refused',
  );
  const fresh = await makeTenant(service, 'ubi');
  t.match(
    await ask('POST', `/v1/tenants/${fresh}/credentials`, { body: other }),
    { status: 422, body: { code: 'ubi_rejected' } },
    'for a UBI that was never verified, the UBI is unknown',
  );
  control.clearFaults();
});

t.test('a bare refusal of a valid login is retried with backoff', async (t) => {
  const patient = await startTestService(t, {
    simulator: { licenses: 20, offersSyncCheck: false },
    timing: { runs: { attempts: 4, baseSeconds: 0.2, maxSeconds: 1 }, sweepMs: 50 },
  });
  const tenantId = await makeTenant(patient);
  patient.simulator.control.injectFault({
    fault: 'error_response',
    action: 'login',
    times: 3,
    error: null,
    errorcode: null,
  });
  t.match(await syncTenant(patient, tenantId, { refresh: 'force' }), { status: /^succeeded/, attempt: 4 });
});

t.test('a schedule continues at once only with another login', async (t) => {
  const tenantId = await makeSynced();
  const path = `/v1/tenants/${tenantId}`;
  control.changePassword({ ...demo, password: 'changed' });
  t.match(await syncTenant(service, tenantId, { refresh: 'force' }), { reason: 'credentials_rejected' });
  t.match(await read(`${path}/schedule`), { status: 'paused' }, 'there is no other login');
  control.changePassword(demo);
  const { id } = await readCredential(tenantId);
  t.match(await force(tenantId, id), { body: { result: 'valid' } });

  const { username, password } = OTHER;
  const other = { description: 'other', username, password, owner: 'company' };
  t.equal((await ask('POST', `${path}/credentials`, { body: other })).status, 201);
  await untilIdle(tenantId);
  refuse('Your account has been locked.');
  const run = await syncTenant(service, tenantId, { refresh: 'force' });
  control.clearFaults();
  t.match(run, { reason: 'login_refused', credential: { id } });
  const next = await until('the next run', async () => {
    const [latest] = (await read(`${path}/syncs`)).data;
    return latest.id !== run.id && latest.finished_datetime !== null ? latest : undefined;
  });
  t.match(next, { status: /^succeeded/, trigger: 'schedule' });
  t.not(next.credential.id, id, 'with the other login');
});
