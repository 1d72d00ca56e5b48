import type { ChangeKind } from '../domain/change-kind.js';
import type { CompanyReason, LicenseReason } from '../domain/change-reason.js';
import { type Difference, findDifference } from '../domain/difference.js';
import { SHOWN_LISTING_FIELDS } from '../domain/license-fields.js';
import { toFieldPairs } from '../domain/snake-case.js';
import { forEachYielding, type Yielding } from '../domain/yielding.js';
import type { CompanyState, CompanyStep, LicenseStep, Reasons, SyncPlan } from '../mapping/index.js';

/** An entry of the change feed without its number: what happened to one company or one license. */
export interface CompanyFeedChange extends Difference {
  readonly kind: ChangeKind | typeof FEED_STARTED;
  readonly reason: CompanyReason | LicenseReason | 'edited_by_user';
  readonly companyId: string | null;
  /** The previous company of a moved license. */
  readonly fromCompanyId: string | null;
  readonly licenseId: string | null;
  readonly licenseNumber: string | null;
}

/**
 * Whether the feed continues with a plan, or starts with it. A first sync starts it: what it creates has no entries of its own,
 * because readers begin with a snapshot, and one entry stands for all of it.
 */
export type FeedState = 'continued' | 'started';

/** No reader receives it: the feed starts after it. */
export const FEED_STARTED = 'feed.started';

const START: CompanyFeedChange = {
  kind: FEED_STARTED,
  reason: 'first_seen',
  companyId: null,
  fromCompanyId: null,
  licenseId: null,
  licenseNumber: null,
  before: null,
  after: {},
};

/**
 * The feed entries of a plan: companies before their licenses, without steps that change nothing a caller can see. Lazy, because
 * together they are larger than the plan.
 */
export function* toChanges(
  { companies, licenses }: Pick<SyncPlan, 'companies' | 'licenses'>,
  reasons: Reasons,
  feed: FeedState,
): Generator<CompanyFeedChange, void, undefined> {
  if (feed === 'started') yield START;
  for (const step of companies) {
    const change = isRecorded(step, feed) ? toCompanyChange(step, reasons) : undefined;
    if (change !== undefined) yield change;
  }
  for (const step of licenses) {
    const change = isRecorded(step, feed) ? toLicenseChange(step, reasons) : undefined;
    if (change !== undefined) yield change;
  }
}

const isRecorded = ({ before }: CompanyStep | LicenseStep, feed: FeedState): boolean =>
  feed === 'continued' || before !== undefined;

export interface ChangeSummary {
  readonly count: number;
  /** The companies whose licenses change, but not they themselves. */
  readonly touchedIds: readonly string[];
}

export function* summarizeChanges(
  { companies, licenses }: Pick<SyncPlan, 'companies' | 'licenses'>,
  feed: FeedState,
): Yielding<ChangeSummary> {
  let count = feed === 'started' ? 1 : 0;
  yield* forEachYielding(companies, (step) => {
    const { before, after } = step;
    if (before !== undefined && findCompanyDifference(before, after) === undefined) return;
    if (isRecorded(step, feed)) count += 1;
  });
  const stepIds = new Set(companies.map(({ after }) => after.id));
  const touched = new Set<string>();
  yield* forEachYielding(licenses, (step) => {
    const { before, after } = step;
    if (before !== undefined && findDifference(before, after, LICENSE_FEED_FIELDS) === undefined) return;
    if (isRecorded(step, feed)) count += 1;
    for (const id of [before?.companyId, after.companyId]) if (id !== undefined && !stepIds.has(id)) touched.add(id);
  });
  return { count, touchedIds: [...touched] };
}

function toCompanyChange(step: CompanyStep, reasons: Reasons): CompanyFeedChange | undefined {
  const { kind, before, after } = step;
  const difference = findCompanyDifference(before, after);
  if (difference === undefined) return undefined;
  return {
    kind,
    reason: reasons.ofCompany(step),
    companyId: after.id,
    fromCompanyId: null,
    licenseId: null,
    licenseNumber: null,
    before: difference.before,
    after: difference.after,
  };
}

function toLicenseChange(step: LicenseStep, reasons: Reasons): CompanyFeedChange | undefined {
  const { kind, before, after } = step;
  const difference = findDifference(before, after, LICENSE_FEED_FIELDS);
  if (difference === undefined) return undefined;
  const isMoved = before !== undefined && before.companyId !== after.companyId;
  return {
    kind,
    reason: reasons.ofLicense(step),
    companyId: after.companyId,
    fromCompanyId: isMoved ? before.companyId : null,
    licenseId: after.id,
    licenseNumber: after.licenseNumber,
    before: difference.before,
    after: difference.after,
  };
}

const findCompanyDifference = (before: CompanyState | undefined, after: CompanyState): Difference | undefined =>
  findDifference(before && toShownCompany(before), toShownCompany(after), COMPANY_FEED_FIELDS);

export const toShownCompany = (company: CompanyState) => ({
  id: company.id,
  origin: company.origin,
  name: company.editedName ?? company.sourceName,
  sourceName: company.sourceName,
  displayName: company.displayName,
  ubi: company.ubi,
  isOwnCompany: company.isOwnCompany,
  archived: company.archivedDatetime !== null,
  supersededBy: company.supersededBy,
});

export const COMPANY_FEED_FIELDS = toFieldPairs([
  'id',
  'origin',
  'name',
  'sourceName',
  'displayName',
  'ubi',
  'isOwnCompany',
  'archived',
  'supersededBy',
]);

export const LICENSE_FEED_FIELDS = toFieldPairs([
  'id',
  'companyId',
  ...SHOWN_LISTING_FIELDS,
  'active',
  'missingSinceDatetime',
]);
