import { type Db, readPagewise, type Tx } from '../../db/database.js';
import type { PageOf, PageRequest } from '../../domain/page.js';
import { notFound } from '../../domain/service-error.js';
import type { ChangeRange } from '../../domain/sync-run.js';
import { inTenant } from '../tenants/index.js';
import { type PlacedItem, selectAppliedItems, selectStoredItems, selectUntouched } from './plan-item-repository.js';
import { toKeptItem, toNoteItems } from './plan-items.js';
import { findRun, type SyncRun } from './repository.js';

/** A line of the plan, with a position to go on from. */
export type PlanLine = PlacedItem & { readonly id: string };

/** Reads lines of one kind, from a position on. */
type Section = (after: string | undefined, limit: number) => Promise<readonly PlacedItem[]>;

/**
 * What was done, or would be: the changes, then what is left to a person and what is not taken, then the companies that
 * stay as they are. A run without a plan has none of it.
 */
export const listPlan = (db: Db, tenantId: string, runId: string, page: PageRequest): Promise<PageOf<PlanLine>> =>
  inTenant(db, tenantId, async (tx) => {
    const run = await findRun(tx, runId);
    if (run === undefined) throw notFound('sync run');
    if (run.counts === null) return { items: [], nextAfter: undefined };
    await readPagewise(tx);
    return readSections(toSections(tx, run), page);
  });

/** No line of the feed has these numbers. */
const NO_CHANGES: ChangeRange = { first: 1, last: 0 };

function toSections(tx: Tx, run: SyncRun): Section[] {
  const { id, firstChangeSeq: first, lastChangeSeq: last, planDigest, notes, skips } = run;
  const range = first === null || last === null ? NO_CHANGES : { first, last };
  const notesOf: Section = async (after, limit) =>
    toNoteItems(notes, skips)
      .map((item, index) => ({ ...item, place: String(index) }))
      .slice(after === undefined ? 0 : Number(after) + 1)
      .slice(0, limit);
  const untouched: Section = async (after, limit) =>
    (await selectUntouched(tx, id, range, after, limit)).map((companyId) => ({
      ...toKeptItem(companyId),
      place: companyId,
    }));
  const applied: Section = (after, limit) => selectAppliedItems(tx, range, Number(after ?? 0), limit);
  const ambiguous: Section = (after, limit) => selectStoredItems(tx, id, Number(after ?? 0), limit, 'ambiguous');
  // What was said of a previewed switch is still so when it was made.
  if (first !== null) return [applied, notesOf, untouched, ambiguous];
  if (planDigest !== null) return [(after, limit) => selectStoredItems(tx, id, Number(after ?? 0), limit), untouched];
  return wasOnlyPlanned(run) ? [] : [applied, notesOf, untouched];
}

/** Nothing was done, and what would have been is not kept any more. */
const wasOnlyPlanned = ({ mode, status }: SyncRun): boolean =>
  mode === 'preview' || status === 'canceled' || status === 'superseded';

/** Positions are `section:place`. */
async function readSections(sections: readonly Section[], { size, after }: PageRequest): Promise<PageOf<PlanLine>> {
  const [start = '0', place] = after?.split(':') ?? [];
  const lines: PlanLine[] = [];
  for (let section = Number(start); section < sections.length && lines.length <= size; section += 1) {
    const read = sections[section] as Section;
    const found = await read(section === Number(start) ? place : undefined, size + 1 - lines.length);
    lines.push(...found.map((item) => ({ ...item, id: `${section}:${item.place}` })));
  }
  const items = lines.slice(0, size);
  return { items, nextAfter: lines.length > size ? items.at(-1)?.id : undefined };
}
