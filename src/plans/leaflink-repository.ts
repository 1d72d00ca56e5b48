import type { Tx } from '../db/database.js';

/** A license of a company with the LeafLink customer that a user assigned to it. */
export interface LeaflinkLicense {
  readonly id: string;
  readonly companyId: string;
  readonly licenseNumber: string;
  readonly active: boolean;
  readonly leaflinkCustomerId: string | null;
}

const select = (tx: Tx) =>
  tx
    .selectFrom('company_licenses')
    .select([
      'id',
      'company_id as companyId',
      'license_number as licenseNumber',
      'active',
      'leaflink_customer_id as leaflinkCustomerId',
    ]);

/** The licenses of a company, active or not. */
export const selectLeaflinkLicenses = (tx: Tx, companyId: string): Promise<LeaflinkLicense[]> =>
  select(tx).where('company_id', '=', companyId).orderBy('id').execute();

export const findLicenseOfLeaflinkCustomer = (tx: Tx, customerId: string): Promise<LeaflinkLicense | undefined> =>
  select(tx).where('leaflink_customer_id', '=', customerId).executeTakeFirst();

export async function saveLeaflinkCustomer(tx: Tx, id: string, customerId: string | null): Promise<void> {
  await tx.updateTable('company_licenses').set({ leaflink_customer_id: customerId }).where('id', '=', id).execute();
}
