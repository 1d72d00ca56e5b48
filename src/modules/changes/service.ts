import type { Db } from '../../db/database.js';
import { type PageOf, type PageRequest, toPage } from '../../domain/page.js';
import { notFound } from '../../domain/service-error.js';
import { findRevision } from '../tenants/index.js';
import { type Change, findChanges } from './repository.js';

export { findRevision };

export interface ChangeListing extends PageOf<Change> {
  readonly revision: string;
}

/** Lists the changes after `afterSeq`, oldest first. */
export async function listChanges(
  db: Db,
  tenantId: string,
  afterSeq: number,
  { size, after }: PageRequest,
): Promise<ChangeListing> {
  const found = await findChanges(db, tenantId, size, after === undefined ? afterSeq : Number(after));
  if (found === undefined) throw notFound('tenant');
  const changes = found.changes.map((change) => ({ ...change, id: String(change.seq) }));
  return { ...toPage(changes, size), revision: found.revision };
}
