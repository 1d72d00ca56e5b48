import type { Tx } from '../db/database.js';
import type { OWN_LICENSE_CHANGE_KINDS } from '../domain/change-kind.js';
import type { Difference } from '../domain/difference.js';
import { allocateChangeNumbers } from '../modules/tenants/index.js';

/** An entry of the change feed about one of the tenant's own licenses. */
export interface LicenseChangeRecord extends Difference {
  readonly kind: (typeof OWN_LICENSE_CHANGE_KINDS)[number];
  readonly licenseId: string;
  readonly actor: string;
}

/** The tenant must be locked. */
export async function insertLicenseChange(tx: Tx, tenantId: string, change: LicenseChangeRecord): Promise<void> {
  const { first: seq } = await allocateChangeNumbers(tx, 1);
  await tx
    .insertInto('changes')
    .values({
      tenant_id: tenantId,
      seq,
      kind: change.kind,
      license_id: change.licenseId,
      before: change.before === null ? null : JSON.stringify(change.before),
      after: JSON.stringify(change.after),
      actor: change.actor,
    })
    .execute();
}
