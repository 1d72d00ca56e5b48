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

export const findUbi = (tx: Tx): Promise<Ubi | undefined> =>
  tx.selectFrom('ubis').select(COLUMNS).$castTo<Ubi>().executeTakeFirst();

export function saveUbi(tx: Tx, tenantId: string, ubi: Pick<Ubi, 'ubi' | 'ubiKey' | 'status'>): Promise<Ubi> {
  const values = { ubi: ubi.ubi, ubi_key: ubi.ubiKey, status: ubi.status };
  return tx
    .insertInto('ubis')
    .values({ tenant_id: tenantId, ...values })
    .onConflict((conflict) =>
      conflict.column('tenant_id').doUpdateSet((eb) => ({
        ...values,
        version: eb('ubis.version', '+', 1),
        updated_datetime: eb.fn('now'),
      })),
    )
    .returning(COLUMNS)
    .$castTo<Ubi>()
    .executeTakeFirstOrThrow();
}

/** Keeps the version, because the UBI itself does not change. */
export async function updateUbiStatus(tx: Tx, ubiKey: string, status: UbiStatus): Promise<void> {
  await tx.updateTable('ubis').set({ status }).where('ubi_key', '=', ubiKey).where('status', '!=', status).execute();
}

/** Keeps the version, like `updateUbiStatus`. */
export async function resetUbiStatus(tx: Tx): Promise<void> {
  await tx.updateTable('ubis').set({ status: 'unverified' }).where('status', '!=', 'unverified').execute();
}

/** @param ubiKeys the present and the new UBI */
export async function loadUbiChangeEffect(tx: Tx, ubiKeys: readonly string[]): Promise<ChangeEffect> {
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
