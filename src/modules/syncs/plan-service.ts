import { type Db, preferIndexOrder, type Tx } from '../../db/database.js';
import { type PageOf, type PageRequest, toJsonBytes, toPage } from '../../domain/page.js';
import { notFound } from '../../domain/service-error.js';
import type { ChangeRange } from '../../domain/sync-run.js';
import {
  type ItemFilters,
  isItemWanted,
  type Names,
  type PlanItem,
  type PositionedItem,
  selectAppliedItems,
  selectCompanyNames,
  selectCreatedItems,
  selectLicenseNames,
  selectPlannedCompanyNames,
  selectStoredItems,
  selectUnchangedCompanyIds,
  toNoteItems,
  toUnchangedItem,
} from '../../plans/index.js';
import { inTenant } from '../tenants/index.js';
import { findRun, type SyncRun } from './repository.js';

/** An item of the plan, with an id that serves as page cursor. */
type IdentifiedItem = PositionedItem & { readonly id: string };

/** An item of the plan with the names of its objects. */
export interface PlanPageItem extends IdentifiedItem {
  readonly companyName: string | null;
  /** Of a moved license: the company that held it before. */
  readonly fromCompanyId: string | null;
  readonly fromCompanyName: string | null;
  readonly licenseName: string | null;
}

/** Reads items of one section after a position. */
type Section = (after: string | undefined, limit: number) => Promise<readonly PositionedItem[]>;

/**
 * Lists what a run did or would do: changes, then adoptions, conflicts and skipped or filtered rows, then unchanged
 * companies. Without changes that the feed no longer has. Empty if the run has no plan.
 */
export const listPlan = (
  db: Db,
  { tenantId, runId, filters }: PlanRequest,
  page: PageRequest,
): Promise<PageOf<PlanPageItem>> =>
  inTenant(db, tenantId, async (tx, { firstRunId, feedStartSeq }) => {
    const run = await findRun(tx, runId);
    if (run === undefined) throw notFound('sync run');
    if (run.counts === null) return { items: [], nextAfter: undefined };
    await preferIndexOrder(tx);
    const feed = { isFirstSync: firstRunId === runId, feedStartSeq };
    const { items, nextAfter } = await readSections(toSections(tx, run, feed, filters), page);
    return { items: await withNames(tx, runId, items), nextAfter };
  });

/** The plan of a run, or a part of it. */
export interface PlanRequest {
  readonly tenantId: string;
  readonly runId: string;
  readonly filters: ItemFilters;
}

/** Reads the names of all objects at once. */
async function withNames(tx: Tx, runId: string, items: readonly IdentifiedItem[]): Promise<PlanPageItem[]> {
  const companyIds = items.flatMap((item) => [item.companyId, toFromCompanyId(item)]);
  const companies = await selectCompanyNames(tx, companyIds);
  const missing = companyIds.flatMap((id) => (id === null || companies.has(id) ? [] : id));
  const planned = await selectPlannedCompanyNames(tx, runId, missing);
  const licenses = await selectLicenseNames(
    tx,
    items.map(({ licenseId }) => licenseId),
  );
  const find = (names: Names, id: string | null): string | null => (id === null ? null : (names.get(id) ?? null));
  return items.map((item) => {
    const { kind, companyId, licenseId, after } = item;
    const fromCompanyId = toFromCompanyId(item);
    const isCompany = kind?.startsWith('company.') === true;
    const ownName = isCompany ? toText(after?.display_name) : null;
    return {
      ...item,
      companyName: ownName ?? find(companies, companyId) ?? find(planned, companyId),
      fromCompanyId,
      fromCompanyName: find(companies, fromCompanyId) ?? find(planned, fromCompanyId),
      licenseName: isCompany || isGroup(item) ? null : (toText(after?.name) ?? find(licenses, licenseId)),
    };
  });
}

/** Whether the item is about companies that share a name, which is its `name`. */
const isGroup = ({ action }: PlanItem): boolean => action === 'ambiguous';

const toFromCompanyId = ({ action, before }: PlanItem): string | null =>
  action === 'moved' ? toText(before?.company_id) : null;

const toText = (value: unknown): string | null => (typeof value === 'string' ? value : null);

/** An empty range. */
const NO_CHANGES: ChangeRange = { first: 1, last: 0 };

interface FeedOfRun {
  /** What the first sync created has no changes. */
  readonly isFirstSync: boolean;
  readonly feedStartSeq: number;
}

function toSections(tx: Tx, run: SyncRun, { isFirstSync, feedStartSeq }: FeedOfRun, filters: ItemFilters): Section[] {
  const { id, firstChangeSeq: first, lastChangeSeq: last, planDigest, notes, skips } = run;
  const range = first === null || last === null ? NO_CHANGES : { first, last };
  const noteItems: Section = async (after, limit) =>
    toNoteItems(notes, skips)
      .map((item, index) => ({ ...item, position: String(index) }))
      .slice(after === undefined ? 0 : Number(after) + 1)
      .filter((item) => isItemWanted(item, filters))
      .slice(0, limit);
  const adopted = notes.adoptions.map(({ companyId }) => companyId);
  const unchanged: Section = async (after, limit) => {
    const { companyId = null } = filters;
    if (!isItemWanted({ action: 'unchanged', kind: null, companyId }, filters)) return [];
    const ids = await selectUnchangedCompanyIds(tx, id, range, adopted, after, limit, filters.companyId);
    return ids.map((companyId) => ({ ...toUnchangedItem(companyId), position: companyId }));
  };
  const applied: Section = (after, limit) => selectAppliedItems(tx, range, Number(after ?? 0), limit, filters);
  const ambiguous: Section = async (after, limit) => {
    if (!isItemWanted({ action: 'ambiguous', kind: null, companyId: null }, filters)) return [];
    return selectStoredItems(tx, id, Number(after ?? 0), limit, { actions: ['ambiguous'] });
  };
  const created = (['companies', 'licenses'] as const).map(
    (objects): Section =>
      (after, limit) =>
        selectCreatedItems(tx, objects, range, after, limit, filters),
  );
  // Ambiguous names that a preview reported still apply after the switch.
  if (first !== null) {
    // Without the later changes, what it created cannot be shown as it was.
    const hasCreated = isFirstSync && first >= feedStartSeq;
    return [...(hasCreated ? created : []), applied, noteItems, unchanged, ambiguous];
  }
  if (planDigest !== null)
    return [(after, limit) => selectStoredItems(tx, id, Number(after ?? 0), limit, filters), unchanged];
  return wasOnlyPlanned(run) ? [] : [applied, noteItems, unchanged];
}

/** Whether the run applied nothing. Called when its plan is no longer stored. */
const wasOnlyPlanned = ({ mode, status }: SyncRun): boolean =>
  mode === 'preview' || status === 'canceled' || status === 'superseded';

/** Cursors are `section:position`. */
async function readSections(
  sections: readonly Section[],
  { size, after }: PageRequest,
): Promise<PageOf<IdentifiedItem>> {
  const [start = '0', position] = after?.split(':') ?? [];
  const found: IdentifiedItem[] = [];
  for (let section = Number(start); section < sections.length && found.length <= size; section += 1) {
    const readSection = sections[section] as Section;
    const rows = await readSection(section === Number(start) ? position : undefined, size + 1 - found.length);
    found.push(...rows.map((item) => ({ ...item, id: `${section}:${item.position}` })));
  }
  return toPage(found, size, toJsonBytes);
}
