import type { Selectable } from 'kysely';
import type { Tx } from '../../db/database.js';
import type { Licenses } from '../../db/tables.js';
import { DEFAULT_SETTINGS, type License, type LicenseSettings, SETTING_NAMES } from '../../domain/license.js';
import { fromSnakeCaseFields, toFieldPairs, toRow } from '../../domain/snake-case.js';

const STORED_FIELDS = toFieldPairs(
  Object.keys({
    id: true,
    licenseKey: true,
    licenseNumber: true,
    ...DEFAULT_SETTINGS,
    archivedDatetime: true,
    version: true,
    insertedDatetime: true,
    updatedDatetime: true,
  } satisfies Record<keyof License, unknown>) as (keyof License)[],
);
const SETTING_FIELDS = toFieldPairs(SETTING_NAMES);
const NEW_FIELDS = toFieldPairs(['id', 'licenseKey', 'licenseNumber', ...SETTING_NAMES]);

const fromRow = (row: Selectable<Licenses>): License => fromSnakeCaseFields<License>(row, STORED_FIELDS);

const select = (tx: Tx) => tx.selectFrom('licenses').selectAll();

export async function findLicense(tx: Tx, id: string): Promise<License | undefined> {
  const row = await select(tx).where('id', '=', id).executeTakeFirst();
  return row && fromRow(row);
}

export async function findLicenseByKey(tx: Tx, licenseKey: string): Promise<License | undefined> {
  const row = await select(tx).where('license_key', '=', licenseKey).executeTakeFirst();
  return row && fromRow(row);
}

/** Whether a list includes archived licenses. */
export type ArchivedShown = 'exclude' | 'include' | 'only';

/** Up to `size + 1` licenses in the order of their ids. */
export async function selectLicenses(
  tx: Tx,
  archived: ArchivedShown,
  size: number,
  after: string | undefined,
): Promise<License[]> {
  const rows = await select(tx)
    .$if(archived !== 'include', (query) =>
      query.where('archived_datetime', archived === 'only' ? 'is not' : 'is', null),
    )
    .$if(after !== undefined, (query) => query.where('id', '>', after as string))
    .orderBy('id')
    .limit(size + 1)
    .execute();
  return rows.map(fromRow);
}

/** All licenses of the tenant, including archived ones. A tenant has few. */
export const selectAllLicenses = async (tx: Tx): Promise<License[]> =>
  (await select(tx).orderBy('license_key').execute()).map(fromRow);

export type NewLicense = LicenseSettings & Pick<License, 'id' | 'licenseKey' | 'licenseNumber'>;

export async function insertLicense(tx: Tx, tenantId: string, license: NewLicense): Promise<License> {
  const row = await tx
    .insertInto('licenses')
    .values({ tenant_id: tenantId, ...toRow(license, NEW_FIELDS) })
    .returningAll()
    .executeTakeFirstOrThrow();
  return fromRow(row);
}

export type LicenseChange = Partial<LicenseSettings> & { readonly archived?: boolean };

export async function saveLicenseChange(
  tx: Tx,
  id: string,
  { archived, ...settings }: LicenseChange,
): Promise<License> {
  const row = await tx
    .updateTable('licenses')
    .set((eb) => ({
      ...toRow(settings, SETTING_FIELDS),
      ...(archived === undefined ? {} : { archived_datetime: archived ? eb.fn<Date>('now') : null }),
      version: eb('version', '+', 1),
      updated_datetime: eb.fn<Date>('now'),
    }))
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow();
  return fromRow(row);
}

/** Whether the id is of a company credential: a license cannot use the credential of a user. */
export async function companyCredentialExists(tx: Tx, id: string): Promise<boolean> {
  const found = await tx
    .selectFrom('credentials')
    .select('id')
    .where('id', '=', id)
    .where('owner', '=', 'company')
    .executeTakeFirst();
  return found !== undefined;
}
