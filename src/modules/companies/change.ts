import { forEachYielding, type Yielding } from '../../domain/yielding.js';
import type {
  CompanyReason,
  CompanyState,
  CompanyStep,
  LicenseReason,
  LicenseState,
  LicenseStep,
  Reasons,
  SyncPlan,
} from '../../mapping/index.js';
import { toReasons } from '../../mapping/index.js';

/** A line of the change feed, but for its number: what happened to one company or one license. */
export interface CompanyFeedChange {
  readonly kind: string;
  readonly reason: CompanyReason | LicenseReason | 'person';
  readonly companyId: string;
  /** Of a license that moved: the company that held it before. */
  readonly fromCompanyId: string | null;
  readonly licenseId: string | null;
  readonly licenseNumber: string | null;
  /** Null for something new. */
  readonly before: Fields | null;
  /** Of something new all fields, else those that changed; named as the API names them. */
  readonly after: Fields;
}

export type Fields = Readonly<Record<string, unknown>>;

/** What the feed tells of a plan: companies before their licenses, and nothing that a caller cannot see. */
export function* toChanges(
  plan: Pick<SyncPlan, 'companies' | 'licenses' | 'includeLabs' | 'strategy' | 'decisions'>,
): Yielding<CompanyFeedChange[]> {
  const reasons = toReasons(plan);
  const changes: CompanyFeedChange[] = [];
  const add = (change: CompanyFeedChange | undefined): void => void (change === undefined || changes.push(change));
  yield* forEachYielding(plan.companies, (step) => add(toCompanyChange(step, reasons)));
  yield* forEachYielding(plan.licenses, (step) => add(toLicenseChange(step, reasons)));
  return changes;
}

export function toCompanyChange(step: CompanyStep, reasons: Pick<Reasons, 'ofCompany'>): CompanyFeedChange | undefined {
  const { kind, before, after } = step;
  const difference = toDifference(before && toCompanyFields(before), toCompanyFields(after));
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
  const difference = toDifference(before && toLicenseFields(before), toLicenseFields(after));
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

/** The fields that differ; all of them for something new; undefined if none does. */
export function toDifference(
  before: Fields | undefined,
  after: Fields,
): Pick<CompanyFeedChange, 'before' | 'after'> | undefined {
  if (before === undefined) return { before: null, after };
  const changed = Object.keys(after).filter((name) => !isEqual(before[name], after[name]));
  if (changed.length === 0) return undefined;
  const pick = (fields: Fields): Fields => Object.fromEntries(changed.map((name) => [name, fields[name] ?? null]));
  return { before: pick(before), after: pick(after) };
}

const isEqual = (a: unknown, b: unknown): boolean =>
  a === b || (typeof a === 'object' && typeof b === 'object' && JSON.stringify(a) === JSON.stringify(b));

export const toCompanyFields = (company: CompanyState): Fields => ({
  id: company.id,
  origin: company.origin,
  name: company.editedName ?? company.sourceName,
  source_name: company.sourceName,
  display_name: company.displayName,
  ubi: company.ubi,
  is_own_company: company.isOwnCompany,
  archived: company.archivedDatetime !== null,
  superseded_by: company.supersededBy,
});

export const toLicenseFields = (license: LicenseState): Fields => ({
  id: license.id,
  company_id: license.companyId,
  license_number: license.licenseNumber,
  name: license.name,
  license_type: license.licenseType,
  license_type_raw: license.licenseTypeRaw,
  activities: license.activities,
  address: license.address,
  ubi: license.ubi,
  active: license.active,
  missing_since_datetime: license.missingSinceDatetime,
});
