import { sql } from 'kysely';
import type { Tx } from '../../db/database.js';
import type { LicenseState } from '../../mapping/index.js';
import { toLicenseState } from './snapshot-repository.js';

/** What a person says of a company; null: nothing, and of the name that BioTrack's counts. */
export interface CompanyEdits {
  readonly name?: string | null;
  readonly legal_business_name?: string | null;
  readonly relationship_type?: string | null;
  readonly leaflink_customer_id?: string | null;
  readonly custom_data?: Readonly<Record<string, unknown>> | null;
}

export async function saveEdits(tx: Tx, id: string, { name, custom_data, ...texts }: CompanyEdits): Promise<void> {
  await tx
    .updateTable('companies')
    .set((eb) => ({
      ...texts,
      ...(name === undefined ? {} : { edited_name: name }),
      ...(custom_data === undefined ? {} : { custom_data: custom_data === null ? null : JSON.stringify(custom_data) }),
      version: eb('version', '+', 1),
      updated_datetime: sql<Date>`now()`,
    }))
    .where('id', '=', id)
    .execute();
}

/** The licenses with these keys that the tenant knows. */
export async function loadLicenses(tx: Tx, licenseKeys: readonly string[]): Promise<LicenseState[]> {
  const rows = await tx
    .selectFrom('company_licenses')
    .selectAll()
    .where('license_key', '=', sql<string>`any(${[...licenseKeys]}::text[])`)
    .execute();
  return rows.map(toLicenseState);
}
