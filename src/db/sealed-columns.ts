import { sql } from 'kysely';
import { type Db, type OperatorTx, type Tx, withOperator, withTenant } from './database.js';

/** How many values of a table were sealed with a key of the vault. */
export interface SealedCount {
  readonly keyId: string;
  readonly table: string;
  readonly count: number;
}

interface SealedColumn {
  readonly table: string;
  readonly column: string;
  readonly hasTenantId: boolean;
}

/** Counts sealed values per key and table: in tables without a tenant, and in the given tenants. */
export async function countSealed(db: Db, tenantIds: AsyncIterable<string>): Promise<SealedCount[]> {
  const columns = await withOperator(db, listSealedColumns);
  const counts = new Map<string, SealedCount>();
  const add = ({ table }: SealedColumn, found: readonly KeyCount[]): void => {
    for (const { keyId, count } of found) {
      const key = `${keyId}/${table}`;
      counts.set(key, { keyId, table, count: (counts.get(key)?.count ?? 0) + count });
    }
  };
  for (const column of columns.filter(({ hasTenantId }) => !hasTenantId)) {
    add(column, await withOperator(db, (tx) => countByKey(tx, column)));
  }
  const tenantColumns = columns.filter(({ hasTenantId }) => hasTenantId);
  for await (const tenantId of tenantIds) {
    await withTenant(db, tenantId, async (tx) => {
      for (const column of tenantColumns) add(column, await countByKey(tx, column));
    });
  }
  return [...counts.values()];
}

/** Sealed columns are found by their name (`sealed_…`), so that new ones are included without a change here. */
async function listSealedColumns(tx: OperatorTx): Promise<SealedColumn[]> {
  const { rows } = await sql<SealedColumn>`
    select relname::text as table, attname::text as column,
           exists (select from pg_attribute
                    where attrelid = pg_class.oid and attname = 'tenant_id' and attnotnull) as "hasTenantId"
      from pg_class join pg_attribute on attrelid = pg_class.oid
     where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
       and attname like 'sealed\\_%' and atttypid = 'bytea'::regtype and not attisdropped
     order by 1, 2`.execute(tx);
  return rows;
}

interface KeyCount {
  readonly keyId: string;
  readonly count: number;
}

/** The key ID is part of the sealed text: its length in the second byte, then the ID. See `vault/vault.ts`. */
async function countByKey(tx: Tx | OperatorTx, { table, column }: SealedColumn): Promise<KeyCount[]> {
  const cell = sql.ref(column);
  const { rows } = await sql<KeyCount>`
    select encode(substring(${cell} from 3 for get_byte(${cell}, 1)), 'escape') as "keyId", count(*) as count
      from ${sql.table(table)} where length(${cell}) > 2 group by 1`.execute(tx);
  return rows;
}
