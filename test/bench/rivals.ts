import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { DataSource, EntitySchema, type EntitySchemaColumnOptions } from 'typeorm';
import { TABLES } from './bare.js';

type Table = (typeof TABLES)[number];
type Row = Readonly<Record<string, unknown>>;

/** The rows of a tenant in memory, to be written. */
export interface Load {
  readonly rows: Readonly<Record<Table, readonly Row[]>>;
  readonly columns: Readonly<Record<Table, readonly { readonly name: string; readonly type: string }[]>>;
}

/** Another approach to upsert rows. */
export interface Rival {
  write(load: Load): Promise<void>;
  close(): Promise<void>;
}

const KEYS: Readonly<Record<Table, readonly string[]>> = {
  companies: ['tenant_id', 'id'],
  company_licenses: ['tenant_id', 'id'],
  vendor_companies: ['tenant_id', 'ubi_key'],
};

/** The batch size in their documentation, which stays below the limit of parameters per statement. */
const ROWS_PER_STATEMENT = 1_000;

export async function readLoad(owner: pg.Client, tenantId: string): Promise<Load> {
  const rows = {} as Record<Table, Row[]>;
  const columns = {} as Record<Table, { name: string; type: string }[]>;
  for (const table of TABLES) {
    rows[table] = (await owner.query<Row>(`select * from ${table} where tenant_id = $1`, [tenantId])).rows;
    const described = await owner.query<{ name: string; type: string }>(
      `select attname as name, format_type(atttypid, atttypmod) as type from pg_attribute
        where attrelid = $1::regclass and attnum > 0 and not attisdropped order by attnum`,
      [table],
    );
    columns[table] = described.rows;
  }
  return { rows, columns };
}

const namesOf = (load: Load, table: Table): string[] => load.columns[table].map(({ name }) => name);

const toUpdates = (load: Load, table: Table): string =>
  namesOf(load, table)
    .filter((name) => !KEYS[table].includes(name))
    .map((name) => `${name} = excluded.${name}`)
    .join(', ');

/** Passes JSON columns as text, because the driver converts lists to Postgres arrays. */
const toValue = (value: unknown, type: string): unknown =>
  type === 'jsonb' && value !== null ? JSON.stringify(value) : value;

/** One prepared upsert per row, in one transaction. */
export async function openRowByRow(url: string): Promise<Rival> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return {
    async write(load) {
      await client.query('begin');
      for (const table of TABLES) {
        const names = namesOf(load, table);
        const placeholders = names.map((_name, index) => `$${index + 1}`).join(', ');
        const text = `insert into bare.${table} (${names.join(', ')}) values (${placeholders})
          on conflict (${KEYS[table].join(', ')}) do update set ${toUpdates(load, table)}`;
        for (const row of load.rows[table]) {
          const values = load.columns[table].map(({ name, type }) => toValue(row[name], type));
          await client.query({ name: table, text, values });
        }
      }
      await client.query('commit');
    },
    close: () => client.end(),
  };
}

/** https://kysely.dev: insertInto().values([…]).onConflict(), in statements of 1,000 rows. */
export async function openQueryBuilder(url: string): Promise<Rival> {
  const kysely = new Kysely<Record<string, Record<string, unknown>>>({
    dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString: url, max: 1 }) }),
  });
  return {
    async write(load) {
      await kysely.transaction().execute(async (tx) => {
        for (const table of TABLES) {
          const updated = namesOf(load, table).filter((name) => !KEYS[table].includes(name));
          for (const rows of toChunks(load.rows[table])) {
            await tx
              .withSchema('bare')
              .insertInto(table)
              .values(
                rows.map((row) =>
                  Object.fromEntries(load.columns[table].map(({ name, type }) => [name, toValue(row[name], type)])),
                ),
              )
              .onConflict((conflict) =>
                conflict
                  .columns([...KEYS[table]])
                  .doUpdateSet((eb) =>
                    Object.fromEntries(updated.map((name) => [name, eb.ref(`excluded.${name}` as never)])),
                  ),
              )
              .execute();
          }
        }
      });
    },
    close: () => kysely.destroy(),
  };
}

const ORM_TYPES: Readonly<Record<string, Partial<EntitySchemaColumnOptions>>> = {
  'text[]': { type: 'text', array: true },
};

/** https://typeorm.io: Repository.upsert(entities, conflictPaths) in one transaction, 1,000 entities per call. */
export async function openOrm(url: string, load: Load): Promise<Rival> {
  const entities = TABLES.map(
    (table) =>
      new EntitySchema<Row>({
        name: table,
        schema: 'bare',
        tableName: table,
        columns: Object.fromEntries(
          load.columns[table].map(({ name, type }) => [
            name,
            {
              nullable: true,
              primary: KEYS[table].includes(name),
              type: type as 'text',
              ...ORM_TYPES[type],
            },
          ]),
        ),
      }),
  );
  const source = await new DataSource({ type: 'postgres', url, entities, poolSize: 1 }).initialize();
  return {
    async write({ rows }) {
      await source.transaction(async (manager) => {
        for (const table of TABLES) {
          const repository = manager.getRepository<Row>(table);
          for (const chunk of toChunks(rows[table])) await repository.upsert(chunk as object[], [...KEYS[table]]);
        }
      });
    },
    close: () => source.destroy(),
  };
}

/**
 * The way integration platforms document their warehouse loads: COPY writes batches of JSON records into a raw table; then a
 * query types them, keeps the newest of each key and merges it into the final table, and marks the records as loaded.
 */
export async function openPlatform(url: string): Promise<Rival> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  for (const table of TABLES) {
    await client.query(`create table if not exists bare.raw_${table} (
      raw_id uuid primary key default gen_random_uuid(), extracted_at timestamptz not null default now(),
      loaded_at timestamptz, data jsonb not null)`);
  }
  return {
    async write(load) {
      for (const table of TABLES) {
        if (load.rows[table].length === 0) continue;
        await client.query('begin');
        const records = toChunks(load.rows[table]).map((rows) => rows.map(toCopyLine).join(''));
        await pipeline(Readable.from(records), client.query(copyFrom(`copy bare.raw_${table} (data) from stdin`)));
        await client.query('commit');
        await client.query('begin');
        const columns = load.columns[table];
        const typed = columns.map(({ name, type }) => `${toTyped(name, type)} as ${name}`).join(', ');
        await client.query(`
          with typed as (
            select ${typed}, extracted_at from bare.raw_${table} where loaded_at is null
          ), numbered as (
            select *, row_number() over (partition by ${KEYS[table].join(', ')} order by extracted_at desc) as place
              from typed
          )
          insert into bare.${table} (${namesOf(load, table).join(', ')})
          select ${namesOf(load, table).join(', ')} from numbered where place = 1
          on conflict (${KEYS[table].join(', ')}) do update set ${toUpdates(load, table)}`);
        await client.query(`update bare.raw_${table} set loaded_at = now() where loaded_at is null`);
        await client.query('commit');
      }
    },
    close: () => client.end(),
  };
}

const toCopyLine = (row: Row): string => `${JSON.stringify(row).replaceAll('\\', '\\\\')}\n`;

function toTyped(name: string, type: string): string {
  if (type === 'jsonb') return `nullif(data -> '${name}', 'null')`;
  if (type === 'text[]') return `array(select jsonb_array_elements_text(data -> '${name}'))`;
  return `(data ->> '${name}')::${type}`;
}

function toChunks(rows: readonly Row[]): (readonly Row[])[] {
  const chunks: (readonly Row[])[] = [];
  for (let start = 0; start < rows.length; start += ROWS_PER_STATEMENT)
    chunks.push(rows.slice(start, start + ROWS_PER_STATEMENT));
  return chunks;
}
