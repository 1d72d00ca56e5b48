import { PLAN_KINDS, type PlanKind } from '../domain/change-kind.js';
import type { PlanAction } from '../domain/sync-run.js';
import type { Skip } from '../domain/vendor.js';
import { mapYielding, type Yielding } from '../domain/yielding.js';
import { type SyncPlan, toReasons } from '../mapping/index.js';
import { type CompanyFeedChange, toChanges } from './changes.js';

/** What a plan does with a company, a license or a row of the list, and why. */
export interface PlanItem {
  readonly action: PlanAction;
  /** The kind of the change in the feed. Null if the item is not a change. */
  readonly kind: string | null;
  readonly reason: string;
  readonly companyId: string | null;
  readonly licenseId: string | null;
  readonly licenseNumber: string | null;
  readonly before: Readonly<Record<string, unknown>> | null;
  readonly after: Readonly<Record<string, unknown>> | null;
}

/** Which items of a plan are listed. An item must match all filters. */
export interface ItemFilters {
  readonly actions?: readonly PlanAction[] | undefined;
  readonly kinds?: readonly PlanKind[] | undefined;
  /** The company of the item, or the one that a moved license leaves. */
  readonly companyId?: string | undefined;
}

export const isItemWanted = (
  { action, kind, companyId }: Pick<PlanItem, 'action' | 'kind' | 'companyId'>,
  filters: ItemFilters,
): boolean =>
  (filters.actions?.includes(action) ?? true) &&
  (filters.kinds?.some((wanted) => wanted === kind) ?? true) &&
  (filters.companyId === undefined || filters.companyId === companyId);

/** Parts of a plan that are not changes. Stored with applied runs, whose changes are in the feed. */
export interface PlanNotes {
  readonly filtered: SyncPlan['filtered'];
  readonly adoptions: SyncPlan['adoptions'];
  readonly conflicts: SyncPlan['conflicts'];
}

export const toPlanNotes = ({ filtered, adoptions, conflicts }: SyncPlan, limit: number): PlanNotes => ({
  filtered: filtered.slice(0, limit),
  adoptions: adoptions.slice(0, limit),
  conflicts: conflicts.slice(0, limit),
});

/** All items of a plan: changes, adoptions, conflicts, and skipped or filtered rows. */
export function* toPlanItems(plan: SyncPlan, skips: readonly Skip[]): Yielding<PlanItem[]> {
  const changes = yield* mapYielding(toChanges(plan, toReasons(plan), 'continued'), toChangeItem);
  return [...changes, ...toNoteItems(toPlanNotes(plan, Number.POSITIVE_INFINITY), skips)];
}

const ACTIONS: Readonly<Record<PlanKind, PlanAction>> = {
  'company.created': 'created',
  'company.updated': 'updated',
  'company.archived': 'archived',
  'company.reactivated': 'reactivated',
  'license.created': 'created',
  'license.updated': 'updated',
  'license.moved': 'moved',
  'license.transferred': 'updated',
  'license.deactivated': 'updated',
  'license.reactivated': 'updated',
};

const ACTIONS_BY_KIND: Readonly<Partial<Record<string, PlanAction>>> = ACTIONS;

/** The kinds of the changes that count as one of these actions if the license of the change stays with its company. */
export const toKindsOf = (actions: readonly PlanAction[]): PlanKind[] =>
  PLAN_KINDS.filter((kind) => actions.includes(ACTIONS[kind]));

type ChangeLine = Pick<
  CompanyFeedChange,
  'companyId' | 'fromCompanyId' | 'licenseId' | 'licenseNumber' | 'before' | 'after'
> & {
  readonly kind: string;
  readonly reason: string;
};

/** An item for a planned or recorded change. A sold license only counts as moved if its company changes. */
export function toChangeItem(change: ChangeLine): PlanItem {
  const { kind, reason, companyId, fromCompanyId, licenseId, licenseNumber, before, after } = change;
  const action = fromCompanyId !== null ? 'moved' : (ACTIONS_BY_KIND[kind] ?? 'updated');
  return { action, kind, reason, companyId, licenseId, licenseNumber, before, after };
}

const EMPTY_ITEM = { kind: null, companyId: null, licenseId: null, licenseNumber: null, before: null, after: null };

export function toNoteItems({ filtered, adoptions, conflicts }: PlanNotes, skips: readonly Skip[]): PlanItem[] {
  return [
    ...adoptions.map(({ ubiKey, companyId }): PlanItem => {
      return { ...EMPTY_ITEM, action: 'adopted', reason: 'represents_its_ubi', companyId, after: { ubi: ubiKey } };
    }),
    ...conflicts.map(({ ubiKey, companyIds }): PlanItem => {
      const after = { ubi: ubiKey, company_ids: companyIds };
      return { ...EMPTY_ITEM, action: 'conflict', reason: 'several_companies_for_one_ubi', after };
    }),
    ...[...skips, ...filtered].map(({ reason, licenseNumber, ubi, name }): PlanItem => {
      return { ...EMPTY_ITEM, action: 'skipped', reason, licenseNumber, after: { ubi, name } };
    }),
  ];
}

/** An item for companies that share a name. */
export const toAmbiguousItem = (after: PlanItem['after']): PlanItem => ({
  ...EMPTY_ITEM,
  action: 'ambiguous',
  reason: 'same_name',
  after,
});

export const toUnchangedItem = (companyId: string): PlanItem => ({
  ...EMPTY_ITEM,
  action: 'unchanged',
  reason: 'kept',
  companyId,
});
