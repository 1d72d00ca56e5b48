import pg from 'pg';

/** A consistent view of a database's catalog. */
export interface Catalog {
  /** Returns the column `line` of all rows. */
  lines(query: string, values?: readonly unknown[]): Promise<string[]>;
}

/** Opens a read-only snapshot of the catalog. Names in `public` are rendered without the schema. */
export async function withCatalog<T>(databaseUrl: string, work: (catalog: Catalog) => Promise<T>): Promise<T> {
  const session = new pg.Client({ connectionString: databaseUrl });
  await session.connect();
  try {
    await session.query('begin isolation level repeatable read read only');
    await session.query('set local search_path = public');
    return await work({
      async lines(query, values = []) {
        const { rows } = await session.query<{ line: string }>(query, [...values]);
        return rows.map(({ line }) => line);
      },
    });
  } finally {
    await session.end();
  }
}
