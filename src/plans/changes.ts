import type { CompanyReason, LicenseReason } from '../domain/change-reason.js';
import { type Difference, findDifference } from '../domain/difference.js';
import { SHOWN_LISTING_FIELDS } from '../domain/license-fields.js';
import { toFieldPairs } from '../domain/snake-case.js';
import { forEachYielding, type Yielding } from '../domain/yielding.js';
import type { CompanyState, CompanyStep, LicenseStep, Reasons, SyncPlan } from '../mapping/index.js';
import { toReasons } from '../mapping/index.js';

/** An entry of the change feed without its number: what happened to one company or one license. */
export interface CompanyFeedChange extends Difference {
  readonly kind: string;
  readonly reason: CompanyReason | LicenseReason | 'edited_by_user';
  readonly companyId: string;
  /** The previous company of a moved license. */
  readonly fromCompanyId: string | null;
  readonly licenseId: string | null;
  readonly licenseNumber: string | null;
}

/**
 * The feed entries of a plan: companies before their licenses, without steps that change nothing a caller can see. Lazy, because
 * together they are larger than the plan.
 */
export function* toChanges(
  plan: Pick<SyncPlan, 'companies' | 'licenses' | 'includeLabs' | 'strategy' | 'decisions'>,
): Generator<CompanyFeedChange, void, undefined> {
  const reasons = toReasons(plan);
  for (const step of plan.companies) {
    const change = toCompanyChange(step, reasons);
    if (change !== undefined) yield change;
  }
  for (const step of plan.licenses) {
    const change = toLicenseChange(step, reasons);
    if (change !== undefined) yield change;
  }
}

export interface ChangeSummary {
  readonly count: number;
  /** The companies whose licenses change, but not they themselves. */
  readonly touchedIds: readonly string[];
}

export function* summarizeChanges({
  companies,
  licenses,
}: Pick<SyncPlan, 'companies' | 'licenses'>): Yielding<ChangeSummary> {
  let count = 0;
  yield* forEachYielding(companies, ({ before, after }) => {
    if (before === undefined || findCompanyDifference(before, after) !== undefined) count += 1;
  });
  const stepIds = new Set(companies.map(({ after }) => after.id));
  const touched = new Set<string>();
  yield* forEachYielding(licenses, ({ before, after }) => {
    if (before !== undefined && findDifference(before, after, LICENSE_FEED_FIELDS) === undefined) return;
    count += 1;
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

const toShownCompany = (company: CompanyState) => ({
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

const COMPANY_FEED_FIELDS = toFieldPairs([
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

const LICENSE_FEED_FIELDS = toFieldPairs([
  'id',
  'companyId',
  ...SHOWN_LISTING_FIELDS,
  'active',
  'missingSinceDatetime',
]);
