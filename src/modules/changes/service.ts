import type { Db } from '../../db/database.js';
import { type PageOf, type PageRequest, toPage } from '../../domain/page.js';
import { inTenant } from '../tenants/index.js';
import { type ChangeRow, selectChanges } from './repository.js';

/** The tenant's changes after a number, in the order in which they happened. */
export const listChanges = (
  db: Db,
  tenantId: string,
  afterSeq: number,
  { size, after }: PageRequest,
): Promise<PageOf<ChangeRow & { readonly id: string }>> =>
  inTenant(db, tenantId, async (tx) => {
    const rows = await selectChanges(tx, size, after === undefined ? afterSeq : Number(after));
    return toPage(
      rows.map((row) => ({ ...row, id: String(row.seq) })),
      size,
    );
  });
