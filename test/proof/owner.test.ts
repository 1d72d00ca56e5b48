import pg from 'pg';
import t from 'tap';
import { closeDatabase, openDatabase, withOperator, withTenant } from '../../src/db/database.js';
import { migrate } from '../../src/db/migrate.js';
import { startTestServer } from '../helpers/postgres.js';

/** The README requires a login that owns its database and may create roles, without further privileges. */
t.test('a database owner without superuser privileges can migrate, and row security applies to it', async (t) => {
  // Uses a separate server: roles are shared by all databases of a server, and here the owner must create them.
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
