import { type Db, withOperator } from './database.js';

/** The facts about a database that `doctor` reports. */
export interface DatabaseCheck {
  /** Major version of Postgres. */
  readonly major: number;
  /** How far the database's clock is ahead of this machine's. */
  readonly skewSeconds: number;
  /** Roles of the service that this login cannot switch to. */
  readonly missingRoles: readonly string[];
  /** Roles of the service that can bypass row security. */
  readonly privilegedRoles: readonly string[];
  /** Rights of the login that the service does not need, and that row security does not limit. */
  readonly loginRights: readonly ('superuser' | 'bypassrls' | 'owner of the tables')[];
  /** Tenant tables without forced row security. */
  readonly unprotectedTables: readonly string[];
  /** The environments of the tenants, as `NM/production`; empty without the roles or before the first migration. */
  readonly environments: readonly string[];
}

/** Checks a database as the service's login. Reads only. */
export async function checkDatabase(db: Db): Promise<DatabaseCheck> {
  const { major, now } = await readServer(db);
  const missingRoles = await findMissingRoles(db);
  return {
    major,
    skewSeconds: (now.getTime() - Date.now()) / 1000,
    missingRoles,
    privilegedRoles: await findPrivilegedRoles(db),
    loginRights: await findLoginRights(db),
    unprotectedTables: await findUnprotectedTables(db),
    environments: missingRoles.length === 0 ? await listEnvironmentsInUse(db) : [],
  };
}

/** Runs as the login itself, without a role. */
const query = async <Row extends object>(db: Db, text: string, values: readonly unknown[] = []): Promise<Row[]> =>
  (await db.pool.query<Row>(text, [...values])).rows;

async function readServer(db: Db): Promise<{ readonly major: number; readonly now: Date }> {
  const [row] = await query<{ version: string; now: Date }>(
    db,
    `select current_setting('server_version_num') as version, clock_timestamp() as now`,
  );
  if (row === undefined) throw new Error('the database did not report its version');
  return { major: Math.floor(Number(row.version) / 10_000), now: row.now };
}

const ROLES = ['biotrack_app', 'biotrack_operator'];

async function findMissingRoles(db: Db): Promise<string[]> {
  const rows = await query<{ name: string }>(
    db,
    `select name from unnest($1::text[]) as name
      where not exists (select from pg_roles where rolname = name and pg_has_role(current_user, oid, 'member'))`,
    [ROLES],
  );
  return rows.map(({ name }) => name);
}

async function findPrivilegedRoles(db: Db): Promise<string[]> {
  const rows = await query<{ name: string }>(
    db,
    'select rolname::text as name from pg_roles where rolname = any($1) and (rolsuper or rolbypassrls or rolcreaterole)',
    [ROLES],
  );
  return rows.map(({ name }) => name);
}

async function findLoginRights(db: Db): Promise<DatabaseCheck['loginRights']> {
  const [login] = await query<{ superuser: boolean; bypassrls: boolean; owner: boolean }>(
    db,
    `select rolsuper as superuser, rolbypassrls as bypassrls, exists (
       select from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' and relowner = pg_roles.oid
     ) as owner from pg_roles where rolname = current_user`,
  );
  if (login?.superuser === true) return ['superuser'];
  return [
    ...(login?.bypassrls === true ? (['bypassrls'] as const) : []),
    ...(login?.owner === true ? (['owner of the tables'] as const) : []),
  ];
}

/** Tenant tables are those with a `tenant_id` that is not null. */
async function findUnprotectedTables(db: Db): Promise<string[]> {
  const rows = await query<{ name: string }>(
    db,
    `select relname::text as name from pg_class
      where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
        and not (relrowsecurity and relforcerowsecurity)
        and exists (select from pg_attribute where attrelid = pg_class.oid and attname = 'tenant_id' and attnotnull)
      order by 1`,
  );
  return rows.map(({ name }) => name);
}

async function listEnvironmentsInUse(db: Db): Promise<string[]> {
  const [table] = await query<{ found: boolean }>(db, `select to_regclass('public.tenants') is not null as found`);
  if (table?.found !== true) return [];
  return withOperator(db, async (tx) => {
    const rows = await tx.selectFrom('tenants').select(['state', 'environment']).distinct().execute();
    return rows.map(({ state, environment }) => `${state}/${environment}`);
  });
}
