import type { Tx } from '../../db/database.js';
import { ServiceError } from '../../domain/service-error.js';
import {
  type ChangeOrigin,
  findLicenseOfLeaflinkCustomer,
  recordChanges,
  saveLeaflinkCustomer,
  selectLeaflinkLicenses,
} from '../../plans/index.js';

const POINTER = '/leaflink_customer_id';

/**
 * Assigns a LeafLink customer to the only active license of a company. Null removes the customer of the only license, active or
 * not, that has one.
 * @throws ServiceError `not_one_license`, `leaflink_customer_taken`
 */
export async function assignLeaflinkCustomer(
  tx: Tx,
  tenantId: string,
  companyId: string,
  customerId: string | null,
  origin: ChangeOrigin,
): Promise<void> {
  const licenses = await selectLeaflinkLicenses(tx, companyId);
  const eligible = licenses.filter((license) =>
    customerId === null ? license.leaflinkCustomerId !== null : license.active,
  );
  if (customerId === null && eligible.length === 0) return;
  const [license, ...others] = eligible;
  if (license === undefined || others.length > 0) {
    const count = license === undefined ? 'no active license' : `${eligible.length} licenses`;
    throw new ServiceError('not_one_license', `A LeafLink customer has one license, and this company has ${count}.`, {
      errors: [{ pointer: POINTER, detail: 'can only be set for a company with exactly one active license' }],
    });
  }
  if (license.leaflinkCustomerId === customerId) return;
  const holder = customerId === null ? undefined : await findLicenseOfLeaflinkCustomer(tx, customerId);
  if (holder !== undefined) {
    throw new ServiceError(
      'leaflink_customer_taken',
      `License ${holder.licenseNumber} has this LeafLink customer. Remove it there first.`,
      { conflicting_id: holder.companyId, errors: [{ pointer: POINTER, detail: 'belongs to another license' }] },
    );
  }
  await saveLeaflinkCustomer(tx, license.id, customerId);
  const change = {
    kind: 'license.updated',
    reason: 'edited_by_user',
    companyId,
    fromCompanyId: null,
    licenseId: license.id,
    licenseNumber: license.licenseNumber,
    before: { leaflink_customer_id: license.leaflinkCustomerId },
    after: { leaflink_customer_id: customerId },
  } as const;
  await recordChanges(tx, tenantId, [change], origin);
}
