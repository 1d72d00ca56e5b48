import type { Tx } from '../../db/database.js';

export type UbiStatus = 'unverified' | 'verified' | 'rejected';

export interface Ubi {
  readonly ubi: string;
  readonly ubiKey: string;
  readonly status: UbiStatus;
  readonly version: number;
  readonly insertedAt: Date;
  readonly updatedAt: Date;
}

const COLUMNS = [
  'ubi',
  'ubi_key as ubiKey',
  'status',
  'version',
  'inserted_datetime as insertedAt',
  'updated_datetime as updatedAt',
] as const;

export async function findUbi(tx: Tx): Promise<Ubi | undefined> {
  const row = await tx.selectFrom('ubis').select(COLUMNS).executeTakeFirst();
  return row === undefined ? undefined : { ...row, status: row.status as UbiStatus };
}

/** Inserts or replaces. */
export async function saveUbi(tx: Tx, tenantId: string, ubi: Pick<Ubi, 'ubi' | 'ubiKey' | 'status'>): Promise<void> {
  const values = { ubi: ubi.ubi, ubi_key: ubi.ubiKey, status: ubi.status };
  await tx
    .insertInto('ubis')
    .values({ tenant_id: tenantId, ...values })
    .onConflict((conflict) =>
      conflict.column('tenant_id').doUpdateSet((eb) => ({
        ...values,
        version: eb('ubis.version', '+', 1),
        updated_datetime: eb.fn('now'),
      })),
    )
    .execute();
}

/** What a login said of it; no change of the setting itself, so its version stays. */
export async function updateUbiStatus(tx: Tx, ubiKey: string, status: UbiStatus): Promise<void> {
  await tx.updateTable('ubis').set({ status }).where('ubi_key', '=', ubiKey).where('status', '!=', status).execute();
}

export async function hasLicenses(tx: Tx): Promise<boolean> {
  return (await tx.selectFrom('licenses').select('id').limit(1).executeTakeFirst()) !== undefined;
}
