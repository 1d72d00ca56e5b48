import fc from 'fast-check';
import pg from 'pg';
import t from 'tap';
import { insertRows, RowSource } from '../../src/db/bulk.js';
import {
  type CommitHook,
  closeDatabase,
  type Db,
  openDatabase,
  type Tx,
  withCommitHooks,
  withOperator,
  withoutEffect,
  withTenant,
  writesOf,
} from '../../src/db/database.js';
import { OPERATOR, runStatement } from '../../src/db/single-statement.js';
import { pickCount } from '../helpers/counts.js';
import { createTestDatabase } from '../helpers/postgres.js';
import { readSeed } from '../helpers/seed.js';

/** Tables that belong to no tenant, and why. All others must be tenant tables. */
const SHARED: Readonly<Record<string, string>> = {
  api_keys: 'API keys of operators, who have no tenant, and of admins; only the operator role has access',
  directories: 'the list of a state, mirrored once for all tenants',
  directory_licenses: 'the list of a state, mirrored once for all tenants',
  directory_license_owners: 'previous owners of licenses in the list of a state',
  directory_leases: 'the process that currently fetches the list of a state',
  login_attempts: 'hashes of BioTrack accounts and logins: passwords must not be guessed through several tenants',
  refused_usernames: 'hashes of BioTrack usernames: a text that refuses several is a problem of the state',
  operator_audit: 'audit of API keys; append-only',
};

/**
 * Tenant tables that the operator role reads across tenants: the list of tenants, abandoned runs, the audit, and what the check of a
 * state depends on (due schedules, the status of credentials, whether a license creates companies, the inputs of the last sync).
 */
const OPERATOR_READS = ['audit', 'credentials', 'licenses', 'schedules', 'sync_runs', 'sync_states', 'tenants'];

const IS_OPERATOR = '( SELECT is_operator() AS is_operator)';
const IS_OLD = "inserted_datetime < (now() - '30 days'::interval)";
/** For retention, and for the check of a state, which marks all its tenants in one statement. */
const MORE_POLICIES: Readonly<Record<string, readonly Policy[]>> = {
  audit: [
    {
      name: 'operator_deletes_old',
      command: 'd',
      permissive: true,
      roles: ['biotrack_operator'],
      rows: `${IS_OPERATOR} AND ${IS_OLD}`,
      writes: null,
    },
  ],
  changes: [{ name: 'only_old', command: 'd', permissive: false, roles: ['biotrack_app'], rows: IS_OLD, writes: null }],
  schedules: [
    {
      name: 'operator_marks',
      command: 'w',
      permissive: true,
      roles: ['biotrack_operator'],
      rows: IS_OPERATOR,
      writes: IS_OPERATOR,
    },
  ],
};

interface Policy {
  readonly name: string;
  readonly command: string;
  readonly permissive: boolean;
  readonly roles: readonly string[];
  readonly rows: string;
  readonly writes: string | null;
}

/** Tenant tables in which the operator role has rows of its own, with a tenant_id of zeros. */
const OPERATOR_HAS_OWN = ['idempotency_keys'];
const NO_TENANT = "tenant_id = '00000000-0000-0000-0000-000000000000'::uuid";

const [TENANT_A, TENANT_B] = ['0193a4c0-0000-7000-8000-00000000000a', '0193a4c0-0000-7000-8000-00000000000b'] as const;

const database = await createTestDatabase();
const owner = new pg.Client({ connectionString: database.url });
await owner.connect();
const db: Db = openDatabase({
  url: database.url,
  poolSize: 2,
  applicationName: 'catalog test',
});
t.teardown(async () => {
  await closeDatabase(db);
  await owner.end();
  await database.drop();
});

async function list<Row extends pg.QueryResultRow>(query: string, values: readonly unknown[] = []): Promise<Row[]> {
  return (await owner.query<Row>(query, [...values])).rows;
}

const TABLES = `pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
  and relname not like 'kysely\\_%'`;
const tables = (await list<{ name: string }>(`select relname as name from ${TABLES} order by 1`)).map(
  ({ name }) => name,
);
const tenantTables = tables.filter((name) => !Object.hasOwn(SHARED, name));

t.test('the schema contains only kinds of relations that this test checks', async (t) => {
  t.ok(tenantTables.length > 0);
  for (const name of Object.keys(SHARED)) t.ok(tables.includes(name), `${name} exists`);
  const others = await list(`select oid::regclass::text from pg_class
    where relnamespace = 'public'::regnamespace and relkind not in ('r', 'p', 'i', 'I', 'S')`);
  t.same(others, [], 'no views or foreign tables');
});

t.test('every key of a tenant table starts with tenant_id', async (t) => {
  for (const name of tenantTables) {
    const keys = await list<{ conname: string; contype: string; columns: string[]; refers: string; target: string[] }>(
      `select conname, contype, confrelid::regclass::text as refers,
         (select array_agg(attname::text order by nr) from unnest(conkey) with ordinality as key (attnum, nr)
          join pg_attribute using (attnum) where attrelid = conrelid) as columns,
         (select array_agg(attname::text order by nr) from unnest(confkey) with ordinality as key (attnum, nr)
          join pg_attribute using (attnum) where attrelid = confrelid) as target
       from pg_constraint where conrelid = $1::regclass and contype in ('p', 'u', 'f', 'x')`,
      [name],
    );
    t.equal(keys.filter(({ contype }) => contype === 'p').length, 1, `${name} has a primary key`);
    for (const { conname, contype, columns, refers, target } of keys) {
      t.equal(columns[0], 'tenant_id', `${name}: ${conname}`);
      if (contype !== 'f') continue;
      t.equal(target[0], 'tenant_id', `${name}: ${conname} refers to a key of the same tenant`);
      t.ok(tenantTables.includes(refers), `${name}: ${conname} refers to a tenant table`);
    }
    const indexes = await list<{ name: string; first: string }>(
      `select indexrelid::regclass::text as name, pg_get_indexdef(indexrelid, 1, true) as first
       from pg_index where indrelid = $1::regclass and indisunique`,
      [name],
    );
    for (const index of indexes) t.equal(index.first, 'tenant_id', `${name}: ${index.name}`);
    const columns = await list<{ not_null: boolean; type: string }>(
      `select attnotnull as not_null, atttypid::regtype::text as type from pg_attribute
       where attrelid = $1::regclass and attname = 'tenant_id'`,
      [name],
    );
    t.same(columns, [{ not_null: true, type: 'uuid' }], `${name}.tenant_id is a non-null uuid`);
  }
});

const ISOLATION = 'tenant_id = (( SELECT current_tenant_id() AS current_tenant_id))';

t.test('row security is enabled and forced for every tenant table', async (t) => {
  for (const name of tenantTables) {
    const [state] = await list<{ enabled: boolean; forced: boolean }>(
      'select relrowsecurity as enabled, relforcerowsecurity as forced from pg_class where oid = $1::regclass',
      [name],
    );
    t.same(state, { enabled: true, forced: true }, name);
    const policies = await list(
      `select polname::text as name, polcmd::text as command, polpermissive as permissive,
         (select array_agg(role::regrole::text) from unnest(polroles) as role) as roles,
         pg_get_expr(polqual, polrelid, true) as rows, pg_get_expr(polwithcheck, polrelid, true) as writes
       from pg_policy where polrelid = $1::regclass order by polname`,
      [name],
    );
    const isolation = {
      name: 'tenant_isolation',
      command: '*',
      permissive: true,
      roles: ['biotrack_app'],
      rows: ISOLATION,
      writes: ISOLATION,
    };
    const reads = {
      name: 'operator_reads',
      command: 'r',
      permissive: true,
      roles: ['biotrack_operator'],
      rows: IS_OPERATOR,
      writes: null,
    };
    const keepsOwn = {
      ...reads,
      name: 'operator_keeps_own',
      command: '*',
      rows: NO_TENANT,
      writes: NO_TENANT,
    };
    // Only expired keys, which are then deleted as their tenant.
    const findsOld = {
      ...reads,
      name: 'operator_finds_old',
      rows: "inserted_datetime < (now() - '1 day'::interval)",
    };
    const others = [
      ...(OPERATOR_HAS_OWN.includes(name) ? [findsOld] : []),
      ...(OPERATOR_HAS_OWN.includes(name) ? [keepsOwn] : []),
      ...(OPERATOR_READS.includes(name) ? [reads] : []),
    ];
    const byName = ({ name: a }: { name: string }, { name: b }: { name: string }): number => (a < b ? -1 : 1);
    const wanted = [...others, ...(MORE_POLICIES[name] ?? []), isolation].sort(byName);
    t.same(policies, wanted, `${name}: no other policies`);
  }
});

t.test('the roles own nothing and cannot bypass row security', async (t) => {
  const roles = await list(
    `select rolname::text, rolsuper, rolbypassrls, rolcanlogin, rolcreaterole, rolcreatedb, rolreplication
     from pg_roles where rolname in ('biotrack_app', 'biotrack_operator') order by 1`,
  );
  const nothing = {
    rolsuper: false,
    rolbypassrls: false,
    rolcanlogin: false,
    rolcreaterole: false,
    rolcreatedb: false,
    rolreplication: false,
  };
  t.same(roles, [
    { rolname: 'biotrack_app', ...nothing },
    { rolname: 'biotrack_operator', ...nothing },
  ]);
  const ours = `(select oid from pg_roles where rolname in ('biotrack_app', 'biotrack_operator'))`;
  t.same(
    await list(`select classid::regclass, objid from pg_shdepend where deptype = 'o' and refobjid in ${ours}`),
    [],
    'they own nothing',
  );
  t.same(
    await list(`select roleid::regrole::text from pg_auth_members where member in ${ours}`),
    [],
    'they are members of no other role',
  );
});

t.test('privileges are explicit and minimal', async (t) => {
  t.same(await list('select * from pg_default_acl'), [], 'no default privileges');
  const open = await list(`select oid::regclass::text as name, privilege_type
    from pg_class, aclexplode(relacl) where relnamespace = 'public'::regnamespace and grantee = 0`);
  t.same(open, [], 'nothing is granted to public');
  const sequences = await list(`select oid::regclass::text as name, grantee::regrole::text, privilege_type
    from pg_class, aclexplode(relacl)
    where relnamespace = 'public'::regnamespace and relkind = 'S' and grantee <> relowner`);
  t.same(
    sequences,
    [{ name: 'directory_requests', grantee: 'biotrack_operator', privilege_type: 'USAGE' }],
    'one grant on a sequence: the operator role numbers the requests for lists',
  );
  const wide = await list(`select oid::regclass::text as name, grantee::regrole::text, privilege_type
    from ${TABLES.replace(' where', ', aclexplode(relacl) where')}
    and grantee <> relowner and privilege_type not in ('SELECT', 'INSERT', 'UPDATE', 'DELETE')`);
  t.same(wide, [], 'no truncate, trigger or references');
  const otherRoles = await list(`select oid::regclass::text as name, grantee::regrole::text
    from ${TABLES.replace(' where', ', aclexplode(relacl) where')}
    and grantee <> relowner and grantee::regrole::text not in ('biotrack_app', 'biotrack_operator')`);
  t.same(otherRoles, [], 'no grants to other roles');
  const powerful = await list<{ name: string; path: string[] }>(
    `select oid::regprocedure::text as name, proconfig as path,
       (select array_agg(grantee::regrole::text) from aclexplode(coalesce(proacl, acldefault('f', proowner)))
        where grantee <> proowner) as callers
     from pg_proc where pronamespace = 'public'::regnamespace and prosecdef`,
  );
  t.same(
    powerful,
    [
      {
        name: 'enqueue_sync_run(uuid,uuid,integer)',
        path: ['search_path=pg_catalog, pg_temp'],
        callers: ['biotrack_app'],
      },
      {
        name: 'is_api_key_valid(uuid)',
        path: ['search_path=pg_catalog, pg_temp'],
        callers: ['biotrack_app', 'biotrack_operator'],
      },
    ],
    'two security definer functions, with a fixed search path',
  );
});

const withCode = (code: string) => ({ code });
const NO_PRIVILEGE = '42501';

t.test('a tenant only sees and writes its own rows', async (t) => {
  for (const id of [TENANT_A, TENANT_B]) {
    await withTenant(db, id, async (tx) => {
      const tenant = { tenant_id: id, name: 'Test', state: 'NM', environment: 'training' as const };
      await tx.insertInto('tenants').values(tenant).execute();
      await tx.insertInto('ubis').values({ tenant_id: id, ubi: '422000931', ubi_key: '422000931' }).execute();
    });
  }
  await withTenant(db, TENANT_A, async (tx) => {
    t.same(await tx.selectFrom('ubis').select('tenant_id').execute(), [{ tenant_id: TENANT_A }], 'reads');
    const changed = await tx.updateTable('ubis').set({ ubi: 'x' }).where('tenant_id', '=', TENANT_B).execute();
    t.equal(changed[0]?.numUpdatedRows, 0n, 'cannot update another tenant');
    const deleted = await tx.deleteFrom('tenants').where('tenant_id', '=', TENANT_B).execute();
    t.equal(deleted[0]?.numDeletedRows, 0n, 'cannot delete another tenant');
  });
  const preference = { tenant_id: TENANT_B, strategy: 'one_per_vendor' as const, include_labs: false };
  await t.rejects(
    withTenant(db, TENANT_A, (tx) => tx.insertInto('creation_preferences').values(preference).execute()),
    withCode(NO_PRIVILEGE),
    'cannot insert for another tenant',
  );
  await t.rejects(
    withTenant(db, TENANT_A, (tx) => tx.updateTable('ubis').set({ tenant_id: TENANT_B }).execute()),
    withCode(NO_PRIVILEGE),
    'cannot move a row to another tenant',
  );
  await t.rejects(
    withTenant(db, TENANT_A, (tx) => tx.selectFrom('api_keys').selectAll().execute()),
    withCode(NO_PRIVILEGE),
    'cannot read API keys',
  );
  t.same(
    await withOperator(db, (tx) => tx.selectFrom('tenants').select('tenant_id').orderBy('tenant_id').execute()),
    [{ tenant_id: TENANT_A }, { tenant_id: TENANT_B }],
    'the operator sees the tenants',
  );
  await withOperator(db, (tx) => tx.selectFrom('credentials').select('status').execute());
  for (const column of ['sealed_password', 'username', 'description', 'owner_user_id'] as const) {
    await t.rejects(
      withOperator(db, (tx) => tx.selectFrom('credentials').select(column).execute()),
      withCode(NO_PRIVILEGE),
      `the operator cannot read ${column} of credentials`,
    );
  }
  await t.rejects(
    withOperator(db, (tx) => tx.selectFrom('ubis').selectAll().execute()),
    withCode(NO_PRIVILEGE),
    'the operator cannot read UBIs',
  );
});

t.test('a login with only the app role sees nothing without a tenant', async (t) => {
  const [name, password] = [`probe_${Date.now()}`, 'only for this test'];
  await owner.query(`create role ${name} login password '${password}' in role biotrack_app`);
  const url = new URL(database.url);
  [url.username, url.password] = [name, password];
  const session = new pg.Client({ connectionString: url.href });
  await session.connect();
  t.teardown(async () => {
    await session.end();
    await owner.query(`drop role ${name}`);
  });
  for (const table of tenantTables) {
    const { rows } = await session.query<{ count: string }>(`select count(*) from ${table}`);
    t.equal(rows[0]?.count, '0', table);
  }
  await session.query('begin');
  await session.query(`set local app.tenant_id = '${TENANT_A}'`);
  await session.query('commit');
  t.equal((await session.query('select from ubis')).rowCount, 0, 'also after a transaction that had one');
  await t.rejects(
    session.query(
      `insert into tenants (tenant_id, name, state, environment) values ('${TENANT_A}', 'x', 'NM', 'training')`,
    ),
    withCode(NO_PRIVILEGE),
    'cannot write',
  );
  await t.rejects(session.query('select from graphile_worker.jobs'), withCode(NO_PRIVILEGE), 'cannot read the queue');
  await t.rejects(session.query('create table mine ()'), withCode(NO_PRIVILEGE), 'cannot create tables');
});

t.test('a single statement is limited to its tenant and leaves no session state', async (t) => {
  const ofUbis = { text: 'select tenant_id, current_user as role from ubis', values: [] };
  for (const id of [TENANT_A, TENANT_B]) {
    t.same(await runStatement(db, id, ofUbis), [{ tenant_id: id, role: 'biotrack_app' }], 'reads its own');
    const written = { text: 'update ubis set ubi = $1 returning tenant_id', values: [`of ${id}`] };
    t.same(await runStatement(db, id, written), [{ tenant_id: id }], 'writes its own');
  }
  t.same(await list('select distinct ubi from ubis order by 1'), [
    { ubi: `of ${TENANT_A}` },
    { ubi: `of ${TENANT_B}` },
  ]);
  t.equal(
    (await runStatement(db, OPERATOR, { text: 'select tenant_id from tenants', values: [] })).length,
    2,
    'the operator reads all tenants',
  );
  await t.rejects(runStatement(db, OPERATOR, ofUbis), withCode(NO_PRIVILEGE), 'but not tenant tables');
  const { rows } = await db.pool.query(
    `select current_user as role, coalesce(current_setting('app.tenant_id', true), '') as tenant`,
  );
  t.match(rows[0], { role: 'postgres', tenant: '' }, 'role and tenant are reset');
  await t.rejects(runStatement(db, "x'; drop table ubis", ofUbis), /lowercase UUID/);
  for (let round = 0; round < 5; round += 1) {
    await list(`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'catalog test'`);
    t.equal((await runStatement(db, TENANT_A, ofUbis)).length, 1, 'a broken pooled connection is replaced');
  }
});

t.test('a snapshot stays the same, and can only read', async (t) => {
  const rename = (tx: Tx, ubi: string) => tx.updateTable('ubis').set({ ubi }).executeTakeFirst();
  await withTenant(db, TENANT_A, (tx) => rename(tx, 'before'));
  await withCommitHooks({ audit: async () => void t.fail('a hook must not run') }, () =>
    withTenant(
      db,
      TENANT_A,
      async (tx) => {
        const read = () => tx.selectFrom('ubis').select('ubi').execute();
        t.same(await read(), [{ ubi: 'before' }]);
        await withCommitHooks({ audit: undefined }, () => withTenant(db, TENANT_A, (other) => rename(other, 'after')));
        t.same(await read(), [{ ubi: 'before' }]);
      },
      { isSnapshot: true },
    ),
  );
  await t.rejects(
    withTenant(db, TENANT_A, (tx) => rename(tx, 'never'), { isSnapshot: true }),
    withCode('25006'),
  );
});

t.test('commit hooks write in the transaction, and can roll it back', async (t) => {
  const rename = (ubi: string) =>
    withTenant(db, TENANT_A, (tx) => tx.updateTable('ubis').set({ ubi }).executeTakeFirst());
  const ran: string[] = [];
  const audit: CommitHook = async (tx, tenantId) => void ran.push(`audit ${tenantId} ${writesOf(tx).entries}`);
  const idempotency: CommitHook = async () => {
    ran.push('idempotency');
    if (ran.length > 3) throw new Error('taken over');
  };
  await withCommitHooks({ audit }, () =>
    withCommitHooks({ idempotency }, async () => {
      await rename('one');
      await withoutEffect(() => rename('two'));
      await t.rejects(rename('three'), /taken over/);
    }),
  );
  const audited = `audit ${TENANT_A} update ubis`;
  t.strictSame(ran, ['idempotency', audited, audited, 'idempotency']);
  t.same(await list('select ubi from ubis where tenant_id = $1', [TENANT_A]), [{ ubi: 'two' }]);
});

t.test('a single statement quotes its values', async (t) => {
  const HOSTILE = [
    "'",
    "''",
    '\\',
    "\\'",
    '"',
    '$1',
    '$2',
    '$$',
    ';',
    '--',
    '/*',
    "E'",
    '\n',
    '%',
    ':a',
    'é',
    '字',
    '😀',
    '\u2028',
  ];
  const texts = fc.oneof(
    fc
      .array(fc.oneof(fc.constantFrom(...HOSTILE), fc.string({ unit: 'grapheme' })), { maxLength: 8 })
      .map((parts) => parts.join('')),
    fc.string({ unit: 'binary' }),
  );
  const statement = (one: string | null, two: string) => ({
    text: 'select $2::text as two, $1::text as one, $2 as again where $2 = $2 and coalesce(length($1), 0) >= 0',
    values: [one, two],
  });
  const seed = readSeed();
  t.comment(`TEST_SEED=${seed}`);
  for (const setting of ['on', 'off']) {
    const url = new URL(database.url);
    url.searchParams.set('options', `-c standard_conforming_strings=${setting}`);
    const other = openDatabase({ url: url.href, poolSize: 1, applicationName: 'quoting test' });
    t.teardown(() => closeDatabase(other));
    const shown = await runStatement(other, TENANT_A, { text: 'show standard_conforming_strings', values: [] });
    t.same(shown, [{ standard_conforming_strings: setting }]);
    await fc.assert(
      fc.asyncProperty(fc.option(texts), texts, async (one, two) => {
        const asked = runStatement(other, TENANT_A, statement(one, two));
        if (one?.includes('\0') || two.includes('\0')) await t.rejects(asked, /NUL/);
        else t.strictSame(await asked, [{ two, one, again: two }]);
      }),
      { seed, numRuns: pickCount({ few: 200, full: 2_000, long: 20_000 }) },
    );
  }
  await t.rejects(runStatement(db, TENANT_A, statement('a\0b', '')), /NUL/, 'a NUL would end the message');
  await t.rejects(runStatement(db, TENANT_A, { text: 'select $1', values: [] }), /placeholder/);
});

t.test('rows are stored unchanged, in small and large batches', async (t) => {
  const columns = { tenant_id: 'uuid', seq: 'bigint', kind: 'text', reason: 'text', after: 'jsonb', actor: 'text' };
  const odd = ['', ' ', '\\N', '\t', 'a\nb', '\r', '"', "'", '{}', 'NULL', '\\.', 'é–字', null];
  for (const count of [0, 1, 499, 500, 501, 2_000]) {
    const rows = Array.from({ length: count }, (_each, index) => {
      const text = odd[index % odd.length] ?? null;
      return [TENANT_A, index + 1, 'company.created', text, { text, index }, 'test'];
    });
    await withTenant(db, TENANT_A, async (tx) => {
      const ahead = new RowSource([[TENANT_A, 1_000_000, 'company.created', null, null, 'ahead']]);
      await insertRows(tx, 'changes', columns, new RowSource(rows), [ahead]);
      await insertRows(tx, 'changes', columns, ahead);
    });
    const found = await list(`select seq::int, reason, after from changes where actor = 'test' order by seq`);
    t.same(
      found,
      rows.map(([, seq, , reason, after]) => ({ seq, reason, after })),
      `${count} rows`,
    );
    t.equal(
      (await list(`delete from changes where actor = 'ahead' returning 1`)).length,
      1,
      'rows prepared ahead, too',
    );
    await list('delete from changes');
  }
});
