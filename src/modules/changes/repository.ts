import type { Db } from '../../db/database.js';
import { queryAsTenant, type Statement, TENANT_REVISION } from '../../db/single-statement.js';

export interface ChangeRow {
  readonly seq: number;
  readonly kind: string;
  readonly reason: string | null;
  readonly company_id: string | null;
  readonly license_id: string | null;
  readonly before: Readonly<Record<string, unknown>> | null;
  readonly after: Readonly<Record<string, unknown>> | null;
  readonly actor: string;
  readonly run_id: string | null;
  readonly inserted_datetime: Date;
}

export interface ChangePageRows {
  /** The tenant's, in the state that the rows are of. */
  readonly revision: string;
  readonly rows: readonly ChangeRow[];
}

const PAGE = `
  select t.revision, c.*
    from (${TENANT_REVISION}) t
    left join lateral (
      select seq, kind, reason, company_id, license_id, before, after, actor, run_id, inserted_datetime
        from changes where tenant_id = $1 and seq > $2::bigint order by seq limit $3::bigint) c on true
   order by c.seq`;

export const toChangePageStatement = (tenantId: string, size: number, afterSeq: number): Statement => ({
  text: PAGE,
  values: [tenantId, String(afterSeq), String(size + 1)],
});

/**
 * In the order in which it happened; one more than `size` tells that there is another page. Undefined for a tenant that
 * does not exist; one without changes has one row, with nulls for a change.
 */
export async function findChangePage(
  db: Db,
  tenantId: string,
  size: number,
  afterSeq: number,
): Promise<ChangePageRows | undefined> {
  const statement = toChangePageStatement(tenantId, size, afterSeq);
  const rows = await queryAsTenant<ChangeRow & { revision: string }>(db, tenantId, statement);
  const [first] = rows;
  return first === undefined ? undefined : { revision: first.revision, rows: first.seq === null ? [] : rows };
}
