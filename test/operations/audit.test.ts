import pg from 'pg';
import t from 'tap';
import { isRead } from '../../src/http/operation.js';
import { POLICY } from '../../src/http/policy.js';
import { FIRST_PUT, makeTenant, startTestService, syncTenant } from '../helpers/service.js';

/**
 * The audit records who changed what, and with which call. That every operation does is checked at the end of every test
 * file: the file fails if a successful call left no audit row.
 */

const service = await startTestService(t, { simulator: { licenses: 100 } });
const { ask, sql, simulator } = service;

interface Audit {
  readonly operation_id: string;
  readonly actor: string;
  readonly request_id: string;
  readonly object: string;
  readonly changed: readonly string[];
}

const readAudit = (tenantId: string): Promise<Audit[]> =>
  sql<Audit>('select operation_id, actor, request_id, object, changed from audit where tenant_id = $1 order by id', [
    tenantId,
  ]);

t.test('each change is recorded with its actor, object and call', async (t) => {
  const tenantId = await makeTenant(service);
  const path = `/v1/tenants/${tenantId}`;
  const made = await ask('POST', '/v1/api-keys', { body: { description: 'x', role: 'admin', tenant_id: tenantId } });
  const admin = made.body.secret;
  const [license] = (await ask('GET', `${path}/available-licenses`)).body.data;
  const created = await ask('POST', `${path}/licenses`, {
    key: admin,
    body: { license_number: license.license_number, create_companies: false },
    headers: { 'x-request-id': 'the-request' },
  });
  t.equal(created.status, 201);
  const rows = await readAudit(tenantId);
  t.strictSame(
    rows.map(({ operation_id, object, changed }) => [
      operation_id,
      object.replace(path, ''),
      changed.map((each) => each.replace(/[0-9a-f-]{36}/, '…')),
    ]),
    [
      ['putTenant', '', ['insert tenants']],
      ['putUbi', '/ubi', ['insert ubis']],
      ['putCompanyCreationPreference', '/company-creation-preference', ['insert creation_preferences']],
      ['createCredential', '/credentials', ['update ubis']],
      ['createCredential', '/credentials', ['insert credentials …']],
      ['createLicense', '/licenses', ['insert licenses …']],
    ],
    'reads are not recorded',
  );
  t.match(rows.at(-1), { actor: `api_key:${made.body.id}`, request_id: 'the-request' });
  t.strictSame(rows.at(-1)?.changed, [`insert licenses ${created.body.id}`]);
  const keys = await sql<Audit>(`select * from operator_audit where changed = $1`, [
    [`insert api_keys ${made.body.id}`],
  ]);
  t.match(keys, [{ operation_id: 'createApiKey', object: '/v1/api-keys' }]);
  const all = JSON.stringify([rows, await sql('select * from operator_audit')]);
  for (const secret of [simulator.demo.password, simulator.demo.username, admin, service.operatorKey]) {
    t.notOk(all.includes(secret), 'no secret and no username');
  }
});

t.test('rejected calls and the work of workers are not recorded', async (t) => {
  const tenantId = await makeTenant(service, 'tenant');
  const path = `/v1/tenants/${tenantId}`;
  const before = await readAudit(tenantId);
  t.equal((await ask('PUT', `${path}/ubi`, { body: { ubi: '1' } })).status, 428);
  t.equal(
    (
      await ask('PUT', `${path}/company-creation-preference`, {
        headers: FIRST_PUT,
        body: { strategy: 'one_per_vendor' },
      })
    ).status,
    409,
  );
  t.strictSame(await readAudit(tenantId), before);
  const ready = await makeTenant(service);
  await syncTenant(service, ready);
  const joined = await readAudit(ready);
  t.match(joined.at(-1), { operation_id: 'startSync', changed: [/^insert sync_runs /] });
  const [run] = await sql<{ requested_by: string }>('select requested_by from sync_runs where tenant_id = $1', [ready]);
  t.match(run?.requested_by, joined.at(-1)?.actor, 'the run records who requested it');
});

t.test('the audit of a deleted tenant is kept', async (t) => {
  const tenantId = await makeTenant(service);
  const path = `/v1/tenants/${tenantId}`;
  const etag = (await ask('GET', path)).headers.get('etag') as string;
  t.equal((await ask('DELETE', path, { headers: { 'if-match': etag } })).status, 204);
  const kept = await readAudit(tenantId);
  t.match(kept[0], { operation_id: 'putTenant' });
  t.match(kept.at(-1), { operation_id: 'deleteTenant', object: path, changed: ['delete tenants'] });
});

t.test('no role can delete young audit rows, or change what was done', async (t) => {
  const tenantId = await makeTenant(service, 'tenant');
  const session = new pg.Client({ connectionString: service.databaseUrl });
  await session.connect();
  t.teardown(() => session.end());
  const run = async (role: string, statement: string): Promise<number | null | undefined> => {
    await session.query(`begin; set local role ${role}; set local app.tenant_id = '${tenantId}'`);
    try {
      return (await session.query(statement)).rowCount;
    } finally {
      await session.query('rollback');
    }
  };
  for (const role of ['biotrack_app', 'biotrack_operator']) {
    for (const table of ['audit', 'operator_audit']) {
      for (const statement of [
        `update ${table} set changed = '{}'`,
        `update ${table} set inserted_datetime = now() - interval '2 years'`,
        `truncate ${table}`,
        ...(role === 'biotrack_app' ? [`delete from ${table}`] : []),
      ]) {
        await t.rejects(run(role, statement), { code: '42501' }, `${role}: ${statement}`);
      }
    }
  }
  for (const table of ['audit', 'operator_audit']) {
    t.equal(await run('biotrack_operator', `delete from ${table}`), 0, `${table}: none is older than 30 days`);
  }
});

t.test('there are operations that write', async (t) => {
  const changing = Object.keys(POLICY).filter((id) => !isRead(id));
  t.ok(changing.length > 8, changing.join(', '));
});
