import t from 'tap';
import { isOwnOutcome, OWNERS } from '../helpers/contract.js';
import { FIRST_PUT, makeTenant, startTestService, syncTenant, waitForRun } from '../helpers/service.js';

/** Step 1, the choice of a strategy, and the checklist. */

const service = await startTestService(t);
const { ask, newId, contract, simulator } = service;
const [demo, limited] = simulator.users as [typeof simulator.demo, typeof simulator.demo];

const etagOf = async (path: string): Promise<Record<string, string>> => ({
  'if-match': (await ask('GET', path)).headers.get('etag') ?? 'none',
});

t.test('getUbi and putUbi', async (t) => {
  const tenantId = await makeTenant(service, 'tenant');
  const path = `/v1/tenants/${tenantId}/ubi`;
  t.match(await ask('GET', path), { status: 404, body: { code: 'not_found' } }, 'not set yet');
  t.match(await ask('PUT', path, { body: { ubi: demo.ubi } }), {
    status: 428,
    body: { code: 'precondition_required' },
  });
  t.match(await ask('PUT', path, { body: { ubi: demo.ubi }, headers: { 'if-match': '"1"' } }), {
    status: 412,
    body: { code: 'precondition_failed' },
  });

  const typed = `  ${demo.ubi.slice(0, 3)}  ${demo.ubi.slice(3)} `;
  const created = await ask('PUT', path, { body: { ubi: typed }, headers: FIRST_PUT });
  t.match(created, { status: 201, body: { ubi: typed, status: 'unverified' } }, 'shown as typed');
  t.match(await ask('GET', path), { status: 200, body: created.body });
  t.equal((await ask('GET', path)).headers.get('etag'), created.headers.get('etag'));
  t.match(
    await ask('PUT', path, { body: { ubi: demo.ubi }, headers: FIRST_PUT }),
    { status: 412, body: { code: 'precondition_failed' } },
    'two admins at once: the second one is told',
  );
  const changed = await ask('PUT', path, { body: { ubi: demo.ubi }, headers: await etagOf(path) });
  t.match(changed, { status: 200, body: { ubi: demo.ubi, status: 'unverified' } }, 'the zero in front stays');

  await ask('POST', `/v1/tenants/${tenantId}/credentials`, {
    body: { ...demo, ubi: undefined, description: 'x', owner: 'company' },
  });
  t.match(await ask('GET', path), { body: { status: 'verified' } }, 'a login has shown it');
  const respelled = await ask('PUT', path, { body: { ubi: ` ${demo.ubi}` }, headers: await etagOf(path) });
  t.match(respelled, { status: 200, body: { status: 'verified' } }, 'another spelling is the same UBI');

  const before = (await ask('GET', `/v1/tenants/${tenantId}/credentials`)).body.data[0];
  t.equal(before.status, 'valid');
  const other = await ask('PUT', path, { body: { ubi: '007331902' }, headers: await etagOf(path) });
  t.match(other, { status: 200, body: { status: 'unverified' } }, 'free to change while there is no license');
  const after = (await ask('GET', `/v1/tenants/${tenantId}/credentials`)).body.data[0];
  t.match(
    after,
    { id: before.id, status: 'unverified', ubi: '007331902' },
    'a login with one UBI says nothing of another',
  );
});

t.test('putUbi, once licenses exist', async (t) => {
  const tenantId = await makeTenant(service);
  const path = `/v1/tenants/${tenantId}/ubi`;
  const available = await ask('GET', `/v1/tenants/${tenantId}/available-licenses`);
  const { license_number } = available.body.data[0];
  const license = await ask('POST', `/v1/tenants/${tenantId}/licenses`, {
    body: { license_number, create_companies: false },
  });
  t.equal(license.status, 201);
  const headers = await etagOf(path);
  t.match(await ask('PUT', path, { body: { ubi: '007331902' }, headers }), {
    status: 409,
    body: { code: 'confirmation_required', reason: 'change_ubi' },
  });
  t.match(await ask('GET', path), { body: { ubi: demo.ubi, status: 'verified' } }, 'nothing was changed');
  t.match(
    await ask('PUT', path, { body: { ubi: ` ${demo.ubi} ` }, headers }),
    { status: 200 },
    'another spelling needs no confirmation',
  );
  t.match(await ask('PUT', path, { body: { ubi: '007331902', confirm: 'yes' }, headers: await etagOf(path) }), {
    status: 400,
    body: { errors: [{ pointer: '/confirm' }] },
  });
  t.match(await ask('PUT', path, { body: { ubi: '007331902', confirm: 'change_ubi' }, headers: await etagOf(path) }), {
    status: 200,
    body: { ubi: '007331902', status: 'unverified' },
  });
});

t.test('putUbi notices a license number, tells what is touched, and lets one of two admins win', async (t) => {
  // The state's list is mirrored from here on.
  const synced = await makeTenant(service);
  await syncTenant(service, synced);
  const [own] = simulator.control.rows({ ubi: demo.ubi });
  const location = own?.location ?? '';
  const tenantId = await makeTenant(service, 'tenant');
  const path = `/v1/tenants/${tenantId}/ubi`;
  for (const pasted of [location, `  ${location} `]) {
    const refused = await ask('PUT', path, { body: { ubi: pasted }, headers: FIRST_PUT });
    t.match(refused, {
      status: 422,
      body: { code: 'ubi_is_license_number', errors: [{ pointer: '/ubi', detail: 'is a license number' }] },
    });
    t.notMatch(JSON.stringify(refused.body), new RegExp(`${demo.ubi}|${own?.name}`), 'and no more is told of the list');
  }
  t.match(await ask('GET', path), { status: 404 }, 'nothing was kept');
  t.match(
    await ask('PUT', path, { body: { ubi: '000000000' }, headers: FIRST_PUT }),
    { status: 201 },
    'a number that the state does not know is for the login to judge',
  );
  t.match(
    await ask('PUT', path, { body: { ubi: location }, headers: await etagOf(path) }),
    { status: 422, body: { code: 'ubi_is_license_number' } },
    'when it is changed, too',
  );
  t.match(await ask('PUT', path, { body: { ubi: demo.ubi }, headers: await etagOf(path) }), { status: 200 });
  const elsewhere = newId();
  await ask('PUT', `/v1/tenants/${elsewhere}`, {
    headers: FIRST_PUT,
    body: { name: 'Test', state: 'NM', environment: 'training' },
  });
  t.match(
    await ask('PUT', `/v1/tenants/${elsewhere}/ubi`, { body: { ubi: location }, headers: FIRST_PUT }),
    { status: 201 },
    'of a data set whose list was never read nothing is known',
  );

  const { license_number } = (await ask('GET', `/v1/tenants/${synced}/available-licenses`)).body.data[0];
  await ask('POST', `/v1/tenants/${synced}/licenses`, { body: { license_number } });
  const companies = (await ask('GET', `/v1/tenants/${synced}/companies?page[size]=500`)).body.data;
  const touched = companies.filter(({ licenses }: { licenses: { ubi: string | null }[] }) =>
    licenses.some(({ ubi }) => ubi?.trim() === demo.ubi || ubi?.trim() === '007331902'),
  ).length;
  t.ok(touched > 0);
  const asked = await ask('PUT', `/v1/tenants/${synced}/ubi`, {
    body: { ubi: '007331902' },
    headers: await etagOf(`/v1/tenants/${synced}/ubi`),
  });
  t.match(asked, {
    status: 409,
    body: { code: 'confirmation_required', effect: { licenses: 1, credentials: 1, companies: touched } },
  });

  for (let round = 0; round < 5; round += 1) {
    const headers = await etagOf(path);
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_each, index) =>
        ask('PUT', path, { body: { ubi: `${demo.ubi}-${round}-${index}` }, headers }),
      ),
    );
    t.strictSame(
      answers.map(({ status }) => status).sort(),
      [200, 412, 412, 412, 412, 412, 412, 412],
      'of eight admins with the same page one wins, and the others are told',
    );
    const winner = answers.find(({ status }) => status === 200);
    t.match(await ask('GET', path), { body: { ubi: winner?.body.ubi } }, 'and what he wrote is there');
  }
});

t.test('putUbi judges the text', async (t) => {
  const tenantId = await makeTenant(service, 'tenant');
  const path = `/v1/tenants/${tenantId}/ubi`;
  for (const ubi of [
    '',
    '   ',
    '\u00a0\u3000',
    'x'.repeat(65),
    42517300,
    null,
    ['042517300'],
    'a\nb',
    'a\u0000b',
    true,
  ]) {
    const { status, body } = await ask('PUT', path, { body: { ubi }, headers: FIRST_PUT });
    t.match(
      { status, body },
      { status: 400, body: { code: 'invalid_request', errors: [{ pointer: '/ubi' }] } },
      JSON.stringify(ubi),
    );
  }
  t.match(await ask('GET', path), { status: 404 }, 'none of it was kept');
  for (const ubi of ["'; drop table ubis; --", '{{7*7}}', 'ÄÖ 統一', '000', '\u{1F33F}']) {
    const { id } = { id: await makeTenant(service, 'tenant') };
    const kept = await ask('PUT', `/v1/tenants/${id}/ubi`, { body: { ubi }, headers: FIRST_PUT });
    t.match(kept, { status: 201, body: { ubi } }, `${ubi} is only text`);
  }
});

t.test('getCompanyCreationPreference and putCompanyCreationPreference', async (t) => {
  const bare = await makeTenant(service, 'tenant');
  t.match(
    await ask('PUT', `/v1/tenants/${bare}/company-creation-preference`, {
      body: { strategy: 'one_per_license' },
      headers: FIRST_PUT,
    }),
    {
      status: 409,
      body: {
        code: 'setup_incomplete',
        next_step: { step: 'ubi', operation_id: 'putUbi', method: 'PUT', path: `/v1/tenants/${bare}/ubi` },
      },
    },
    'the UBI comes first',
  );

  const tenantId = await makeTenant(service, 'ubi');
  const path = `/v1/tenants/${tenantId}/company-creation-preference`;
  t.match(await ask('GET', path), { status: 404, body: { code: 'not_found' } }, 'there is no default');
  for (const body of [
    {},
    { strategy: null },
    { strategy: 'both' },
    { strategy: 'one_per_license', include_labs: 'true' },
  ]) {
    t.match(await ask('PUT', path, { body, headers: FIRST_PUT }), { status: 400 }, JSON.stringify(body));
  }
  t.match(await ask('PUT', path, { body: { strategy: 'one_per_license' } }), {
    status: 428,
    body: { code: 'precondition_required' },
  });
  const chosen = await ask('PUT', path, { body: { strategy: 'one_per_license' }, headers: FIRST_PUT });
  t.match(chosen, { status: 201, body: { strategy: 'one_per_license', include_labs: false } });
  t.match(await ask('GET', path), { status: 200, body: chosen.body });
  t.match(await ask('PUT', path, { body: { strategy: 'one_per_vendor' }, headers: FIRST_PUT }), {
    status: 412,
    body: { code: 'precondition_failed' },
  });
  const body = { strategy: 'one_per_vendor', include_labs: true };
  t.match(
    await ask('PUT', path, { body, headers: await etagOf(path) }),
    { status: 200, body },
    'free before the first sync',
  );
});

t.test('putCompanyCreationPreference, after the first sync', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_license');
  await syncTenant(service, tenantId);
  const path = `/v1/tenants/${tenantId}/company-creation-preference`;
  const put = async (body: Record<string, unknown>) => ask('PUT', path, { body, headers: await etagOf(path) });
  t.match(await put({ strategy: 'one_per_vendor' }), { status: 409, body: { code: 'preview_required' } });
  t.match(await put({ strategy: 'one_per_license' }), { status: 200 }, 'the same again is no switch');
  t.match(await put({ strategy: 'one_per_license', include_labs: true }), { status: 200 }, 'labs only add');
  t.match(
    await put({ strategy: 'one_per_license', include_labs: false }),
    { status: 409, body: { code: 'preview_required' } },
    'without them companies go',
  );
  t.match(await ask('GET', path), { body: { strategy: 'one_per_license', include_labs: true } });
});

t.test('getSetup, step by step', async (t) => {
  const tenantId = newId();
  const path = `/v1/tenants/${tenantId}`;
  const see = async () => {
    const { status, body } = await ask('GET', `${path}/setup`);
    t.equal(status, 200);
    return {
      steps: Object.fromEntries(
        body.steps.map((item: Record<string, unknown>) => [item.step, `${item.status} ${item.who}`]),
      ),
      next: body.next_step?.operation_id ?? null,
      path: body.next_step?.path ?? null,
      blockers: body.steps.flatMap(({ blockers }: { blockers: string[] }) => blockers),
    };
  };
  t.match(await ask('GET', `${path}/setup`), { status: 404, body: { code: 'not_found' } });

  await ask('PUT', path, { headers: FIRST_PUT, body: { name: 'Test', state: 'NM', environment: 'production' } });
  t.match(await see(), {
    steps: {
      ubi: 'todo admin',
      company_creation_preference: 'blocked admin',
      credentials: 'blocked admin',
      licenses: 'blocked admin',
      first_sync: 'blocked admin',
    },
    next: 'putUbi',
    path: `${path}/ubi`,
  });
  await ask('PUT', `${path}/ubi`, { headers: FIRST_PUT, body: { ubi: demo.ubi } });
  t.match(await see(), {
    steps: {
      ubi: 'done nobody',
      company_creation_preference: 'todo admin',
      credentials: 'todo admin',
      licenses: 'blocked admin',
    },
    next: 'putCompanyCreationPreference',
  });
  await ask('PUT', `${path}/company-creation-preference`, { headers: FIRST_PUT, body: { strategy: 'one_per_vendor' } });
  t.match(await see(), {
    steps: { company_creation_preference: 'done nobody', first_sync: 'blocked admin' },
    next: 'createCredential',
  });

  const saved = await ask('POST', `${path}/credentials`, {
    body: {
      description: 'limited',
      username: limited.username,
      password: limited.password,
      owner: 'company',
      verify: 'skip',
    },
  });
  t.equal(saved.status, 201);
  await ask('POST', `${path}/credentials/${saved.body.id}/verify`);
  const refused = await see();
  t.match(
    refused,
    {
      steps: {
        credentials: 'blocked biotrack_administrator',
        licenses: 'blocked biotrack_administrator',
        first_sync: 'blocked biotrack_administrator',
      },
      next: 'verifyCredential',
      path: `${path}/credentials/${saved.body.id}/verify`,
    },
    'somebody else has to act',
  );
  t.match(refused.blockers.join(), /limited.*sync_vendor/, 'and is told what about');

  await ask('POST', `${path}/credentials`, {
    body: { description: 'office', username: demo.username, password: demo.password, owner: 'company' },
  });
  t.match(await see(), {
    steps: { credentials: 'done nobody', licenses: 'todo admin', first_sync: 'todo admin' },
    next: 'createLicense',
  });

  simulator.control.injectFault({ fault: 'slow_first_byte', action: 'sync_vendor', delayMs: 700 });
  const run = await ask('POST', `${path}/syncs`, { body: { refresh: 'force' } });
  t.equal((await see()).steps.first_sync, 'todo nobody', 'a sync is under way: nobody has to act');
  await waitForRun(service, tenantId, run.body.id);
  t.match(await see(), { steps: { first_sync: 'done nobody', licenses: 'todo admin' }, next: 'createLicense' });

  const { license_number } = (await ask('GET', `${path}/available-licenses`)).body.data[0];
  await ask('POST', `${path}/licenses`, { body: { license_number } });
  t.match(await see(), { steps: { licenses: 'done nobody' }, next: null, blockers: [] }, 'nothing is left to do');

  const list = (await ask('GET', `${path}/credentials`)).body.data;
  for (const { id } of list) {
    t.equal(
      (await ask('DELETE', `${path}/credentials/${id}`, { headers: await etagOf(`${path}/credentials/${id}`) })).status,
      204,
    );
  }
  t.match(
    await see(),
    { steps: { credentials: 'todo admin', licenses: 'done nobody' }, next: 'createCredential' },
    'true at every moment',
  );
});

t.test('getSetup, with what goes wrong', async (t) => {
  const { control } = simulator;
  const username = 'setup@example.com';
  const login = { description: 'office', username, password: 'one', owner: 'company' };
  control.addUser({ ubi: demo.ubi, username, password: 'one' });
  const tenantId = await makeTenant(service, 'preference');
  const path = `/v1/tenants/${tenantId}`;
  interface Item {
    readonly step: string;
    readonly status: string;
    readonly who: string;
    readonly blockers: readonly string[];
    readonly warnings: readonly string[];
  }
  const see = async (options: { key?: string } = {}) => {
    const { body } = await ask('GET', `${path}/setup`, options);
    const step = (name: string): Item => body.steps.find((item: Item) => item.step === name);
    const { next_step: next } = body;
    if (next !== null) {
      const operation = contract.getOperation(next.operation_id);
      const template = operation.path.replace('{tenant_id}', tenantId);
      t.match(next.path, new RegExp(`^${template.replace('{id}', '[0-9a-f-]{36}')}$`), 'the call is one of the API');
      t.equal(next.method, operation.method);
    }
    return {
      credentials: step('credentials'),
      licenses: step('licenses'),
      sync: step('first_sync'),
      ubi: step('ubi'),
      next,
    };
  };

  const { id } = (await ask('POST', `${path}/credentials`, { body: { ...login, verify: 'skip' } })).body;
  t.match(
    await see(),
    {
      credentials: { status: 'todo', who: 'admin', blockers: [/^office: No login/] },
      licenses: { status: 'todo' },
      next: { operation_id: 'verifyCredential', method: 'POST', path: `${path}/credentials/${id}/verify` },
    },
    'never tried: and that keeps nobody from going on',
  );
  control.changePassword({ ubi: demo.ubi, username, password: 'two' });
  await ask('POST', `${path}/credentials/${id}/verify`);
  t.match(
    await see(),
    {
      credentials: { status: 'blocked', who: 'admin', blockers: [/^office: BioTrack refuses/] },
      licenses: { status: 'blocked', who: 'admin' },
      sync: { status: 'blocked', who: 'admin' },
      next: { operation_id: 'updateCredential', method: 'PATCH', path: `${path}/credentials/${id}` },
    },
    'rejected: the password is to be entered again, there',
  );
  const { next: mending } = await see();
  for (const [method, call, body] of [
    ['POST', 'syncs', {}],
    ['GET', 'available-licenses', undefined],
    ['GET', 'company-creation-preference/advice', undefined],
    ['POST', 'licenses', { license_number: 'x' }],
  ] as const) {
    const refusal = await ask(method, `${path}/${call}`, body === undefined ? {} : { body });
    t.match(refusal, { status: 409, body: { code: 'setup_incomplete' } });
    t.strictSame(refusal.body.next_step, mending, `${method} ${call} names the call that the checklist names`);
  }
  const one = `${path}/credentials/${id}`;
  await ask('PATCH', one, { body: { password: 'two' }, headers: await etagOf(one) });
  t.match(await see(), { credentials: { status: 'done', who: 'nobody', warnings: [] } });
  await service.sql('update credentials set sealed_password = $2 where id = $1', [id, Buffer.from('nonsense')]);
  t.match(
    await see(),
    { credentials: { status: 'blocked', who: 'admin' }, next: { operation_id: 'updateCredential' } },
    'a password that cannot be opened is no login, whatever BioTrack said of it',
  );
  await ask('PATCH', one, { body: { password: 'two' }, headers: await etagOf(one) });

  await ask('POST', `${path}/credentials`, {
    body: { ...login, description: 'old', username: 'gone@example.com', verify: 'skip' },
  });
  const [, old] = (await ask('GET', `${path}/credentials`)).body.data;
  await ask('POST', `${path}/credentials/${old.id}/verify`);
  t.match(
    await see(),
    { credentials: { status: 'done', blockers: [], warnings: [/^old: BioTrack refuses/] } },
    'one that works is enough, and the other one is told of',
  );

  // A person with a login of his own has what he needs, whatever the company has.
  const bare = await makeTenant(service, 'preference');
  const key = service.tokenOf({ tenantId: bare, role: 'admin', userId: 'own' });
  await ask('POST', `/v1/tenants/${bare}/credentials`, { key, body: { ...login, owner: 'user', password: 'two' } });
  const stepsOf = async (options: { key?: string }) =>
    (await ask('GET', `/v1/tenants/${bare}/setup`, options)).body.steps[2];
  t.match(await stepsOf({ key }), { step: 'credentials', status: 'done' });
  t.match(await stepsOf({}), { step: 'credentials', status: 'todo' }, 'which is nobody else has');

  // Something is new, so that the whole list is asked for.
  control.addVendor({});
  control.injectFault({ fault: 'server_error', action: 'sync_vendor', times: 0 });
  const down = await ask('POST', `${path}/syncs`, { body: { refresh: 'force' } });
  const failed = await waitForRun(service, tenantId, down.body.id);
  control.clearFaults();
  t.match(failed, { status: 'failed', reason: 'upstream_unreachable' });
  const afterwards = await see();
  t.match(afterwards, {
    sync: {
      status: 'blocked',
      blockers: [/^The last sync failed \(upstream_unreachable\): BioTrack cannot be reached/],
    },
  });
  t.ok(['admin', 'nobody'].includes(afterwards.sync.who), 'tried again by whoever comes first');
  await service.sql(`update sync_runs set reason = 'list_shrunk', retry_datetime = null where id = $1`, [failed.id]);
  t.match(await see(), { sync: { status: 'blocked', who: 'operator' } });
  await service.sql(`update sync_runs set reason = 'credentials_rejected' where id = $1`, [failed.id]);
  t.match(
    await see(),
    { sync: { status: 'todo', who: 'admin' } },
    'what the login failed for then is mended by now: the step before says so',
  );
  await service.sql(`update sync_runs set status = 'needs_review', reason = null where id = $1`, [failed.id]);
  t.match(await see(), { sync: { status: 'blocked', who: 'admin', blockers: [/waits for a decision/] } });
  await service.sql(`update sync_runs set status = 'failed', reason = 'internal' where id = $1`, [failed.id]);

  const location = control.addSite({ ubi: demo.ubi }).location;
  await syncTenant(service, tenantId, { refresh: 'force' });
  t.match(await see(), { sync: { status: 'done', warnings: [] }, licenses: { status: 'todo' } });
  await ask('POST', `${path}/licenses`, { body: { license_number: location } });
  t.match(await see(), { licenses: { status: 'done', warnings: [] }, next: null });
  control.vanish({ location });
  await syncTenant(service, tenantId, { refresh: 'force' });
  t.match(
    await see(),
    {
      licenses: {
        status: 'blocked',
        who: 'admin',
        blockers: [new RegExp(`^${location}: The state no longer lists it`)],
      },
      next: { operation_id: 'listAvailableLicenses', method: 'GET' },
    },
    'the only license has left BioTrack',
  );
  const { license_number } = (await ask('GET', `${path}/available-licenses`)).body.data.find(
    ({ state }: { state: string }) => state === 'available',
  );
  await ask('POST', `${path}/licenses`, { body: { license_number } });
  t.match(
    await see(),
    { licenses: { status: 'done', warnings: [new RegExp(`^${location}:`)] }, next: null },
    'one that is there is enough, and the other one is told of',
  );
  const [vanished] = (await ask('GET', `${path}/licenses`)).body.data;
  await ask('DELETE', `${path}/licenses/${vanished.id}`, { headers: await etagOf(`${path}/licenses/${vanished.id}`) });
  t.match(await see(), { licenses: { status: 'done', warnings: [] } }, 'archived, it is no matter any more');

  // Something is new, so that the whole list is asked for.
  control.addVendor({});
  control.injectFault({ fault: 'server_error', action: 'sync_vendor', times: 0 });
  const late = await ask('POST', `${path}/syncs`, { body: { refresh: 'force' } });
  await waitForRun(service, tenantId, late.body.id);
  control.clearFaults();
  t.match(
    await see(),
    { sync: { status: 'done', warnings: [/^The last sync failed/] }, next: null },
    'the set-up is done, and the last sync failed: both are said',
  );

  await service.sql('update tenants set state = $2 where tenant_id = $1', [tenantId, 'ZZ']);
  t.match(
    await see(),
    { credentials: { status: 'blocked', who: 'operator', blockers: [/does not know the state ZZ/] }, next: null },
    'nothing that a call could do',
  );
  await service.sql('update tenants set state = $2 where tenant_id = $1', [tenantId, 'NM']);

  const unknown = await makeTenant(service, 'tenant');
  await ask('PUT', `/v1/tenants/${unknown}/ubi`, { body: { ubi: '999999999' }, headers: FIRST_PUT });
  await ask('POST', `/v1/tenants/${unknown}/credentials`, { body: { ...login, description: 'x' } });
  t.match(
    (await ask('GET', `/v1/tenants/${unknown}/setup`)).body,
    { steps: [{ step: 'ubi', status: 'blocked', who: 'admin' }], next_step: { operation_id: 'putUbi' } },
    'a UBI that BioTrack does not know is no finished step',
  );
});

t.test('every promised answer of these operations was seen', async (t) => {
  t.strictSame(contract.listUnseen(OWNERS['setup.test.ts'], isOwnOutcome), []);
});
