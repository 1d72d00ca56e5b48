import type { CompanyChangeKind, CompanyStep, LicenseChangeKind, LicenseStep } from './plan.js';
import type { CompanyState, LicenseState } from './snapshot.js';

const COMPANY_FIELDS = [
  'sourceName',
  'displayName',
  'nameGroup',
  'ubi',
  'ubiKey',
  'isOwnCompany',
  'archivedDatetime',
  'supersededBy',
] as const satisfies readonly (keyof CompanyState)[];

// `contentHash` covers all fields that come from the directory.
const LICENSE_FIELDS = [
  'contentHash',
  'ubi',
  'companyId',
  'ownCompanyId',
  'active',
  'missingSinceDatetime',
] as const satisfies readonly (keyof LicenseState)[];

/** Undefined if nothing changes. */
export function toCompanyStep(before: CompanyState | undefined, after: CompanyState): CompanyStep | undefined {
  if (before === undefined) return { kind: 'company.created', before, after };
  if (before === after || COMPANY_FIELDS.every((field) => before[field] === after[field])) return undefined;
  return { kind: toCompanyKind(before, after), before, after };
}

function toCompanyKind(before: CompanyState, after: CompanyState): CompanyChangeKind {
  if (before.archivedDatetime === null && after.archivedDatetime !== null) return 'company.archived';
  if (before.archivedDatetime !== null && after.archivedDatetime === null) return 'company.reactivated';
  return 'company.updated';
}

/** Undefined if nothing changes. */
export function toLicenseStep(before: LicenseState | undefined, after: LicenseState): LicenseStep | undefined {
  if (before === undefined) return { kind: 'license.created', before, after };
  if (before === after || LICENSE_FIELDS.every((field) => before[field] === after[field])) return undefined;
  return { kind: toLicenseKind(before, after), before, after };
}

/** If several kinds apply, returns the one that matters most to readers of the change feed. */
function toLicenseKind(before: LicenseState, after: LicenseState): LicenseChangeKind {
  // A UBI where there was none before is new information, not a sale.
  if (before.ubiKey !== null && before.ubiKey !== after.ubiKey) return 'license.transferred';
  if (before.active && !after.active) return 'license.deactivated';
  if (!before.active && after.active) return 'license.reactivated';
  return before.companyId === after.companyId ? 'license.updated' : 'license.moved';
}
