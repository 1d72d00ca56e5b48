import { type Db, withOperator, withTenant } from '../../db/database.js';
import { eachTenantId } from '../tenants/index.js';
import { countByKey, listSealedColumns, type SealedColumn } from './repository.js';

/** How much a key has sealed, and where. */
export interface SealedCount {
  readonly keyId: string;
  readonly table: string;
  readonly many: number;
}

/** What is sealed with which key, over all tenants and whatever else has something sealed. */
export async function countSealed(db: Db): Promise<SealedCount[]> {
  const columns = await withOperator(db, listSealedColumns);
  const counts = new Map<string, SealedCount>();
  const add = (column: SealedColumn, found: readonly { keyId: string; many: number }[]): void => {
    for (const { keyId, many } of found) {
      const key = `${keyId}/${column.table}`;
      counts.set(key, { keyId, table: column.table, many: (counts.get(key)?.many ?? 0) + many });
    }
  };
  for (const column of columns.filter(({ isTenants }) => !isTenants)) {
    add(column, await withOperator(db, (tx) => countByKey(tx, column)));
  }
  const ofTenants = columns.filter(({ isTenants }) => isTenants);
  for await (const tenantId of eachTenantId(db)) {
    await withTenant(db, tenantId, async (tx) => {
      for (const column of ofTenants) add(column, await countByKey(tx, column));
    });
  }
  return [...counts.values()];
}
