import type { Tx } from '../../db/database.js';
import type { ChangeEffect } from '../../domain/service-error.js';

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

/** What another UBI would touch of this tenant. */
export async function countUbiChangeEffect(tx: Tx, ubiKeys: readonly string[]): Promise<ChangeEffect> {
  const count = async (query: { executeTakeFirstOrThrow(): Promise<{ count: number }> }): Promise<number> =>
    (await query.executeTakeFirstOrThrow()).count;
  return {
    licenses: await count(tx.selectFrom('licenses').select((eb) => eb.fn.countAll<number>().as('count'))),
    credentials: await count(tx.selectFrom('credentials').select((eb) => eb.fn.countAll<number>().as('count'))),
    companies: await count(
      tx
        .selectFrom('company_licenses')
        .select((eb) => eb.fn.count<number>('company_id').distinct().as('count'))
        .where('active', '=', true)
        .where('ubi_key', 'in', ubiKeys),
    ),
  };
}
