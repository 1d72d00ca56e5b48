import { readFile } from 'node:fs/promises';
import type pg from 'pg';

const FILE = new URL('./invariants.sql', import.meta.url);

/** A row that breaks an invariant of `invariants.sql`. */
export interface Violation {
  readonly label: string;
  readonly tenantId: string | null;
  /** The ID or key of the row. */
  readonly what: string;
}

/** Runs `invariants.sql` with the connection's rights: in a tenant's transaction it checks that tenant only. */
export async function findViolations(client: Pick<pg.ClientBase, 'query'>): Promise<Violation[]> {
  interface Row {
    readonly label: string;
    readonly tenant_id: string | null;
    readonly what: string;
  }
  // A query with several statements returns one result per statement.
  const results = (await client.query(await readFile(FILE, 'utf8'))) as unknown as readonly pg.QueryResult<Row>[];
  return results.flatMap(({ rows }) =>
    rows.map(({ label, tenant_id, what }) => ({ label, tenantId: tenant_id, what })),
  );
}
