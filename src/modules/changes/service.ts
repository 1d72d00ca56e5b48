import type { Db } from '../../db/database.js';
import { type PageOf, type PageRequest, toPage } from '../../domain/page.js';
import { notFound } from '../../domain/service-error.js';
import { findRevision } from '../tenants/index.js';
import { type ChangeRow, findChangePage } from './repository.js';

export { findRevision };

export interface ChangeListing extends PageOf<ChangeRow> {
  readonly revision: string;
}

/** The tenant's changes after a number, in the order in which they happened. */
export async function listChanges(
  db: Db,
  tenantId: string,
  afterSeq: number,
  { size, after }: PageRequest,
): Promise<ChangeListing> {
  const found = await findChangePage(db, tenantId, size, after === undefined ? afterSeq : Number(after));
  if (found === undefined) throw notFound('tenant');
  const rows = found.rows.map((row) => ({ ...row, id: String(row.seq) }));
  return { ...toPage(rows, size), revision: found.revision };
}
