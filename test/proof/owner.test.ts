import { readFile } from 'node:fs/promises';
import pg from 'pg';
import t from 'tap';
import { closeDatabase, openDatabase, withOperator, withTenant } from '../../src/db/database.js';
import { checkDatabase } from '../../src/db/database-check.js';
import { migrate } from '../../src/db/migrate.js';
import { startSimulator } from '../../src/simulator/index.js';
import { createKeysetFile } from '../../src/vault/index.js';
import { startTestServer } from '../helpers/postgres.js';
import { makeTenant, startTestService, syncTenant } from '../helpers/service.js';

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

  const plain = new pg.Client({ connectionString: url.href });
  await plain.connect();
  await plain.query(`select set_config('app.tenant_id', $1, false)`, [tenantId]);
  const visible = async (): Promise<string> =>
    plain.query('select from tenants').then(
      ({ rows }) => `${rows.length} rows`,
      ({ message }) => String(message),
    );
  t.match(await visible(), /^(0 rows|permission denied)/, 'without its role, even the owner sees no tenant');
  const { rows: isolated } = await plain.query<{ name: string }>(
    `select relname::text as name from pg_class where relnamespace = 'public'::regnamespace and relrowsecurity`,
  );
  t.ok(isolated.length > 10);
  for (const { name } of isolated) {
    const found = await plain.query(`select from ${name} limit 1`).then(
      ({ rows }) => rows.length,
      () => 0,
    );
    t.equal(found, 0, name);
  }
  await plain.query(`create role service login password 'service' in role biotrack_service`);
  await plain.end();

  const serviceUrl = new URL(url);
  Object.assign(serviceUrl, { username: 'service', password: 'service' });
  const simulator = await startSimulator({ state: 'nm', licenses: 60 });
  t.teardown(() => simulator.close());
  const databaseUrl = serviceUrl.href;
  const service = await startTestService(t, {
    beside: { databaseUrl, simulator, keysetFile: createKeysetFile('first') },
  });
  const tenant = await makeTenant(service);
  t.match(await syncTenant(service, tenant), { status: /^succeeded/ }, 'a login of the service alone runs everything');
  await t.rejects(service.sql('create table mine (id int)'), /permission denied/, 'and cannot change the schema');
  t.match(await service.sql('select from tenants').catch(({ message }) => message), /permission denied|^$/);
  const { loginRights } = await checkDatabase(service.service.db);
  t.same(loginRights, [], 'doctor finds no right too many');
  t.same((await checkDatabase(db)).loginRights, ['owner of the tables']);
});

t.test('the logins that docker-compose.yml creates migrate and run the service', async (t) => {
  const server = await startTestServer();
  t.teardown(() => server.stop());
  const script = await readFile(new URL('../../deploy/create-logins.sh', import.meta.url), 'utf8');
  const [, statements = ''] = /<<'SQL'\n([\s\S]*)\nSQL\n$/.exec(script) ?? [];
  t.match(statements, /create role biotrack_owner[\s\S]*create role biotrack_connect[\s\S]*create database/);
  const superuser = new pg.Client({ connectionString: server.url });
  await superuser.connect();
  // One at a time, as psql sends them: a database cannot be created in a transaction.
  for (const statement of statements.split(';\n')) await superuser.query(statement.replace(/:'(\w+)'/g, "'$1'"));
  await superuser.end();
  const urlOf = (username: string, password: string): string => {
    const url = new URL(server.url);
    return Object.assign(url, { username, password, pathname: '/biotrack_connect' }).href;
  };
  await migrate({ url: urlOf('biotrack_owner', 'owner'), folder: new URL('../../migrations/', import.meta.url) });
  const databaseUrl = urlOf('biotrack_connect', 'service');
  const simulator = await startSimulator({ state: 'nm', licenses: 60 });
  t.teardown(() => simulator.close());
  const service = await startTestService(t, {
    beside: { databaseUrl, simulator, keysetFile: createKeysetFile('first') },
  });
  t.match(await syncTenant(service, await makeTenant(service)), { status: /^succeeded/ });
  t.same((await checkDatabase(service.service.db)).loginRights, []);
});
