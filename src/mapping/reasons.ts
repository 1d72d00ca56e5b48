import type { CompanyStep, LicenseStep, SyncPlan } from './plan.js';
import type { VendorDecision } from './snapshot.js';

/** Why a company is created, updated, archived or reactivated. A closed list, so callers can branch on it. */
export const COMPANY_REASONS = [
  /** A license or vendor that is new to the tenant. */
  'first_seen',
  /** Its license was held by another company before. */
  'split_out',
  /** Its licenses are now held by `superseded_by`. */
  'merged',
  'no_active_license',
  /** One of its licenses is active again. */
  'license_reactivated',
  'renamed',
  'ubi_changed',
  'own_ubi_changed',
  'successor_changed',
  /** Only its display name changed, because another company with its name was added, removed or changed. */
  'display_name_changed',
] as const;
export type CompanyReason = (typeof COMPANY_REASONS)[number];

/** Why a license is created, updated, moved, deactivated or reactivated. A closed list. */
export const LICENSE_REASONS = [
  'first_seen',
  /** It was added manually, and the state lists it for the first time. */
  'first_listed',
  /** Another vendor holds it. */
  'sold',
  /** The state lists a UBI where it listed none before. */
  'ubi_reported',
  'no_longer_listed',
  'deleted_by_state',
  'labs_excluded',
  'listed_again',
  /** It moves to its vendor company or its own company, as the strategy requires. */
  'strategy',
  'decided_by_user',
  /** A user added it to a manual company. */
  'added_manually',
  'details_changed',
  /** It was assigned its own company, which the other strategy uses. */
  'own_company_assigned',
] as const;
export type LicenseReason = (typeof LICENSE_REASONS)[number];

/** The reason of each step of a plan. */
export interface Reasons {
  ofCompany(step: CompanyStep): CompanyReason;
  ofLicense(step: LicenseStep): LicenseReason;
}

type Reasoned = Pick<SyncPlan, 'licenses' | 'includeLabs' | 'strategy' | 'decisions'>;

export function toReasons({ licenses, includeLabs, strategy, decisions }: Reasoned): Reasons {
  // Decisions only have an effect with `one_per_vendor`.
  const decided = new Map(
    strategy === 'one_per_vendor' ? decisions.map((decision) => [decision.ubiKey, decision]) : [],
  );
  const reactivatedIn = new Set<string>();
  const knownIn = new Set<string>();
  for (const { before, after } of licenses) {
    if (before === undefined) continue;
    knownIn.add(after.companyId);
    if (!before.active && after.active) reactivatedIn.add(after.companyId);
  }
  return {
    ofCompany({ kind, before, after }) {
      if (before === undefined) return knownIn.has(after.id) ? 'split_out' : 'first_seen';
      if (kind === 'company.archived') return after.supersededBy === null ? 'no_active_license' : 'merged';
      if (kind === 'company.reactivated') return reactivatedIn.has(after.id) ? 'license_reactivated' : 'split_out';
      if (before.sourceName !== after.sourceName) return 'renamed';
      if (before.ubi !== after.ubi) return 'ubi_changed';
      if (before.isOwnCompany !== after.isOwnCompany) return 'own_ubi_changed';
      return before.supersededBy === after.supersededBy ? 'display_name_changed' : 'successor_changed';
    },
    ofLicense: ({ before, after }) =>
      toLicenseReason(before, after, { includeLabs, decision: decided.get(after.ubiKey ?? '') }),
  };
}

function toLicenseReason(
  before: LicenseStep['before'],
  after: LicenseStep['after'],
  { includeLabs, decision }: { readonly includeLabs: boolean; readonly decision: VendorDecision | undefined },
): LicenseReason {
  if (before === undefined) return 'first_seen';
  if (before.ubiKey !== null && before.ubiKey !== after.ubiKey) return 'sold';
  if (before.active && !after.active) {
    if (after.missingSinceDatetime !== null) return 'no_longer_listed';
    return after.isLab && !includeLabs ? 'labs_excluded' : 'deleted_by_state';
  }
  if (before.contentHash === '' && after.contentHash !== '') return 'first_listed';
  if (!before.active && after.active) return 'listed_again';
  if (before.missingSinceDatetime !== after.missingSinceDatetime) {
    return after.missingSinceDatetime === null ? 'listed_again' : 'no_longer_listed';
  }
  if (before.ubiKey !== after.ubiKey) return 'ubi_reported';
  if (before.companyId !== after.companyId) {
    if (before.namedByCompanyId !== after.namedByCompanyId) return 'added_manually';
    return isDecided(before.companyId, after.companyId, decision) ? 'decided_by_user' : 'strategy';
  }
  return before.contentHash === after.contentHash && before.ubi === after.ubi
    ? 'own_company_assigned'
    : 'details_changed';
}

/** Whether a move follows a decision: to the chosen company, or between companies that a user keeps apart. */
function isDecided(from: string, to: string, decision: VendorDecision | undefined): boolean {
  if (decision === undefined) return false;
  return to === decision.companyId || (decision.companyIds.includes(from) && decision.companyIds.includes(to));
}
