import { sql } from 'kysely';
import type { Tx } from '../db/database.js';

/** Few enough for a statement of about a second. */
const ROWS_PER_STATEMENT = 10_000;
const LAST_ID = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

/** Deletes all companies and licenses, in several statements: one for 100,000 would take longer than a connection may be silent. */
export async function deleteAllCompanies(tx: Tx): Promise<void> {
  await tx.deleteFrom('vendor_companies').execute();
  for (const table of ['company_licenses', 'companies'] as const) while (await deleteSomeRows(tx, table));
}

async function deleteSomeRows(tx: Tx, table: 'company_licenses' | 'companies'): Promise<boolean> {
  const last = tx
    .selectFrom(table)
    .select('id')
    .orderBy('id')
    .offset(ROWS_PER_STATEMENT - 1)
    .limit(1);
  const { numDeletedRows } = await tx
    .deleteFrom(table)
    .where('id', '<=', sql<string>`coalesce(${last}, ${LAST_ID}::uuid)`)
    .executeTakeFirstOrThrow();
  return numDeletedRows === BigInt(ROWS_PER_STATEMENT);
}
