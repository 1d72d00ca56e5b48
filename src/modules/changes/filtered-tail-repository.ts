import type { Db } from '../../db/database.js';
import { runStatement, type Statement, TENANT_REVISION } from '../../db/single-statement.js';
import type { ChangeKind } from '../../domain/change-kind.js';
import type { Feed, StoredChange } from './repository.js';

/** Which changes are listed. A change must match all filters. */
export interface ChangeFilters {
  readonly kinds?: readonly ChangeKind[] | undefined;
  readonly companyId?: string | undefined;
  readonly runId?: string | undefined;
}

export const isFiltered = ({ kinds, companyId, runId }: ChangeFilters): boolean =>
  kinds !== undefined || companyId !== undefined || runId !== undefined;

/** A part of the feed, and up to where it was read. */
export interface FilteredTail {
  readonly feed: Feed & {
    /** The last change that was looked at, and its id; null before the first one. */
    readonly throughSeq: number;
    readonly throughId: string | null;
  };
  readonly changes: readonly StoredChange[];
}

/** How many changes a page looks at if no index finds those that match. */
export const MAX_SCANNED_CHANGES = 10_000;

const COLUMNS = `c.id, c.seq, c.kind, c.reason, c.company_id as "companyId", c.license_id as "licenseId", c.before, c.after,
  c.actor, c.run_id as "runId", c.inserted_datetime as "insertedAt"`;

const idOf = (seq: string): string => `(select id from changes where tenant_id = $1 and seq = ${seq})`;

/**
 * $2: the number of the change after which to read, null for the oldest ones that the feed still has. Indexes find the changes of a
 * company. For other filters, a page looks at a range of numbers, which have no gaps. Those of a run are consecutive; of a deleted run,
 * they are not known.
 */
export function toFilteredTailStatement(
  tenantId: string,
  { kinds, companyId, runId }: ChangeFilters,
  seq: number | undefined,
  limit: number,
): Statement {
  const values: (string | null)[] = [tenantId, seq === undefined ? null : String(seq), String(limit)];
  const place = (value: string): string => `$${values.push(value)}`;
  const conditions = ['c.tenant_id = $1'];
  if (kinds !== undefined) conditions.push(`c.kind in (${kinds.map(place).join(', ')})`);
  const run = runId === undefined ? undefined : `${place(runId)}::uuid`;
  if (run !== undefined) conditions.push(`c.run_id = ${run}`);
  const toSelect = (order: string, ...more: string[]): string =>
    `(select ${COLUMNS} from changes c where ${[...conditions, ...more].join(' and ')} order by ${order} limit $3::bigint)`;
  const company = companyId === undefined ? undefined : `${place(companyId)}::uuid`;
  // Postgres could also take the index of numbers for these, so neither the conditions nor the order fit it.
  const toCompanySelect = (column: string): string =>
    toSelect(
      'c.seq + 0',
      `${column} = ${company}`,
      `(${column}, c.seq) > (${company}, feed."beginSeq")`,
      'c.seq + 0 <= feed."endSeq"',
    );
  const selects =
    company === undefined
      ? toSelect('c.seq', 'c.seq > feed."beginSeq"', 'c.seq <= feed."endSeq"')
      : `${toCompanySelect('c.company_id')} union all ${toCompanySelect('c.from_company_id')}`;
  const scanned = company === undefined ? `least("lastSeq", begin + ${MAX_SCANNED_CHANGES})` : '"lastSeq"';
  const text = `
    with positions as materialized (
      select revisions.revision, tenants.feed_epoch as epoch, tenants.feed_start_seq as "startSeq",
             tenants.last_change_seq as "lastSeq", coalesce($2::bigint, tenants.feed_start_seq) as seq,
             runs.id as run, runs.first_change_seq as first, coalesce(runs.last_change_seq, 0) as last
        from (${TENANT_REVISION}) revisions cross join tenants
        left join sync_runs runs on runs.tenant_id = $1 and runs.id = ${run ?? 'null::uuid'}
       where tenants.tenant_id = $1),
    ranges as materialized (
      select positions.*, case when run is null then seq else greatest(seq, coalesce(first - 1, "lastSeq")) end as begin
        from positions),
    feed as materialized (
      select revision, epoch, "startSeq", "lastSeq", ${idOf('ranges.seq')} as "changeId",
             begin as "beginSeq", case when run is null then ${scanned} else least(${scanned}, last) end as "endSeq",
             case when run is not null and ${scanned} >= last then "lastSeq" else ${scanned} end as "throughSeq"
        from ranges)
    select feed.*, ${idOf('feed."throughSeq"')} as "throughId", entries.*
      from feed left join lateral (select * from (${selects}) matching order by seq limit $3::bigint) entries on true
     order by entries.seq`;
  return { text, values };
}

type FilteredRow = FilteredTail['feed'] & StoredChange;

/**
 * The changes after a number that match, oldest first. Undefined if the tenant does not exist.
 * @param seq undefined for the oldest ones that the feed still has
 */
export async function findFilteredTail(
  db: Db,
  tenantId: string,
  filters: ChangeFilters,
  seq: number | undefined,
  limit: number,
): Promise<FilteredTail | undefined> {
  const rows = await runStatement<FilteredRow>(db, tenantId, toFilteredTailStatement(tenantId, filters, seq, limit));
  const [feed] = rows;
  if (feed === undefined) return undefined;
  return { feed, changes: feed.seq === null ? [] : rows };
}
