import type { Tx } from '../../db/database.js';

const select = (tx: Tx) => tx.selectFrom('conflicts').selectAll();

export type ConflictRow = Awaited<ReturnType<ReturnType<typeof select>['executeTakeFirstOrThrow']>>;

export const findConflict = (tx: Tx, id: string): Promise<ConflictRow | undefined> =>
  select(tx).where('id', '=', id).executeTakeFirst();

/** The latest first; one more than `size` tells that there is another page. */
export const selectConflicts = (
  tx: Tx,
  status: ConflictRow['status'] | undefined,
  size: number,
  after: string | undefined,
): Promise<ConflictRow[]> =>
  select(tx)
    .$if(status !== undefined, (query) => query.where('status', '=', status as ConflictRow['status']))
    .$if(after !== undefined, (query) => query.where('id', '<', after as string))
    .orderBy('id', 'desc')
    .limit(size + 1)
    .execute();

/** The UBI that this company stands for already, as remembered or as decided; undefined: none but perhaps this one. */
export async function findOtherUbi(tx: Tx, companyId: string, ubiKey: string): Promise<string | undefined> {
  const remembered = await tx
    .selectFrom('vendor_companies')
    .select('ubi_key')
    .where('company_id', '=', companyId)
    .where('ubi_key', '!=', ubiKey)
    .executeTakeFirst();
  const decided = await tx
    .selectFrom('conflicts')
    .select('ubi_key')
    .where('decided_company_id', '=', companyId)
    .where('ubi_key', '!=', ubiKey)
    .executeTakeFirst();
  return remembered?.ubi_key ?? decided?.ubi_key;
}

/** Every list that shows a decision is read by it. */
export async function touchRevision(tx: Tx): Promise<void> {
  await tx
    .updateTable('tenants')
    .set((eb) => ({ revision: eb('revision', '+', 1) }))
    .execute();
}
