import { type Db, preferIndexOrder, type Tx } from '../../db/database.js';
import { type PageOf, type PageRequest, toJsonBytes, toPage } from '../../domain/page.js';
import { notFound } from '../../domain/service-error.js';
import { type FeedObject, type FeedObjectPage, selectCompaniesAsOf, selectLicensesAsOf } from '../../plans/index.js';
import { selectOwnLicensesAsOf } from '../licenses/index.js';
import { findRevision, inTenant } from '../tenants/index.js';
import { type ChangeFilters, findFilteredTail, isFiltered } from './filtered-tail-repository.js';
import {
  checkPosition,
  type FeedPosition,
  parsePosition,
  SNAPSHOT_PARTS,
  type SnapshotPart,
  toPositionText,
} from './position.js';
import { type Change, findFeed, findTail, type StoredChange, selectTail } from './repository.js';

export { findRevision };

export interface ChangeListing extends PageOf<Change> {
  readonly revision: string;
  readonly epoch: string;
  /** The position after the last item. */
  readonly position: string;
}

/** An item with the position after it. */
type PositionedChange = Change & { readonly id: string };

/**
 * Lists the tenant's objects as a snapshot, then what has changed since, the oldest first. With filters: only the changes that match,
 * beginning with the oldest that the feed still has.
 */
export function listChanges(
  db: Db,
  tenantId: string,
  filters: ChangeFilters,
  { size, after }: PageRequest,
): Promise<ChangeListing> {
  const position = after === undefined ? undefined : parsePosition(after);
  if (isFiltered(filters)) return listFilteredTail(db, tenantId, { filters, size, position });
  return position === undefined || position.snapshot !== undefined
    ? listSnapshot(db, tenantId, size, position)
    : listTail(db, tenantId, size, position);
}

async function listTail(db: Db, tenantId: string, size: number, position: FeedPosition): Promise<ChangeListing> {
  const tail = await findTail(db, tenantId, position.seq, size + 1);
  if (tail === undefined) throw notFound('tenant');
  checkPosition(position, tail.feed);
  const { epoch, revision } = tail.feed;
  return toListing(
    tail.changes.map((change) => toTailItem(epoch, change)),
    { size, epoch, revision, end: toPositionText(position) },
  );
}

interface FilteredRequest {
  readonly filters: ChangeFilters;
  readonly size: number;
  /** Undefined to begin. */
  readonly position: FeedPosition | undefined;
}

/** A page can be empty although others follow: it only looks at a part of the feed. */
async function listFilteredTail(
  db: Db,
  tenantId: string,
  { filters, size, position }: FilteredRequest,
): Promise<ChangeListing> {
  const tail = await findFilteredTail(db, tenantId, filters, position?.seq, size + 1);
  if (tail === undefined) throw notFound('tenant');
  const { feed, changes } = tail;
  if (position !== undefined) checkPosition(position, feed);
  const { epoch, revision, lastSeq, throughSeq, throughId } = feed;
  const items = changes.map((change) => toTailItem(epoch, change));
  const end = toPositionText({ epoch, seq: throughSeq, changeId: throughId });
  const page = toChangePage(items, size);
  // Later changes than the last item were looked at, too.
  const nextAfter = page.nextAfter ?? (throughSeq < lastSeq ? end : undefined);
  return { ...page, nextAfter, epoch, revision, position: nextAfter ?? end };
}

/** @param position undefined to begin */
const listSnapshot = (
  db: Db,
  tenantId: string,
  size: number,
  position: FeedPosition | undefined,
): Promise<ChangeListing> =>
  inTenant(db, tenantId, async (tx) => {
    await preferIndexOrder(tx);
    const { epoch, seq, changeId, snapshot } = position ?? (await toBeginning(tx, tenantId));
    const items = await readSnapshot(tx, { epoch, seq, changeId, ...(snapshot && { snapshot }) }, size + 1);
    // Read after the objects: the position may have expired in the meantime.
    const { feed, changes } = await selectTail(tx, tenantId, seq, size + 1 - items.length);
    checkPosition({ epoch, seq, changeId }, feed);
    items.push(...changes.map((change) => toTailItem(epoch, change)));
    return toListing(items, {
      size,
      epoch,
      revision: feed.revision,
      end: toPositionText({ epoch, seq, changeId }),
    });
  });

async function toBeginning(tx: Tx, tenantId: string): Promise<FeedPosition> {
  const feed = await findFeed(tx, tenantId, undefined);
  if (feed === undefined) throw notFound('tenant');
  return { epoch: feed.epoch, seq: feed.lastSeq, changeId: feed.changeId };
}

const SELECT: Readonly<Record<SnapshotPart, (tx: Tx, page: FeedObjectPage) => Promise<FeedObject[]>>> = {
  company: selectCompaniesAsOf,
  license: selectLicensesAsOf,
  own_license: selectOwnLicensesAsOf,
};

async function readSnapshot(tx: Tx, position: FeedPosition, limit: number): Promise<PositionedChange[]> {
  const { seq, snapshot } = position;
  const items: PositionedChange[] = [];
  for (const part of SNAPSHOT_PARTS.slice(snapshot === undefined ? 0 : SNAPSHOT_PARTS.indexOf(snapshot.part))) {
    if (items.length === limit) break;
    const after = part === snapshot?.part ? snapshot.after : undefined;
    const objects = await SELECT[part](tx, { seq, after, limit: limit - items.length });
    items.push(...objects.map((object) => toSnapshotItem(position, part, object)));
  }
  return items;
}

const toSnapshotItem = (
  position: FeedPosition,
  part: SnapshotPart,
  { id, fields, insertedAt }: FeedObject,
): PositionedChange => ({
  id: toPositionText({ ...position, snapshot: { part, after: id } }),
  seq: position.seq,
  kind: `${part}.snapshot`,
  reason: null,
  companyId: part === 'company' ? id : part === 'license' ? String(fields.company_id) : null,
  licenseId: part === 'company' ? null : id,
  before: null,
  after: fields,
  actor: null,
  runId: null,
  insertedAt,
});

const toTailItem = (epoch: string, change: StoredChange): PositionedChange => ({
  ...change,
  id: toPositionText({ epoch, seq: change.seq, changeId: change.id }),
});

interface ListingEnd {
  readonly size: number;
  readonly epoch: string;
  readonly revision: string;
  /** The position after the last page if it has no changes. */
  readonly end: string;
}

function toListing(rows: readonly PositionedChange[], { size, epoch, revision, end }: ListingEnd): ChangeListing {
  const page = toChangePage(rows, size);
  const last = page.items.at(-1);
  const isSnapshot = last === undefined || parsePosition(last.id).snapshot !== undefined;
  return { ...page, epoch, revision, position: page.nextAfter ?? (isSnapshot ? end : last.id) };
}

const toChangePage = (rows: readonly PositionedChange[], size: number): PageOf<PositionedChange> =>
  toPage(rows, size, ({ before, after }) => toJsonBytes([before, after]));
