import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';

/** The tables that a sync writes, in an order that satisfies their foreign keys. */
export const TABLES = ['companies', 'company_licenses', 'vendor_companies'] as const;

/** Creates copies of the tables in the schema `bare`, with all constraints and indexes, but without row security. */
export const makeBareTables = (owner: pg.Client): Promise<unknown> =>
  owner.query(`
    create schema bare;
    create table bare.tenants (like public.tenants including all);
    ${TABLES.map((table) => `create table bare.${table} (like public.${table} including all);`).join('\n')}
    do $$
    declare
      key record;
    begin
      for key in
        select conrelid::regclass::text as of_table, pg_get_constraintdef(oid) as definition
          from pg_constraint
         where contype = 'f' and conrelid::regclass::text in (${TABLES.map((table) => `'${table}'`).join(', ')})
      loop
        execute format('alter table bare.%s add %s', key.of_table, replace(key.definition, 'REFERENCES ', 'REFERENCES bare.'));
      end loop;
    end $$;`);

/** Empties the bare tables and inserts the tenant, which the other tables reference. */
export async function emptyBareTables(owner: pg.Client, tenantId: string): Promise<void> {
  await owner.query(`truncate ${['tenants', ...TABLES].map((table) => `bare.${table}`).join(', ')}`);
  await owner.query('insert into bare.tenants select * from tenants where tenant_id = $1', [tenantId]);
}

/** Measures a COPY of all current rows of a tenant into empty bare tables. Returns milliseconds. */
export async function measureCopy(owner: pg.Client, tenantId: string): Promise<number> {
  const bodies: [string, Buffer][] = [];
  for (const table of TABLES) {
    const chunks: Buffer[] = [];
    const source = owner.query(copyTo(`copy (select * from ${table} where tenant_id = '${tenantId}') to stdout`));
    for await (const chunk of source) chunks.push(chunk as Buffer);
    bodies.push([table, Buffer.concat(chunks)]);
  }
  await emptyBareTables(owner, tenantId);
  const start = performance.now();
  await owner.query('begin');
  for (const [table, body] of bodies) {
    await pipeline(Readable.from([body]), owner.query(copyFrom(`copy bare.${table} from stdin`)));
  }
  await owner.query('commit');
  return performance.now() - start;
}

/** The size of all tables with their indexes, and the amount of WAL that was ever written, in bytes. */
export async function measureStorage(owner: pg.Client): Promise<{ readonly bytes: number; readonly wal: number }> {
  const { rows } = await owner.query<{ bytes: string; wal: string }>(
    `select sum(pg_total_relation_size(oid)) as bytes, pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0') as wal
       from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace`,
  );
  return { bytes: Number(rows[0]?.bytes), wal: Number(rows[0]?.wal) };
}
