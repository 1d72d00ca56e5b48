import type { Db, OperatorTx, Tx } from '../../db/database.js';
import { runStatement, TENANT_REVISION } from '../../db/single-statement.js';
import type { Environment } from '../../domain/environment.js';
import { createSharedRead, type SharedRead } from '../../domain/shared-read.js';

export interface Tenant {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly environment: Environment;
  readonly firstSyncedAt: Date | null;
  /** The run of the first sync. */
  readonly firstRunId: string | null;
  /** The change feed has all changes from this one on. */
  readonly feedStartSeq: number;
  /** Since when no entry of the change feed was deleted; null if none ever was. */
  readonly feedCompleteFrom: Date | null;
  /** Changes with what the tenant's plans are made from, see `move_inputs_revision`. */
  readonly inputsRevision: number;
  readonly version: number;
  readonly insertedAt: Date;
  readonly updatedAt: Date;
}

const COLUMNS = [
  'tenants.tenant_id as id',
  'tenants.name',
  'tenants.state',
  'tenants.environment',
  'tenants.first_synced_datetime as firstSyncedAt',
  'tenants.first_synced_run_id as firstRunId',
  'tenants.feed_start_seq as feedStartSeq',
  'tenants.feed_complete_from as feedCompleteFrom',
  'tenants.inputs_revision as inputsRevision',
  'tenants.version',
  'tenants.inserted_datetime as insertedAt',
  'tenants.updated_datetime as updatedAt',
] as const;

export const selectTenant = (tx: Tx) => tx.selectFrom('tenants').select(COLUMNS);

export const findTenant = (tx: Tx): Promise<Tenant | undefined> => selectTenant(tx).executeTakeFirst();

/** Locks the tenant against changes until the transaction ends. Other transactions can still insert rows that reference it. */
export const lockTenantRow = (tx: Tx): Promise<Tenant | undefined> =>
  selectTenant(tx).forNoKeyUpdate().executeTakeFirst();

/** Undefined also if another transaction holds the lock. */
export const lockTenantRowIfFree = (tx: Tx): Promise<Tenant | undefined> =>
  selectTenant(tx).forNoKeyUpdate().skipLocked().executeTakeFirst();

/** Undefined if a concurrent request inserted the tenant first. */
export function insertTenant(
  tx: Tx,
  tenant: Pick<Tenant, 'id' | 'name' | 'state' | 'environment'>,
): Promise<Tenant | undefined> {
  const { id, ...rest } = tenant;
  return tx
    .insertInto('tenants')
    .values({ tenant_id: id, ...rest })
    .onConflict((conflict) => conflict.doNothing())
    .returning(COLUMNS)
    .executeTakeFirst();
}

export const updateTenant = (
  tx: Tx,
  id: string,
  tenant: Pick<Tenant, 'name' | 'state' | 'environment'>,
): Promise<Tenant> =>
  tx
    .updateTable('tenants')
    .set((eb) => ({ ...tenant, version: eb('version', '+', 1), updated_datetime: eb.fn('now') }))
    .where('tenant_id', '=', id)
    .returning(COLUMNS)
    .executeTakeFirstOrThrow();

/** For operators, who have no transaction of the tenant. */
export async function tenantExists(tx: OperatorTx, tenantId: string): Promise<boolean> {
  const found = await tx.selectFrom('tenants').select('tenant_id').where('tenant_id', '=', tenantId).executeTakeFirst();
  return found !== undefined;
}

/** How many companies and listed licenses a tenant has. */
export async function countContents(tx: Tx): Promise<{ readonly companies: number; readonly licenses: number }> {
  const count = async (table: 'companies' | 'company_licenses'): Promise<number> => {
    const { rows } = await tx
      .selectFrom(table)
      .select((eb) => eb.fn.countAll<number>().as('rows'))
      .executeTakeFirstOrThrow();
    return rows;
  };
  return { companies: await count('companies'), licenses: await count('company_licenses') };
}

export async function deleteTenantRow(tx: Tx, id: string): Promise<void> {
  await tx.deleteFrom('tenants').where('tenant_id', '=', id).execute();
}

/** Ordered by id. Reads up to `size + 1` rows, for `toPage`. */
export const selectTenants = (tx: OperatorTx, size: number, after: string | undefined): Promise<Tenant[]> =>
  tx
    .selectFrom('tenants')
    .select(COLUMNS)
    .$if(after !== undefined, (query) => query.where('tenant_id', '>', after as string))
    .orderBy('tenant_id')
    .limit(size + 1)
    .execute();

/** Undefined if the tenant does not exist. Concurrent calls share one query. */
export function findRevision(db: Db, tenantId: string): Promise<string | undefined> {
  let read = revisions.get(db);
  if (read === undefined) {
    read = createSharedRead();
    revisions.set(db, read);
  }
  return read(tenantId, async () => {
    const [row] = await runStatement<{ revision: string }>(db, tenantId, {
      text: TENANT_REVISION,
      values: [tenantId],
    });
    return row?.revision;
  });
}

/** Many clients poll the same tenant at the same time. */
const revisions = new WeakMap<Db, SharedRead<string | undefined>>();
