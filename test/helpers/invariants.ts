import { readFile } from 'node:fs/promises';
import type pg from 'pg';

const FILE = new URL('../invariants.sql', import.meta.url);

/** Anything that can be asked: a pool, or a client in the middle of a transaction. */
type Asks = Pick<pg.ClientBase, 'query'>;

interface Violation {
  readonly label: string;
  readonly tenant_id: string | null;
  readonly what: string;
}

/** What is broken of `invariants.sql`, a line for each violation; nothing in a healthy database. */
export async function findBrokenInvariants(database: Asks): Promise<string[]> {
  const text = await readFile(FILE, 'utf8');
  // Several statements in one: the driver then gives a result for each.
  const results = (await database.query(text)) as unknown as readonly pg.QueryResult<Violation>[];
  return results.flatMap(({ rows }) => rows.map(({ label, tenant_id, what }) => `${label}: ${tenant_id} ${what}`));
}

/** The labels of all invariants, so that a test can see each of them broken. */
export async function listInvariants(): Promise<string[]> {
  const text = await readFile(FILE, 'utf8');
  return [...text.matchAll(/^select '([^']+)' as label/gm)].map(([, label]) => label as string);
}
