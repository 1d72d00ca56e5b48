import { sql } from 'kysely';
import type { Db, OperatorTx, Tx } from '../../db/database.js';
import { queryAsTenant, TENANT_REVISION } from '../../db/single-statement.js';
import type { Environment } from '../../domain/environment.js';
import { createSharedRead, type SharedRead } from '../../domain/shared-read.js';

export interface Tenant {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly environment: Environment;
  readonly firstSyncedAt: Date | null;
  /** Every edit and every change of the companies raises it. */
  readonly revision: number;
  readonly version: number;
  readonly insertedAt: Date;
  readonly updatedAt: Date;
}

const COLUMNS = [
  'tenant_id as id',
  'name',
  'state',
  'environment',
  'first_synced_datetime as firstSyncedAt',
  'revision',
  'version',
  'inserted_datetime as insertedAt',
  'updated_datetime as updatedAt',
] as const;

export const findTenant = (tx: Tx): Promise<Tenant | undefined> =>
  tx.selectFrom('tenants').select(COLUMNS).executeTakeFirst();

/** The same, and nobody else changes the tenant until the transaction ends. Its rows may still be referred to. */
export const lockTenantRow = (tx: Tx): Promise<Tenant | undefined> =>
  tx.selectFrom('tenants').select(COLUMNS).forNoKeyUpdate().executeTakeFirst();

/** The same; undefined too if somebody has locked it already. */
export const lockFreeTenantRow = (tx: Tx): Promise<Tenant | undefined> =>
  tx.selectFrom('tenants').select(COLUMNS).forNoKeyUpdate().skipLocked().executeTakeFirst();

/** Undefined if another request inserted it first. */
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

export async function deleteTenantRow(tx: Tx, id: string): Promise<void> {
  // It refers to no tenant, so that it can be kept for what has none.
  await tx.deleteFrom('idempotency_keys').where('tenant_id', '=', id).execute();
  await tx.deleteFrom('tenants').where('tenant_id', '=', id).execute();
}

/** In the order of ids; one more than `size` tells that there is another page. */
export const selectTenants = (tx: OperatorTx, size: number, after: string | undefined): Promise<Tenant[]> =>
  tx
    .selectFrom('tenants')
    .select(COLUMNS)
    .$if(after !== undefined, (query) => query.where('tenant_id', '>', after as string))
    .orderBy('tenant_id')
    .limit(size + 1)
    .execute();

/**
 * What BioTrack said of logins and of the UBI was said of another UBI, or another state: it no longer counts.
 * @param ubiKey with which logins are made from now on; undefined: by another state, where none was ever refused
 */
export async function unverifyCredentials(tx: Tx, ubiKey?: string): Promise<void> {
  const wasRefused = sql<boolean>`${ubiKey ?? null}::text = any (refused_ubi_keys)`;
  await tx
    .updateTable('credentials')
    .set((eb) => ({
      status: eb.case().when(wasRefused).then('rejected').else('unverified').end().$castTo<'rejected' | 'unverified'>(),
      missing_privilege: null,
      version: eb('version', '+', 1),
      ...(ubiKey === undefined ? { refused_ubi_keys: [] } : {}),
    }))
    .where((eb) => eb.or([eb('status', '!=', 'unverified'), wasRefused]))
    .execute();
  await tx.updateTable('ubis').set({ status: 'unverified' }).where('status', '!=', 'unverified').execute();
}

export async function getRevision(tx: Tx): Promise<number> {
  const { revision } = await tx.selectFrom('tenants').select('revision').executeTakeFirstOrThrow();
  return revision;
}

/** Undefined for a tenant that does not exist. */
export function findRevision(db: Db, tenantId: string): Promise<string | undefined> {
  let read = revisions.get(db);
  if (read === undefined) {
    read = createSharedRead();
    revisions.set(db, read);
  }
  return read(tenantId, async () => {
    const [row] = await queryAsTenant<{ revision: string }>(db, tenantId, {
      text: TENANT_REVISION,
      values: [tenantId],
    });
    return row?.revision;
  });
}

/** Pollers of one tenant come together: one read answers all of them. */
const revisions = new WeakMap<Db, SharedRead<string | undefined>>();
