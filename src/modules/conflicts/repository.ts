import { sql } from 'kysely';
import type { Tx } from '../../db/database.js';

/** Without companies that represent another UBI, as recorded or as decided. */
const eligibleIds = sql<string[]>`array(
  select claimant.id from unnest(conflicts.company_ids) with ordinality as claimant (id, position)
   where not exists (
           select from vendor_companies vendor
            where vendor.company_id = claimant.id and vendor.ubi_key <> conflicts.ubi_key)
     and not exists (
           select from conflicts other
            where other.decided_company_id = claimant.id and other.ubi_key <> conflicts.ubi_key)
   order by claimant.position)`;

const COLUMNS = [
  'id',
  'status',
  'ubi',
  'ubi_key as ubiKey',
  'company_ids as claimantIds',
  eligibleIds.as('companyIds'),
  sql<string[]>`coalesce(decided_company_ids, '{}')`.as('decidedIds'),
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
  /** All companies that claim the UBI. A decision covers them. */
  readonly claimantIds: readonly string[];
  /** Those of them that can be chosen. */
  readonly companyIds: readonly string[];
  /** The companies that the decision covers. */
  readonly decidedIds: readonly string[];
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
