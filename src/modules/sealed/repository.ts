import { sql } from 'kysely';
import type { OperatorTx, Tx } from '../../db/database.js';

/** A column that the vault seals: by its name, so that a new one is found here by itself. */
export interface SealedColumn {
  readonly table: string;
  readonly column: string;
  readonly isTenants: boolean;
}

export async function listSealedColumns(tx: OperatorTx): Promise<SealedColumn[]> {
  const { rows } = await sql<SealedColumn>`
    select relname::text as table, attname::text as column,
           exists (select from pg_attribute
                    where attrelid = pg_class.oid and attname = 'tenant_id' and attnotnull) as "isTenants"
      from pg_class join pg_attribute on attrelid = pg_class.oid
     where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
       and attname like 'sealed\\_%' and atttypid = 'bytea'::regtype and not attisdropped
     order by 1, 2`.execute(tx);
  return rows;
}

/** How many cells each key has sealed, of those that this transaction sees. The id stands in the sealed text's head. */
export async function countByKey(
  tx: Tx | OperatorTx,
  { table, column }: SealedColumn,
): Promise<{ keyId: string; many: number }[]> {
  const cell = sql.ref(column);
  const { rows } = await sql<{ keyId: string; many: number }>`
    select encode(substring(${cell} from 3 for get_byte(${cell}, 1)), 'escape') as "keyId", count(*) as many
      from ${sql.table(table)} where length(${cell}) > 2 group by 1`.execute(tx);
  return rows;
}
