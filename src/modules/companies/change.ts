import type { CompanyState, CompanyStep, LicenseState, LicenseStep } from '../../mapping/index.js';

/** A line of the change feed, but for its number: what happened to one company or one license. */
export interface Change {
  readonly kind: string;
  readonly companyId: string;
  readonly licenseId: string | null;
  /** Null for something new. */
  readonly before: Fields | null;
  /** Of something new all fields, else those that changed; named as the API names them. */
  readonly after: Fields;
}

export type Fields = Readonly<Record<string, unknown>>;

/** What the feed tells of a planned step; undefined if nothing changed that a caller can see. */
export function toChange(step: CompanyStep | LicenseStep): Change | undefined {
  const isLicense = 'companyId' in step.after;
  const [before, after] = isLicense
    ? [(step as LicenseStep).before, step.after].map((state) => state && toLicenseFields(state as LicenseState))
    : [(step as CompanyStep).before, step.after].map((state) => state && toCompanyFields(state as CompanyState));
  const difference = toDifference(before, after as Fields);
  if (difference === undefined) return undefined;
  const companyId = 'companyId' in step.after ? step.after.companyId : step.after.id;
  return { kind: step.kind, companyId, licenseId: isLicense ? step.after.id : null, ...difference };
}

/** The fields that differ; all of them for something new; undefined if none does. */
export function toDifference(before: Fields | undefined, after: Fields): Pick<Change, 'before' | 'after'> | undefined {
  if (before === undefined) return { before: null, after };
  const changed = Object.keys(after).filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]));
  if (changed.length === 0) return undefined;
  const pick = (fields: Fields): Fields => Object.fromEntries(changed.map((name) => [name, fields[name]]));
  return { before: pick(before), after: pick(after) };
}

const toCompanyFields = (company: CompanyState): Fields => ({
  id: company.id,
  origin: company.origin,
  name: company.editedName ?? company.sourceName,
  display_name: company.displayName,
  ubi: company.ubi,
  is_own_company: company.isOwnCompany,
  archived: company.archivedDatetime !== null,
  superseded_by: company.supersededBy,
});

const toLicenseFields = (license: LicenseState): Fields => ({
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
