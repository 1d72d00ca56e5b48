import type { Tx } from '../../db/database.js';

const select = (tx: Tx) => tx.selectFrom('licenses').selectAll();

export type LicenseRow = Awaited<ReturnType<ReturnType<typeof select>['executeTakeFirstOrThrow']>>;

export const findLicense = (tx: Tx, id: string): Promise<LicenseRow | undefined> =>
  select(tx).where('id', '=', id).executeTakeFirst();

export const findLicenseByKey = (tx: Tx, licenseKey: string): Promise<LicenseRow | undefined> =>
  select(tx).where('license_key', '=', licenseKey).executeTakeFirst();

/** Whether the archived ones are among them. */
export type ArchivedShown = 'exclude' | 'include' | 'only';

export const selectLicenses = (
  tx: Tx,
  archived: ArchivedShown,
  size: number,
  after: string | undefined,
): Promise<LicenseRow[]> =>
  select(tx)
    .$if(archived !== 'include', (query) =>
      query.where('archived_datetime', archived === 'only' ? 'is not' : 'is', null),
    )
    .$if(after !== undefined, (query) => query.where('id', '>', after as string))
    .orderBy('id')
    .limit(size + 1)
    .execute();

/** All of them, the archived ones too: a vendor has few. */
export const selectAllLicenses = (tx: Tx): Promise<LicenseRow[]> => select(tx).orderBy('license_key').execute();

type KeptInside = 'tenant_id' | 'version' | 'inserted_datetime' | 'updated_datetime' | 'archived_datetime';

export type NewLicense = Omit<LicenseRow, KeptInside>;

export const insertLicense = (tx: Tx, tenantId: string, license: NewLicense): Promise<LicenseRow> =>
  tx
    .insertInto('licenses')
    .values({ tenant_id: tenantId, ...license })
    .returningAll()
    .executeTakeFirstOrThrow();

export type LicenseChange = Partial<Omit<NewLicense, 'id' | 'license_key' | 'license_number'>> & {
  readonly archived?: boolean;
};

export const saveLicenseChange = (tx: Tx, id: string, { archived, ...change }: LicenseChange): Promise<LicenseRow> =>
  tx
    .updateTable('licenses')
    .set((eb) => ({
      ...change,
      ...(archived === undefined ? {} : { archived_datetime: archived ? eb.fn<Date>('now') : null }),
      version: eb('version', '+', 1),
      updated_datetime: eb.fn<Date>('now'),
    }))
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow();

/** A login of the company's: a person's own works for that person alone. */
export async function companyCredentialExists(tx: Tx, id: string): Promise<boolean> {
  const found = await tx
    .selectFrom('credentials')
    .select('id')
    .where('id', '=', id)
    .where('owner', '=', 'company')
    .executeTakeFirst();
  return found !== undefined;
}
