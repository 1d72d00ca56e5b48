import pg from 'pg';

/** One reading of a database's catalogue. */
export interface Catalogue {
  /** The lines that a query makes: the column `line` of its rows, in their order. */
  lines(query: string, values?: readonly unknown[]): Promise<string[]>;
}

/** Reads the catalogue as it is at one moment. Names in `public` stand without their schema. */
export async function withCatalogue<T>(databaseUrl: string, work: (catalogue: Catalogue) => Promise<T>): Promise<T> {
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
