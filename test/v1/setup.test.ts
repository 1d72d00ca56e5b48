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

t.test('every promised answer of these operations was seen', async (t) => {
  t.strictSame(contract.listUnseen(OWNERS['setup.test.ts'], isOwnOutcome), []);
});
