import pg from 'pg';
import t from 'tap';
import { closeDatabase, openDatabase, withOperator, withTenant } from '../../src/db/database.js';
import { migrate } from '../../src/db/migrate.js';
import { startTestServer } from '../helpers/postgres.js';

/** The README asks for a login that owns its database and may create roles, and for nothing more. */
t.test('an owner who is no superuser migrates, and works under forced row security', async (t) => {
  // A server of its own: roles belong to a whole server, and here the owner has to make them himself.
  const server = await startTestServer();
  t.teardown(() => server.stop());
  const superuser = new pg.Client({ connectionString: server.url });
  await superuser.connect();
  await superuser.query(`create role owner login createrole password 'owner'`);
  await superuser.query('create database owned owner owner');
  await superuser.end();
  const url = new URL(server.url);
  Object.assign(url, { username: 'owner', password: 'owner', pathname: '/owned' });
  await migrate({ url: url.href, folder: new URL('../../migrations/', import.meta.url) });

  const db = openDatabase({ url: url.href, poolSize: 2, applicationName: 'test' });
  t.teardown(() => closeDatabase(db));
  const [tenantId, otherId] = ['0193a4c0-7d3e-7cc2-9f51-3f2d6f1f8a11', '0193a4c0-7d3e-7cc2-9f51-3f2d6f1f8a12'];
  const values = { tenant_id: tenantId, name: 'Test', state: 'NM', environment: 'production' as const };
  await withTenant(db, tenantId, (tx) => tx.insertInto('tenants').values(values).execute());
  const count = (id: string): Promise<number> =>
    withTenant(db, id, async (tx) => (await tx.selectFrom('tenants').select('name').execute()).length);
  t.equal(await count(tenantId), 1);
  t.equal(await count(otherId), 0, 'another tenant sees nothing');
  t.equal((await withOperator(db, (tx) => tx.selectFrom('tenants').select('name').execute())).length, 1);
  await t.rejects(
    withTenant(db, otherId, (tx) => tx.insertInto('tenants').values(values).execute()),
    /row-level security/,
  );
});
