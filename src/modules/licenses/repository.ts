import type { Tx } from '../../db/database.js';

const select = (tx: Tx) => tx.selectFrom('licenses').selectAll();

export type LicenseRow = Awaited<ReturnType<ReturnType<typeof select>['executeTakeFirstOrThrow']>>;

export const findLicense = (tx: Tx, id: string): Promise<LicenseRow | undefined> =>
  select(tx).where('id', '=', id).executeTakeFirst();

export const findLicenseByKey = (tx: Tx, licenseKey: string): Promise<LicenseRow | undefined> =>
  select(tx).where('license_key', '=', licenseKey).executeTakeFirst();

export const selectLicenses = (tx: Tx, size: number, after: string | undefined): Promise<LicenseRow[]> =>
  select(tx)
    .$if(after !== undefined, (query) => query.where('id', '>', after as string))
    .orderBy('id')
    .limit(size + 1)
    .execute();

/** Ids of the created licenses, by license key. */
export async function loadLicenseIds(tx: Tx): Promise<Map<string, string>> {
  const rows = await tx.selectFrom('licenses').select(['license_key', 'id']).execute();
  return new Map(rows.map(({ license_key, id }) => [license_key, id]));
}

export type NewLicense = Omit<LicenseRow, 'tenant_id' | 'version' | 'inserted_datetime' | 'updated_datetime'>;

export const insertLicense = (tx: Tx, tenantId: string, license: NewLicense): Promise<LicenseRow> =>
  tx
    .insertInto('licenses')
    .values({ tenant_id: tenantId, ...license })
    .returningAll()
    .executeTakeFirstOrThrow();

export async function credentialExists(tx: Tx, id: string): Promise<boolean> {
  return (await tx.selectFrom('credentials').select('id').where('id', '=', id).executeTakeFirst()) !== undefined;
}

export async function countLicenses(tx: Tx): Promise<number> {
  const { count } = await tx
    .selectFrom('licenses')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow();
  return count;
}
