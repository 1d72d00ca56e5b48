import { takeChangeNumbers } from '../../db/change-numbers.js';
import type { Tx } from '../../db/database.js';

/** A line of the change feed about one of the tenant's own licenses. */
export interface LicenseChangeRecord {
  readonly kind: 'own_license.created' | 'own_license.updated' | 'own_license.archived' | 'own_license.restored';
  readonly licenseId: string;
  /** Null for something new. */
  readonly before: Readonly<Record<string, unknown>> | null;
  readonly after: Readonly<Record<string, unknown>>;
  readonly actor: string;
}

/** The tenant must be locked. */
export async function insertLicenseChange(tx: Tx, tenantId: string, note: LicenseChangeRecord): Promise<void> {
  const { first: seq } = await takeChangeNumbers(tx, 1);
  await tx
    .insertInto('changes')
    .values({
      tenant_id: tenantId,
      seq,
      kind: note.kind,
      license_id: note.licenseId,
      before: note.before === null ? null : JSON.stringify(note.before),
      after: JSON.stringify(note.after),
      actor: note.actor,
    })
    .execute();
}
