import t from 'tap';
import type { Message } from '../../src/domain/message.js';
import { isOwnOutcome, OWNERS } from '../helpers/contract.js';
import { FIRST_PUT, makeTenant, startTestService, syncTenant, waitForRun } from '../helpers/service.js';

const service = await startTestService(t);
const { ask, newId, contract, simulator } = service;
const [demo, limited] = simulator.users as [typeof simulator.demo, typeof simulator.demo];

const etagOf = async (path: string): Promise<Record<string, string>> => ({
  'if-match': (await ask('GET', path)).headers.get('etag') ?? 'none',
});

t.test('getSetup follows a tenant through every step', async (t) => {
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
      blockers: body.steps.flatMap(({ blockers }: { blockers: Message[] }) => blockers.map(({ text }) => text)),
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
      ubi: 'done none',
      company_creation_preference: 'todo admin',
      credentials: 'todo admin',
      licenses: 'blocked admin',
    },
    next: 'putCompanyCreationPreference',
  });
  await ask('PUT', `${path}/company-creation-preference`, { headers: FIRST_PUT, body: { strategy: 'one_per_vendor' } });
  t.match(await see(), {
    steps: { company_creation_preference: 'done none', first_sync: 'blocked admin' },
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
    'the BioTrack administrator must act',
  );
  t.match(refused.blockers.join(), /limited.*sync_vendor/, 'the blocker names the credential and the privilege');

  await ask('POST', `${path}/credentials`, {
    body: { description: 'office', username: demo.username, password: demo.password, owner: 'company' },
  });
  t.match(await see(), {
    steps: { credentials: 'done none', licenses: 'todo admin', first_sync: 'todo admin' },
    next: 'listAvailableLicenses',
  });

  simulator.control.injectFault({ fault: 'slow_first_byte', action: 'sync_vendor', delayMs: 700 });
  const run = await ask('POST', `${path}/syncs`, { body: { refresh: 'force' } });
  t.equal((await see()).steps.first_sync, 'todo none', 'no one must act during a sync');
  await waitForRun(service, tenantId, run.body.id);
  t.match(await see(), { steps: { first_sync: 'done none', licenses: 'todo admin' }, next: 'createLicense' });

  const { license_number } = (await ask('GET', `${path}/available-licenses`)).body.data[0];
  await ask('POST', `${path}/licenses`, { body: { license_number } });
  t.match(await see(), { steps: { licenses: 'done none' }, next: null, blockers: [] }, 'setup is complete');

  const list = (await ask('GET', `${path}/credentials`)).body.data;
  for (const { id } of list) {
    t.equal(
      (await ask('DELETE', `${path}/credentials/${id}`, { headers: await etagOf(`${path}/credentials/${id}`) })).status,
      204,
    );
  }
  t.match(
    await see(),
    { steps: { credentials: 'todo admin', licenses: 'done none' }, next: 'createCredential' },
    'a deleted credential reopens its step',
  );
});

t.test('getSetup reports problems and the call that fixes them', async (t) => {
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
    readonly blockers: readonly Message[];
    readonly warnings: readonly Message[];
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
      credentials: { status: 'todo', who: 'admin', blockers: [{ text: /^office: Not verified yet/ }] },
      licenses: { status: 'todo' },
      next: { operation_id: 'verifyCredential', method: 'POST', path: `${path}/credentials/${id}/verify` },
    },
    'an unverified credential does not block later steps',
  );
  control.changePassword({ ubi: demo.ubi, username, password: 'two' });
  await ask('POST', `${path}/credentials/${id}/verify`);
  t.match(
    await see(),
    {
      credentials: { status: 'blocked', who: 'admin', blockers: [{ text: /^office: BioTrack rejected/ }] },
      licenses: { status: 'blocked', who: 'admin' },
      sync: { status: 'blocked', who: 'admin' },
      next: { operation_id: 'updateCredential', method: 'PATCH', path: `${path}/credentials/${id}` },
    },
    'rejected: the next step updates this credential',
  );
  const { next: remediation } = await see();
  for (const [method, call, body] of [
    ['POST', 'syncs', {}],
    ['GET', 'available-licenses', undefined],
    ['GET', 'company-creation-preference/advice', undefined],
    ['POST', 'licenses', { license_number: 'x' }],
  ] as const) {
    const refusal = await ask(method, `${path}/${call}`, body === undefined ? {} : { body });
    t.match(refusal, { status: 409, body: { code: 'setup_incomplete' } });
    t.strictSame(refusal.body.next_step, remediation, `${method} ${call} returns the next step of the checklist`);
  }
  const one = `${path}/credentials/${id}`;
  await ask('PATCH', one, { body: { password: 'two' }, headers: await etagOf(one) });
  t.match(await see(), { credentials: { status: 'done', who: 'none', warnings: [] } });
  await service.sql('update credentials set sealed_password = $2 where id = $1', [id, Buffer.from('nonsense')]);
  t.match(
    await see(),
    { credentials: { status: 'blocked', who: 'admin' }, next: { operation_id: 'updateCredential' } },
    'a password that cannot be decrypted blocks the step, whatever its status',
  );
  await ask('PATCH', one, { body: { password: 'two' }, headers: await etagOf(one) });

  await ask('POST', `${path}/credentials`, {
    body: { ...login, description: 'old', username: 'gone@example.com', verify: 'skip' },
  });
  const [, old] = (await ask('GET', `${path}/credentials`)).body.data;
  await ask('POST', `${path}/credentials/${old.id}/verify`);
  t.match(
    await see(),
    { credentials: { status: 'done', blockers: [], warnings: [{ text: /^old: BioTrack rejected/ }] } },
    'one valid credential is enough; the other one is a warning',
  );

  // A user with a credential of their own needs no company credential.
  const bare = await makeTenant(service, 'preference');
  const key = service.tokenOf({ tenantId: bare, role: 'admin', userId: 'own' });
  await ask('POST', `/v1/tenants/${bare}/credentials`, { key, body: { ...login, owner: 'user', password: 'two' } });
  const stepsOf = async (options: { key?: string }) =>
    (await ask('GET', `/v1/tenants/${bare}/setup`, options)).body.steps[2];
  t.match(await stepsOf({ key }), { step: 'credentials', status: 'done' });
  t.match(await stepsOf({}), { step: 'credentials', status: 'todo' }, 'it does not count for other callers');

  // A new vendor changes the checksum, so that the complete list is fetched.
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
      blockers: [{ text: /^The last sync failed \(upstream_unreachable\): BioTrack returned a server error/ }],
    },
  });
  t.ok(['admin', 'none'].includes(afterwards.sync.who), 'no one while a retry is scheduled, otherwise the admin');
  await service.sql(`update sync_runs set reason = 'list_shrunk', retry_datetime = null where id = $1`, [failed.id]);
  t.match(await see(), { sync: { status: 'blocked', who: 'operator' } });
  await service.sql(`update sync_runs set reason = 'credentials_rejected' where id = $1`, [failed.id]);
  t.match(
    await see(),
    { sync: { status: 'todo', who: 'admin' } },
    'the credential is fixed since, as the step `credentials` shows',
  );
  await service.sql(`update sync_runs set status = 'needs_review', reason = null where id = $1`, [failed.id]);
  t.match(await see(), { sync: { status: 'blocked', who: 'admin', blockers: [{ text: /needs a review/ }] } });
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
        blockers: [{ text: new RegExp(`^${location}: The state no longer lists the license`) }],
      },
      next: { operation_id: 'listAvailableLicenses', method: 'GET' },
    },
    'the only license is no longer listed',
  );
  const { license_number } = (await ask('GET', `${path}/available-licenses`)).body.data.find(
    ({ state }: { state: string }) => state === 'available',
  );
  await ask('POST', `${path}/licenses`, { body: { license_number } });
  t.match(
    await see(),
    { licenses: { status: 'done', warnings: [{ text: new RegExp(`^${location}:`) }] }, next: null },
    'one listed license is enough; the other one is a warning',
  );
  const [vanished] = (await ask('GET', `${path}/licenses`)).body.data;
  await ask('DELETE', `${path}/licenses/${vanished.id}`, { headers: await etagOf(`${path}/licenses/${vanished.id}`) });
  t.match(await see(), { licenses: { status: 'done', warnings: [] } }, 'an archived license causes no warning');

  // A new vendor changes the checksum, so that the complete list is fetched.
  control.addVendor({});
  control.injectFault({ fault: 'server_error', action: 'sync_vendor', times: 0 });
  const late = await ask('POST', `${path}/syncs`, { body: { refresh: 'force' } });
  await waitForRun(service, tenantId, late.body.id);
  control.clearFaults();
  t.match(
    await see(),
    { sync: { status: 'done', warnings: [{ text: /^The last sync failed/ }] }, next: null },
    'the step stays done, with the failure of the last sync as a warning',
  );

  await service.sql('update tenants set state = $2 where tenant_id = $1', [tenantId, 'ZZ']);
  t.match(
    await see(),
    {
      credentials: { status: 'blocked', who: 'operator', blockers: [{ text: /does not support the state ZZ/ }] },
      next: null,
    },
    'no API call can resolve it',
  );
  await service.sql('update tenants set state = $2 where tenant_id = $1', [tenantId, 'NM']);

  const unknown = await makeTenant(service, 'tenant');
  await ask('PUT', `/v1/tenants/${unknown}/ubi`, { body: { ubi: '999999999' }, headers: FIRST_PUT });
  await ask('POST', `/v1/tenants/${unknown}/credentials`, { body: { ...login, description: 'x' } });
  t.match(
    (await ask('GET', `/v1/tenants/${unknown}/setup`)).body,
    { steps: [{ step: 'ubi', status: 'blocked', who: 'admin' }], next_step: { operation_id: 'putUbi' } },
    'a rejected UBI reopens its step',
  );
});

t.test('every documented answer of these operations was seen', async (t) => {
  t.strictSame(contract.listUnseen(OWNERS['setup.test.ts'], isOwnOutcome), []);
});
