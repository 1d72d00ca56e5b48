import type { Db } from '../../db/database.js';
import { runStatement, type Statement, TENANT_REVISION } from '../../db/single-statement.js';

/** An entry of the change feed. */
export interface Change {
  readonly seq: number;
  readonly kind: string;
  readonly reason: string | null;
  readonly companyId: string | null;
  readonly licenseId: string | null;
  /** With the field names of the API. */
  readonly before: Readonly<Record<string, unknown>> | null;
  readonly after: Readonly<Record<string, unknown>> | null;
  readonly actor: string;
  readonly runId: string | null;
  readonly insertedAt: Date;
}

export interface FoundChanges {
  /** The revision of the tenant when the changes were read. */
  readonly revision: string;
  readonly changes: readonly Change[];
}

const PAGE = `
  select t.revision, c.*
    from (${TENANT_REVISION}) t
    left join lateral (
      select seq, kind, reason, company_id as "companyId", license_id as "licenseId", before, after, actor,
             run_id as "runId", inserted_datetime as "insertedAt"
        from changes where tenant_id = $1 and seq > $2::bigint order by seq limit $3::bigint) c on true
   order by c.seq`;

export const toChangePageStatement = (tenantId: string, size: number, afterSeq: number): Statement => ({
  text: PAGE,
  values: [tenantId, String(afterSeq), String(size + 1)],
});

/** Oldest first. Returns one more than `size` if there is another page, and undefined if the tenant does not exist. */
export async function findChanges(
  db: Db,
  tenantId: string,
  size: number,
  afterSeq: number,
): Promise<FoundChanges | undefined> {
  const statement = toChangePageStatement(tenantId, size, afterSeq);
  const rows = await runStatement<Change & { revision: string }>(db, tenantId, statement);
  const [first] = rows;
  if (first === undefined) return undefined;
  // A tenant without changes has one row without a change.
  return { revision: first.revision, changes: first.seq === null ? [] : rows };
}
