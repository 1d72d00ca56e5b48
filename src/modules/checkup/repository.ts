import { type Db, withOperator } from '../../db/database.js';

/** Asked as whoever logs in, outside of any role: what is looked at here is the login itself. */
const ask = async <Row extends object>(db: Db, text: string, values: readonly unknown[] = []): Promise<Row[]> =>
  (await db.pool.query<Row>(text, [...values])).rows;

export async function readServer(db: Db): Promise<{ readonly major: number; readonly now: Date }> {
  const [row] = await ask<{ version: string; now: Date }>(
    db,
    `select current_setting('server_version_num') as version, clock_timestamp() as now`,
  );
  if (row === undefined) throw new Error('the database says nothing of itself');
  return { major: Math.floor(Number(row.version) / 10_000), now: row.now };
}

const ROLES = ['biotrack_app', 'biotrack_operator'];

export async function findUnusableRoles(db: Db): Promise<string[]> {
  const rows = await ask<{ name: string }>(
    db,
    `select name from unnest($1::text[]) as name
      where not exists (select from pg_roles where rolname = name and pg_has_role(current_user, oid, 'member'))`,
    [ROLES],
  );
  return rows.map(({ name }) => name);
}

export async function findPowerfulRoles(db: Db): Promise<string[]> {
  const rows = await ask<{ name: string }>(
    db,
    'select rolname::text as name from pg_roles where rolname = any($1) and (rolsuper or rolbypassrls or rolcreaterole)',
    [ROLES],
  );
  return rows.map(({ name }) => name);
}

/** A tenant's table is one whose rows all name their tenant. */
export async function findOpenTables(db: Db): Promise<string[]> {
  const rows = await ask<{ name: string }>(
    db,
    `select relname::text as name from pg_class
      where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
        and not (relrowsecurity and relforcerowsecurity)
        and exists (select from pg_attribute where attrelid = pg_class.oid and attname = 'tenant_id' and attnotnull)
      order by 1`,
  );
  return rows.map(({ name }) => name);
}

/** None before the first migration. */
export async function listEnvironmentsInUse(db: Db): Promise<string[]> {
  const [table] = await ask<{ found: boolean }>(db, `select to_regclass('public.tenants') is not null as found`);
  if (table?.found !== true) return [];
  return withOperator(db, async (tx) => {
    const rows = await tx.selectFrom('tenants').select(['state', 'environment']).distinct().execute();
    return rows.map(({ state, environment }) => `${state}/${environment}`);
  });
}
