import t from 'tap';
import { isOwnOutcome, OWNERS } from '../helpers/contract.js';
import { FIRST_PUT, makeTenant, startTestService, syncTenant } from '../helpers/service.js';

const service = await startTestService(t);
const { ask, newId, contract, simulator } = service;
const { demo } = simulator;

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
  t.match(created, { status: 201, body: { ubi: typed, status: 'unverified' } }, 'returned as entered');
  t.match(await ask('GET', path), { status: 200, body: created.body });
  t.equal(created.headers.get('etag'), created.body.etag);
  t.match(
    await ask('PUT', path, { body: { ubi: demo.ubi }, headers: FIRST_PUT }),
    { status: 412, body: { code: 'precondition_failed' } },
    'the second of two concurrent admins is rejected',
  );
  const changed = await ask('PUT', path, { body: { ubi: demo.ubi }, headers: await etagOf(path) });
  t.match(changed, { status: 200, body: { ubi: demo.ubi, status: 'unverified' } }, 'the leading zero stays');

  await ask('POST', `/v1/tenants/${tenantId}/credentials`, {
    body: { ...demo, ubi: undefined, description: 'x', owner: 'company' },
  });
  t.match(await ask('GET', path), { body: { status: 'verified' } }, 'verified by a login');
  const respelled = await ask('PUT', path, { body: { ubi: ` ${demo.ubi}` }, headers: await etagOf(path) });
  t.match(respelled, { status: 200, body: { status: 'verified' } }, 'another spelling is the same UBI');

  const before = (await ask('GET', `/v1/tenants/${tenantId}/credentials`)).body.data[0];
  t.equal(before.status, 'valid');
  const other = await ask('PUT', path, { body: { ubi: '007331902' }, headers: await etagOf(path) });
  t.match(other, { status: 200, body: { status: 'unverified' } }, 'can change freely without licenses');
  const after = (await ask('GET', `/v1/tenants/${tenantId}/credentials`)).body.data[0];
  t.match(after, { id: before.id, status: 'unverified', ubi: '007331902' }, 'another UBI makes credentials unverified');
});

t.test('putUbi requires a confirmation once licenses exist', async (t) => {
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

t.test('putUbi rejects license numbers, reports the effect, and lets one concurrent change succeed', async (t) => {
  // This sync mirrors the state's list.
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
      body: {
        code: 'ubi_is_license_number',
        errors: [{ pointer: '/ubi', detail: 'is a license number in this state' }],
      },
    });
    t.notMatch(
      JSON.stringify(refused.body),
      new RegExp(`${demo.ubi}|${own?.name}`),
      'reveals nothing else of the list',
    );
  }
  t.match(await ask('GET', path), { status: 404 }, 'nothing is saved');
  t.match(
    await ask('PUT', path, { body: { ubi: '000000000' }, headers: FIRST_PUT }),
    { status: 201 },
    'accepts a number that the state does not list',
  );
  t.match(
    await ask('PUT', path, { body: { ubi: location }, headers: await etagOf(path) }),
    { status: 422, body: { code: 'ubi_is_license_number' } },
    'also checked on change',
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
    'cannot be checked before the list of this environment was read',
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
      'one of eight concurrent changes succeeds, the others return 412',
    );
    const winner = answers.find(({ status }) => status === 200);
    t.match(await ask('GET', path), { body: { ubi: winner?.body.ubi } }, 'the successful change is saved');
  }
});

t.test('putUbi validates its text', async (t) => {
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
  t.match(await ask('GET', path), { status: 404 }, 'nothing is saved');
  for (const ubi of ["'; drop table ubis; --", '{{7*7}}', 'ÄÖ 統一', '000', '\u{1F33F}']) {
    const { id } = { id: await makeTenant(service, 'tenant') };
    const kept = await ask('PUT', `/v1/tenants/${id}/ubi`, { body: { ubi }, headers: FIRST_PUT });
    t.match(kept, { status: 201, body: { ubi } }, `${ubi} is accepted as text`);
  }
});

t.test('every documented answer of these operations was seen', async (t) => {
  t.strictSame(contract.listUnseen(OWNERS['ubi.test.ts'], isOwnOutcome), []);
});
