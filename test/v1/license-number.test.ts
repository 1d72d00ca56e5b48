import t from 'tap';
import { startTestService, syncTenant } from '../helpers/service.js';

/** The license number that logins send in states with the REST API. */

const service = await startTestService(t, {
  simulator: { state: 'fl' },
  states: (environment) => ({
    FL: { environments: { production: { ...environment, dialect: 'rest' } } },
  }),
});
const { ask, newId, simulator } = service;
const { demo, control } = simulator;
const [{ location } = { location: '' }] = control.rows({ ubi: demo.ubi });
const LOGIN = { description: 'Office', username: demo.username, password: demo.password, owner: 'company' };
const countLogins = (): number => control.counters().logins;
const etagOf = async (path: string): Promise<Record<string, string>> => ({
  'if-match': (await ask('GET', path)).headers.get('etag') ?? 'none',
});

async function makeFlTenant(): Promise<{ id: string; path: string }> {
  const id = newId();
  const first = { 'if-none-match': '*' };
  const tenant = { name: 'Test', state: 'FL', environment: 'production' };
  await ask('PUT', `/v1/tenants/${id}`, { headers: first, body: tenant });
  await ask('PUT', `/v1/tenants/${id}/ubi`, { headers: first, body: { ubi: demo.ubi } });
  const preference = { strategy: 'one_per_license' };
  await ask('PUT', `/v1/tenants/${id}/company-creation-preference`, { headers: first, body: preference });
  return { id, path: `/v1/tenants/${id}/credentials` };
}

/** The answer to a login with a license number of another UBI. */
const REJECTED = {
  status: 422,
  body: { code: 'login_refused', detail: /the license number is wrong/ },
};

t.test('it is sent with the login and with every call', async (t) => {
  const { id, path } = await makeFlTenant();
  t.match(await ask('POST', path, { body: { ...LOGIN, license_number: 'MMTC-OTHER' } }), REJECTED, 'sent at login');
  const created = await ask('POST', path, { body: { ...LOGIN, license_number: location } });
  t.match(created, { status: 201, body: { status: 'valid', license_number: location } });
  const one = `${path}/${created.body.id}`;
  t.match(await ask('GET', one), { body: { license_number: location } });
  t.match(await syncTenant(service, id), { status: 'succeeded' });

  control.rename({ location, name: 'RENAMED' });
  control.vanish({ location });
  t.match(
    await syncTenant(service, id, { refresh: 'force' }),
    { status: 'failed', reason: 'login_refused' },
    'sent with calls too: the simulator no longer knows the license',
  );
  control.restore({ location });
});

t.test('changing it is a new login', async (t) => {
  const { path } = await makeFlTenant();
  const created = await ask('POST', path, { body: LOGIN });
  t.match(created, { status: 201, body: { license_number: null } });
  const one = `${path}/${created.body.id}`;
  const patch = async (body: unknown) => ask('PATCH', one, { body, headers: await etagOf(one) });

  t.match(await patch({ license_number: 'MMTC-OTHER' }), REJECTED);
  t.match(await ask('GET', one), { body: { license_number: null } }, 'nothing was saved');
  const before = countLogins();
  t.match(await patch({ license_number: location }), { status: 200, body: { license_number: location } });
  t.equal(countLogins(), before + 1);
  t.match(await patch({ license_number: location, description: 'New' }), { status: 200 });
  t.equal(countLogins(), before + 1, 'the same number is no new login');
  t.match(await patch({ description: 'Newer' }), { body: { license_number: location } }, 'absent keeps it');
  t.match(await patch({ license_number: null }), { status: 200, body: { license_number: null } });
  t.equal(countLogins(), before + 2);
});

t.test('a refusal is remembered for one license number', async (t) => {
  const { path } = await makeFlTenant();
  const wrong = { ...LOGIN, password: 'wrong' };
  const rejected = { status: 422, body: { code: 'credentials_rejected' } };
  const before = countLogins();
  t.match(await ask('POST', path, { body: wrong }), rejected);
  t.match(await ask('POST', path, { body: wrong }), rejected);
  t.equal(countLogins(), before + 1);
  t.match(await ask('POST', path, { body: { ...wrong, license_number: location } }), rejected);
  t.equal(countLogins(), before + 2, 'another license number is another login');
});

t.test('a configuration document shows it, and changing it needs a verification', async (t) => {
  const { id, path } = await makeFlTenant();
  const created = await ask('POST', path, { body: { ...LOGIN, license_number: location } });
  const one = `${path}/${created.body.id}`;
  const document = `/v1/tenants/${id}/configuration`;
  const entry = { description: 'Office', username: demo.username };
  const put = async (credentials: unknown) =>
    (await ask('PUT', document, { body: { credentials }, headers: await etagOf(document) })).body;
  const { body } = await ask('GET', document);
  t.strictSame(body.credentials, [{ ...entry, license_number: location }]);
  t.match(await put(body.credentials), { differences: [] }, 'as it is');
  t.match(await put([entry]), { differences: [] }, 'absent keeps it');

  const pending = { action: 'needs_verification', applied: false, message: { text: /PATCH/ } };
  const field = `/credentials/${demo.username}/license_number`;
  for (const wanted of ['MMTC-OTHER', null]) {
    t.match(await put([{ ...entry, license_number: wanted }]), {
      applied: 0,
      pending: 1,
      differences: [{ ...pending, path: field, before: location, after: wanted }],
    });
  }
  t.match(await ask('GET', one), { body: { license_number: location, status: 'valid' } }, 'nothing changed');
  const patched = await ask('PATCH', one, { body: { license_number: null }, headers: await etagOf(one) });
  t.equal(patched.status, 200);
  t.match(await put([{ ...entry, license_number: null }]), { differences: [] });

  const fresh = { description: 'Lab', username: 'lab@example.com', license_number: 'MMTC-1' };
  t.match(await put([entry, fresh]), {
    differences: [{ action: 'needs_password', path: '/credentials/lab@example.com', after: fresh }],
  });
});

t.test('it is refused if it cannot be sent', async (t) => {
  const fl = await makeFlTenant();
  for (const text of ['', ' A', 'A\r\nX-Evil: 1', 'Ä', 'A'.repeat(65)]) {
    t.match(
      await ask('POST', fl.path, { body: { ...LOGIN, license_number: text } }),
      { status: 400, body: { code: 'invalid_request', errors: [{ pointer: '/license_number' }] } },
      JSON.stringify(text),
    );
  }
});
