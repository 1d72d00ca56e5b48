import type { Tx } from '../../db/database.js';

const COLUMNS = [
  'id',
  'status',
  'ubi',
  'ubi_key as ubiKey',
  'company_ids as companyIds',
  'decision',
  'decided_company_id as decidedCompanyId',
  'decided_by as decidedBy',
  'decided_datetime as decidedAt',
  'run_id as runId',
  'inserted_datetime as insertedAt',
  'updated_datetime as updatedAt',
] as const;

/** Several companies claim one UBI, and a user must decide or has decided. */
export interface VendorConflict {
  readonly id: string;
  readonly status: 'open' | 'resolved' | 'closed';
  readonly ubi: string;
  readonly ubiKey: string;
  readonly companyIds: readonly string[];
  readonly decision: 'merge' | 'keep_apart' | null;
  readonly decidedCompanyId: string | null;
  readonly decidedBy: string | null;
  readonly decidedAt: Date | null;
  readonly runId: string | null;
  readonly insertedAt: Date;
  readonly updatedAt: Date;
}

const select = (tx: Tx) => tx.selectFrom('conflicts').select(COLUMNS).$castTo<VendorConflict>();

export const findConflict = (tx: Tx, id: string): Promise<VendorConflict | undefined> =>
  select(tx).where('id', '=', id).executeTakeFirst();

export const getConflict = (tx: Tx, id: string): Promise<VendorConflict> =>
  select(tx).where('id', '=', id).executeTakeFirstOrThrow();

/** Newest first. Returns one more than `size` if there is another page. */
export const selectConflicts = (
  tx: Tx,
  status: VendorConflict['status'] | undefined,
  size: number,
  after: string | undefined,
): Promise<VendorConflict[]> =>
  select(tx)
    .$if(status !== undefined, (query) => query.where('status', '=', status as VendorConflict['status']))
    .$if(after !== undefined, (query) => query.where('id', '<', after as string))
    .orderBy('id', 'desc')
    .limit(size + 1)
    .execute();

/** The UBI other than `ubiKey` that this company represents, as recorded or as decided. */
export async function findOtherUbi(tx: Tx, companyId: string, ubiKey: string): Promise<string | undefined> {
  const recorded = await tx
    .selectFrom('vendor_companies')
    .select('ubi_key as ubiKey')
    .where('company_id', '=', companyId)
    .where('ubi_key', '!=', ubiKey)
    .executeTakeFirst();
  const decided = await tx
    .selectFrom('conflicts')
    .select('ubi_key as ubiKey')
    .where('decided_company_id', '=', companyId)
    .where('ubi_key', '!=', ubiKey)
    .executeTakeFirst();
  return recorded?.ubiKey ?? decided?.ubiKey;
}
