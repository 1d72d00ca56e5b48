import { clientOf, type Db, type Tx } from '../../db/database.js';
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
  /** Null for an object of a snapshot. */
  readonly actor: string | null;
  readonly runId: string | null;
  readonly insertedAt: Date;
}

/** A change with its id. */
export interface StoredChange extends Change {
  readonly id: string;
}

/** The bounds of a tenant's feed. */
export interface Feed {
  readonly epoch: string;
  /** A reader that knows this change or a later one can continue. */
  readonly startSeq: number;
  readonly lastSeq: number;
  /** The id of the change with the given number. */
  readonly changeId: string | null;
  /** The revision of the tenant when the feed was read. */
  readonly revision: string;
}

/** $2: the number of the change whose id is read; null for the last one. */
const FEED = `
  select revisions.revision, tenants.feed_epoch as epoch, tenants.feed_start_seq as "startSeq",
         tenants.last_change_seq as "lastSeq",
         (select id from changes
           where tenant_id = $1 and seq = coalesce($2::bigint, tenants.last_change_seq)) as "changeId"
    from (${TENANT_REVISION}) revisions, tenants
   where tenants.tenant_id = $1`;

const TAIL = `
  select feed.*, entries.*
    from (${FEED}) feed
    left join lateral (
      select id, seq, kind, reason, company_id as "companyId", license_id as "licenseId", before, after, actor,
             run_id as "runId", inserted_datetime as "insertedAt"
        from changes where tenant_id = $1 and seq > $2::bigint order by seq limit $3::bigint) entries on true
   order by entries.seq`;

export const toTailStatement = (tenantId: string, seq: number, limit: number): Statement => ({
  text: TAIL,
  values: [tenantId, String(seq), String(limit)],
});

export interface Tail {
  readonly feed: Feed;
  readonly changes: readonly StoredChange[];
}

/** The changes after a number, oldest first. Undefined if the tenant does not exist. */
export async function findTail(db: Db, tenantId: string, seq: number, limit: number): Promise<Tail | undefined> {
  return toTail(await runStatement<TailRow>(db, tenantId, toTailStatement(tenantId, seq, limit)));
}

/** As this transaction sees it. */
export async function selectTail(tx: Tx, tenantId: string, seq: number, limit: number): Promise<Tail> {
  const { text, values } = toTailStatement(tenantId, seq, limit);
  const tail = toTail((await clientOf(tx).query<TailRow>(text, [...values])).rows);
  if (tail === undefined) throw new Error(`tenant ${tenantId} does not exist`);
  return tail;
}

/** @param seq the number of the change whose id is read; undefined for the last one */
export async function findFeed(tx: Tx, tenantId: string, seq: number | undefined): Promise<Feed | undefined> {
  const [feed] = (await clientOf(tx).query<Feed>(FEED, [tenantId, seq ?? null])).rows;
  return feed;
}

type TailRow = Feed & StoredChange;

/** A feed without such changes has one row without a change. */
function toTail(rows: readonly TailRow[]): Tail | undefined {
  const [feed] = rows;
  if (feed === undefined) return undefined;
  return { feed, changes: feed.seq === null ? [] : rows };
}
