import { type Db, preferIndexOrder, type Tx } from '../../db/database.js';
import { type PageOf, type PageRequest, toJsonBytes, toPage } from '../../domain/page.js';
import { notFound } from '../../domain/service-error.js';
import type { ChangeRange } from '../../domain/sync-run.js';
import {
  type PositionedItem,
  selectAppliedItems,
  selectCreatedItems,
  selectStoredItems,
  selectUnchangedCompanyIds,
  toNoteItems,
  toUnchangedItem,
} from '../../plans/index.js';
import { inTenant } from '../tenants/index.js';
import { findRun, type SyncRun } from './repository.js';

/** An item of the plan, with an id that serves as page cursor. */
export type PlanPageItem = PositionedItem & { readonly id: string };

/** Reads items of one section after a position. */
type Section = (after: string | undefined, limit: number) => Promise<readonly PositionedItem[]>;

/**
 * Lists what a run did or would do: changes, then adoptions, conflicts and skipped or filtered rows, then unchanged
 * companies. Without changes that the feed no longer has. Empty if the run has no plan.
 */
export const listPlan = (db: Db, tenantId: string, runId: string, page: PageRequest): Promise<PageOf<PlanPageItem>> =>
  inTenant(db, tenantId, async (tx, { firstRunId, feedStartSeq }) => {
    const run = await findRun(tx, runId);
    if (run === undefined) throw notFound('sync run');
    if (run.counts === null) return { items: [], nextAfter: undefined };
    await preferIndexOrder(tx);
    return readSections(toSections(tx, run, { isFirstSync: firstRunId === runId, feedStartSeq }), page);
  });

/** An empty range. */
const NO_CHANGES: ChangeRange = { first: 1, last: 0 };

interface FeedOfRun {
  /** What the first sync created has no changes. */
  readonly isFirstSync: boolean;
  readonly feedStartSeq: number;
}

function toSections(tx: Tx, run: SyncRun, { isFirstSync, feedStartSeq }: FeedOfRun): Section[] {
  const { id, firstChangeSeq: first, lastChangeSeq: last, planDigest, notes, skips } = run;
  const range = first === null || last === null ? NO_CHANGES : { first, last };
  const noteItems: Section = async (after, limit) =>
    toNoteItems(notes, skips)
      .map((item, index) => ({ ...item, position: String(index) }))
      .slice(after === undefined ? 0 : Number(after) + 1)
      .slice(0, limit);
  const adopted = notes.adoptions.map(({ companyId }) => companyId);
  const unchanged: Section = async (after, limit) =>
    (await selectUnchangedCompanyIds(tx, id, range, adopted, after, limit)).map((companyId) => ({
      ...toUnchangedItem(companyId),
      position: companyId,
    }));
  const applied: Section = (after, limit) => selectAppliedItems(tx, range, Number(after ?? 0), limit);
  const ambiguous: Section = (after, limit) => selectStoredItems(tx, id, Number(after ?? 0), limit, 'ambiguous');
  const created = (['companies', 'licenses'] as const).map(
    (objects): Section =>
      (after, limit) =>
        selectCreatedItems(tx, objects, range, after, limit),
  );
  // Ambiguous names that a preview reported still apply after the switch.
  if (first !== null) {
    // Without the later changes, what it created cannot be shown as it was.
    const hasCreated = isFirstSync && first >= feedStartSeq;
    return [...(hasCreated ? created : []), applied, noteItems, unchanged, ambiguous];
  }
  if (planDigest !== null) return [(after, limit) => selectStoredItems(tx, id, Number(after ?? 0), limit), unchanged];
  return wasOnlyPlanned(run) ? [] : [applied, noteItems, unchanged];
}

/** Whether the run applied nothing. Called when its plan is no longer stored. */
const wasOnlyPlanned = ({ mode, status }: SyncRun): boolean =>
  mode === 'preview' || status === 'canceled' || status === 'superseded';

/** Cursors are `section:position`. */
async function readSections(sections: readonly Section[], { size, after }: PageRequest): Promise<PageOf<PlanPageItem>> {
  const [start = '0', position] = after?.split(':') ?? [];
  const found: PlanPageItem[] = [];
  for (let section = Number(start); section < sections.length && found.length <= size; section += 1) {
    const readSection = sections[section] as Section;
    const rows = await readSection(section === Number(start) ? position : undefined, size + 1 - found.length);
    found.push(...rows.map((item) => ({ ...item, id: `${section}:${item.position}` })));
  }
  return toPage(found, size, toJsonBytes);
}
