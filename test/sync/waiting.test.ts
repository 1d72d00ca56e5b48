import t from 'tap';
import { startSimulator } from '../../src/simulator/index.js';
import { closeApplyingGate, closePlanningGate } from '../helpers/gates.js';
import { makeTenant, startTestService, syncTenant, type TestResponse, waitForRun } from '../helpers/service.js';
import { until } from '../helpers/until.js';

/** Users' requests while a run of their tenant is planning or applying, and tenants and directories beside it. */

const service = await startTestService(t, { simulator: { licenses: 60, offersSyncCheck: false } });
const { ask, sql, simulator } = service;
const { control, demo } = simulator;

const pathOf = (tenantId: string): string => `/v1/tenants/${tenantId}`;
const ownLicenses = control.rows().filter(({ ubi }) => ubi === demo.ubi);

async function startRun(tenantId: string): Promise<() => Promise<TestResponse['body']>> {
  const { body } = await ask('POST', `${pathOf(tenantId)}/syncs`, { body: { refresh: 'force' } });
  return () => waitForRun(service, tenantId, body.id);
}

async function patchFirstCompany(tenantId: string, body: object): Promise<TestResponse> {
  const [company] = (await ask('GET', `${pathOf(tenantId)}/companies?page[size]=1`)).body.data;
  const path = `${pathOf(tenantId)}/companies/${company.id}`;
  const etag = (await ask('GET', path)).headers.get('etag') as string;
  return ask('PATCH', path, { body, headers: { 'if-match': etag } });
}

const putUbi = async (tenantId: string, ubi: string): Promise<TestResponse> => {
  const etag = (await ask('GET', `${pathOf(tenantId)}/ubi`)).headers.get('etag') as string;
  return ask('PUT', `${pathOf(tenantId)}/ubi`, { body: { ubi, confirm: 'change_ubi' }, headers: { 'if-match': etag } });
};

const postLicense = (tenantId: string, key?: string): Promise<TestResponse> =>
  ask('POST', `${pathOf(tenantId)}/licenses`, {
    body: { license_number: ownLicenses[0]?.location, create_companies: false },
    ...(key === undefined ? {} : { headers: { 'idempotency-key': key } }),
  });

const postCredential = (tenantId: string): Promise<TestResponse> =>
  ask('POST', `${pathOf(tenantId)}/credentials`, {
    body: { description: 'second', username: 'second', password: 'second', owner: 'company', verify: 'skip' },
  });

t.test('while a run plans, writes succeed at once, and the run applies them', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_vendor');
  await syncTenant(service, tenantId);
  const { ubi } = control.rows().find((row) => row.ubi !== demo.ubi && !row.deleted) as { ubi: string };
  control.addSite({ ubi, location: '770000001', name: 'ANOTHER SITE' });
  const gate = await closePlanningGate(service);
  const untilEnded = await startRun(tenantId);
  await gate.untilReached();
  const edited = await patchFirstCompany(tenantId, { name: 'Edited meanwhile' });
  const answers = [edited, await postLicense(tenantId), await postCredential(tenantId)];
  await gate.open();
  t.strictSame(
    answers.map(({ status }) => status),
    [200, 201, 201],
  );
  t.match(await untilEnded(), { status: /^succeeded/ });
  const company = (await ask('GET', `${pathOf(tenantId)}/companies/${edited.body.id}`)).body;
  t.match(company, { name: 'Edited meanwhile', display_name: 'Edited meanwhile' });
  t.match(await syncTenant(service, tenantId), { counts: { updated: 0 } }, 'nothing is left to do');
});

t.test('a changed setup during planning supersedes the run', async (t) => {
  const tenantId = await makeTenant(service);
  await syncTenant(service, tenantId);
  await sql(`update sync_states set compared_datetime = now() - interval '2 days' where tenant_id = $1`, [tenantId]);
  const gate = await closePlanningGate(service);
  const untilEnded = await startRun(tenantId);
  await gate.untilReached();
  const changed = await putUbi(tenantId, '600000001');
  await gate.open();
  t.equal(changed.status, 200);
  t.match(await untilEnded(), { status: 'superseded' });
});

t.test('while a run applies, writes wait a second, then ask to retry', async (t) => {
  const tenantId = await makeTenant(service);
  const gate = await closeApplyingGate(service);
  const untilEnded = await startRun(tenantId);
  await gate.untilReached();
  await until('the step is shown', async () => {
    const [run] = await sql<{ step: string }>('select step from sync_runs where tenant_id = $1', [tenantId]);
    return run?.step === 'applying';
  });
  const startedAt = performance.now();
  const answers = [
    await postLicense(tenantId, 'later'),
    await putUbi(tenantId, demo.ubi),
    await postCredential(tenantId),
  ];
  const seconds = (performance.now() - startedAt) / 1_000;
  for (const answer of answers) {
    t.match(answer, { status: 409, body: { code: 'sync_in_progress' } });
    t.match(answer.headers.get('retry-after'), /^\d+$/);
  }
  t.comment(`three rejected writes took ${seconds.toFixed(1)} s`);
  await gate.open();
  t.match(await untilEnded(), { status: /^succeeded/ });
  t.equal((await postLicense(tenantId, 'later')).status, 201, 'the key keeps no rejection');
});

t.test('a state publishes its list while a run of a tenant plans or applies', async (t) => {
  const tenantId = await makeTenant(service);
  const other = await makeTenant(service);
  await syncTenant(service, other);
  for (const close of [closePlanningGate, closeApplyingGate]) {
    control.addVendor({ name: `Vendor ${close.name}`, sites: 1 });
    const gate = await close(service);
    const untilEnded = await startRun(tenantId);
    await gate.untilReached();
    control.addVendor({ name: `Later ${close.name}`, sites: 1 });
    const { body } = await ask('GET', `${pathOf(other)}/available-licenses`);
    t.ok(body);
    const [before] = await sql<{ version: number }>('select version from directories');
    const refreshed = await ask('POST', `${pathOf(other)}/syncs`, { body: { refresh: 'force' } });
    await until('the next list is published', async () => {
      const [now] = await sql<{ version: number }>('select version from directories');
      return Number(now?.version) > Number(before?.version);
    });
    await gate.open();
    t.match(await untilEnded(), { status: /^succeeded/ });
    t.match(await waitForRun(service, other, refreshed.body.id), { status: /^succeeded/ });
  }
});

t.test('the inputs revision moves with exactly what plans are made from', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_vendor');
  await syncTenant(service, tenantId);
  const path = pathOf(tenantId);
  const read = async (): Promise<number> => {
    const [row] = await sql<{ revision: string }>(
      'select inputs_revision as revision from tenants where tenant_id = $1',
      [tenantId],
    );
    return Number(row?.revision);
  };
  const put = async (name: string, body: object) => {
    const etag = (await ask('GET', `${path}${name}`)).headers.get('etag') as string;
    return ask('PUT', `${path}${name}`, { body, headers: { 'if-match': etag } });
  };
  const preference = '/company-creation-preference';
  const { ubi } = control.rows().find((row) => row.ubi !== demo.ubi && !row.deleted) as { ubi: string };
  const manual = { name: 'Manual', license_numbers: ['770000009'] };
  t.equal((await ask('POST', `${path}/companies`, { body: manual })).status, 201);
  control.addSite({ ubi, location: '770000009', name: 'MANUAL LICENSE' });
  await syncTenant(service, tenantId, { refresh: 'force' });
  const [conflict] = (await ask('GET', `${path}/conflicts?status=open`)).body.data;
  const sync = async (): Promise<TestResponse> => {
    const started = await ask('POST', `${path}/syncs`, { body: { refresh: 'force' } });
    await waitForRun(service, tenantId, started.body.id);
    return started;
  };
  const syncNewSite = (): Promise<TestResponse> => {
    control.addSite({ ubi, location: '770000010', name: 'ONE MORE SITE' });
    return sync();
  };
  const resolve = (): Promise<TestResponse> =>
    ask('POST', `${path}/conflicts/${conflict.id}/resolve`, { body: { decision: 'keep_apart' } });
  const writes: readonly [string, moves: boolean, () => Promise<TestResponse>][] = [
    ['a sync that changes only licenses', true, syncNewSite],
    ['a sync that finds nothing new', false, sync],
    ['a decision', true, resolve],
    ['a license of the tenant', false, () => postLicense(tenantId)],
    ['a name', true, () => patchFirstCompany(tenantId, { name: 'Renamed' })],
    ['the UBI', true, () => putUbi(tenantId, '600000002')],
    ['the same UBI', false, () => putUbi(tenantId, '600000002')],
    ['laboratories', true, () => put(preference, { strategy: 'one_per_vendor', include_labs: true })],
    ['the same preference', false, () => put(preference, { strategy: 'one_per_vendor', include_labs: true })],
    ['a manual company', true, () => ask('POST', `${path}/companies`, { body: { name: 'M', license_numbers: ['9'] } })],
    ['a credential', false, () => postCredential(tenantId)],
    ['the name of the tenant', false, () => put('', { name: 'New', state: 'NM', environment: 'production' })],
  ];
  for (const [what, moves, write] of writes) {
    const before = await read();
    const { status, body } = await write();
    t.ok(status < 300, `${what}: ${status} ${JSON.stringify(body)}`);
    const after = await read();
    t.equal(after > before, moves, what);
  }
});

/** What a plan is made from. The values of `ubis`, `creation_preferences` and `tenants` count only if they change. */
const INPUTS: Readonly<Record<string, readonly string[] | 'all'>> = {
  companies: 'all',
  company_licenses: 'all',
  vendor_companies: 'all',
  conflicts: ['decision', 'decided_company_id', 'decided_company_ids'],
  sync_states: ['dismissed_input_versions'],
};

t.test('the inputs revision moves with no other column of the tenant', async (t) => {
  const tenantId = await makeTenant(service);
  await syncTenant(service, tenantId);
  // Reads the columns from the catalog, so that new columns are covered too.
  const columns = await sql<{ table: string; column: string }>(
    `select table_name as table, column_name as column from information_schema.columns
      where table_schema = 'public' and is_generated = 'NEVER' and is_identity = 'NO' and column_name <> 'tenant_id' and table_name in (
              select table_name from information_schema.columns where table_schema = 'public' and column_name = 'tenant_id')
        and table_name in (select table_name from information_schema.tables where table_type = 'BASE TABLE')`,
  );
  t.ok(columns.length > 150, `${columns.length} columns`);
  const read = () =>
    sql<{ inputs_revision: string }>('select inputs_revision from tenants where tenant_id = $1', [tenantId]);
  for (const { table, column } of columns) {
    const [before] = await read();
    await sql(
      `begin; set local app.tenant_id = '${tenantId}';
       update ${table} set "${column}" = "${column}" where tenant_id = '${tenantId}'; commit`,
    );
    const [after] = await read();
    const inputs = INPUTS[table] ?? [];
    const isInput = inputs === 'all' || inputs.includes(column);
    t.equal(Number(after?.inputs_revision) > Number(before?.inputs_revision), isInput, `${table}.${column}`);
  }
});

t.test('one large plan at a time is in memory; smaller ones pass by', async (t) => {
  const small = await startSimulator({ state: 'nm', licenses: 20 });
  t.teardown(() => small.close());
  const large = await startTestService(t, {
    simulator: { licenses: 60 },
    largePlanLicenses: 50,
    timing: { sweepMs: 50 },
    states: (production) => ({
      NM: { environments: { production, training: { ...production, url: small.url, origin_id: 'small' } } },
    }),
  });
  const tenants = [await makeTenant(large), await makeTenant(large)] as const;
  const other = await makeTenant(
    { ask: large.ask, newId: large.newId, simulator: small },
    'credential',
    'one_per_license',
    'training',
  );
  const gate = await closeApplyingGate(large);
  const start = async (tenantId: string): Promise<string> =>
    (await large.ask('POST', `${pathOf(tenantId)}/syncs`, { body: {} })).body.id;
  const runs = [await start(tenants[0])];
  await gate.untilReached();
  runs.push(await start(tenants[1]));
  await until('the second run waits', async () => {
    const [run] = await large.sql('select from sync_runs where id = $1 and retry_datetime is not null', [runs[1]]);
    return run !== undefined;
  });
  const preview = await large.ask('POST', `${pathOf(other)}/syncs`, { body: { mode: 'preview' } });
  t.equal(preview.status, 202, JSON.stringify(preview.body));
  t.match(await waitForRun(large, other, preview.body.id), { status: 'succeeded' }, 'a smaller plan passes by');
  t.match((await large.ask('GET', `${pathOf(tenants[1])}/syncs/${runs[1]}`)).body, { status: 'queued' });
  await gate.open();
  for (const [index, tenantId] of tenants.entries())
    t.match(await waitForRun(large, tenantId, runs[index] as string), { status: /^succeeded/, attempt: 1 });
});
