import { type RawBuilder, sql } from 'kysely';
import type { Tx } from './database.js';
import type { DB } from './tables.js';

/** Rows whose column has one of these values. */
export interface Lookup {
  readonly column: string;
  /** The type of the column. */
  readonly type: 'text' | 'uuid';
  readonly values: readonly string[];
}

/**
 * The tenant's rows that match one of the lookups; a row that several match is returned several times. Each value is looked up
 * through the index of its column, which must exist: on tables without statistics, Postgres would read all rows of the tenant for
 * `column = any (values)`, because it takes a few hundred values for the whole table.
 */
export async function lookUp<Row>(
  tx: Tx,
  table: keyof DB,
  columns: RawBuilder<unknown>,
  lookups: readonly Lookup[],
): Promise<Row[]> {
  const selects = lookups.flatMap(({ column, type, values }) =>
    values.length === 0
      ? []
      : sql`select found.* from unnest(${[...new Set(values)]}::${sql.raw(type)}[]) as wanted (value) cross join lateral
        (select ${columns} from ${sql.table(table)} where ${sql.ref(column)} = wanted.value offset 0) as found`,
  );
  if (selects.length === 0) return [];
  const { rows } = await sql<Row>`${sql.join(selects, sql` union all `)}`.execute(tx);
  return rows;
}
