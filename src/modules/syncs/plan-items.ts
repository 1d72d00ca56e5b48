import type { PlanAction } from '../../domain/sync-run.js';
import type { Skip } from '../../domain/vendor.js';
import { mapYielding, type Yielding } from '../../domain/yielding.js';
import type { SyncPlan } from '../../mapping/index.js';
import { type CompanyFeedChange, toChanges } from '../companies/index.js';

/** A line of a plan: what becomes of a company, of a license, or of a row of the list, and why. */
export interface PlanItem {
  readonly action: PlanAction;
  /** The kind of the change in the feed; null for what is none. */
  readonly kind: string | null;
  readonly reason: string;
  readonly companyId: string | null;
  readonly licenseId: string | null;
  readonly licenseNumber: string | null;
  readonly before: Readonly<Record<string, unknown>> | null;
  readonly after: Readonly<Record<string, unknown>> | null;
}

/** What is no change and yet a part of a plan; kept with a run that was applied, whose changes are in the feed. */
export interface PlanNotes {
  readonly not_taken: SyncPlan['notTaken'];
  readonly adoptions: SyncPlan['adoptions'];
  readonly conflicts: SyncPlan['conflicts'];
}

export const toPlanNotes = ({ notTaken, adoptions, conflicts }: SyncPlan, most: number): PlanNotes => ({
  not_taken: notTaken.slice(0, most),
  adoptions: adoptions.slice(0, most),
  conflicts: conflicts.slice(0, most),
});

/** All that a plan does: what it changes, what it leaves to a person, and what it does not take. */
export function* toPlanItems(plan: SyncPlan, skips: readonly Skip[]): Yielding<PlanItem[]> {
  const changes = yield* mapYielding(yield* toChanges(plan), toChangeItem);
  return [...changes, ...toNoteItems(toPlanNotes(plan, Number.POSITIVE_INFINITY), skips)];
}

const ACTIONS: Readonly<Record<string, PlanAction>> = {
  'company.created': 'created',
  'company.updated': 'updated',
  'company.archived': 'archived',
  'company.reactivated': 'reactivated',
  'license.created': 'created',
  'license.updated': 'updated',
  'license.moved': 'moved',
  'license.deactivated': 'updated',
  'license.reactivated': 'updated',
};

type ChangeLine = Pick<
  CompanyFeedChange,
  'kind' | 'companyId' | 'fromCompanyId' | 'licenseId' | 'licenseNumber' | 'before' | 'after'
> & {
  readonly reason: string;
};

/** A planned change, or one of the feed. A sale moves a license only where the buyer has another company. */
export function toChangeItem(change: ChangeLine): PlanItem {
  const { kind, reason, companyId, fromCompanyId, licenseId, licenseNumber, before, after } = change;
  const action = fromCompanyId !== null ? 'moved' : (ACTIONS[kind] ?? 'updated');
  return { action, kind, reason, companyId, licenseId, licenseNumber, before, after };
}

const NOTHING = { kind: null, companyId: null, licenseId: null, licenseNumber: null, before: null, after: null };

export function toNoteItems({ not_taken, adoptions, conflicts }: PlanNotes, skips: readonly Skip[]): PlanItem[] {
  return [
    ...adoptions.map(({ ubiKey, companyId }): PlanItem => {
      return { ...NOTHING, action: 'adopted', reason: 'stands_for_its_ubi', companyId, after: { ubi: ubiKey } };
    }),
    ...conflicts.map(({ ubiKey, companyIds }): PlanItem => {
      const after = { ubi: ubiKey, company_ids: companyIds };
      return { ...NOTHING, action: 'conflict', reason: 'several_companies_for_one_ubi', after };
    }),
    ...[...skips, ...not_taken].map(({ reason, licenseNumber, ubi, name }): PlanItem => {
      return { ...NOTHING, action: 'skipped', reason, licenseNumber, after: { ubi, name } };
    }),
  ];
}

/** Companies of one name, whatever is told of them. */
export const toAmbiguousItem = (after: PlanItem['after']): PlanItem => ({
  ...NOTHING,
  action: 'ambiguous',
  reason: 'same_name',
  after,
});

export const toKeptItem = (companyId: string): PlanItem => ({
  ...NOTHING,
  action: 'unchanged',
  reason: 'kept',
  companyId,
});
