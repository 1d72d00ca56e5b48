import type { CompanyStep, LicenseStep, SyncPlan } from './plan.js';
import type { VendorDecision } from './snapshot.js';

/** Why a company is created, changed, archived or back; a closed list that callers may branch on. */
export const COMPANY_REASONS = [
  /** A license, or a vendor, that the tenant did not know. */
  'first_seen',
  /** Its license was held by another company before. */
  'split_out',
  /** Its licenses are held by `superseded_by` now. */
  'merged',
  'no_active_license',
  /** An inactive license of it is active again. */
  'license_returned',
  'renamed',
  'ubi_changed',
  'own_ubi_changed',
  'successor_changed',
  /** Only its display name is another one: a namesake came, went or changed. */
  'told_apart',
] as const;
export type CompanyReason = (typeof COMPANY_REASONS)[number];

/** Why a license is created, changed, moved, inactive or back. */
export const LICENSE_REASONS = [
  'first_seen',
  /** It was named by hand, and the state lists it for the first time. */
  'first_listed',
  /** Another vendor holds it. */
  'sold',
  /** The state names a vendor where it named none. */
  'ubi_told',
  'no_longer_listed',
  'deleted_by_state',
  'lab_not_wanted',
  'listed_again',
  /** It goes to the company of its vendor, or of its own, because the strategy says so. */
  'strategy',
  'decided_by_person',
  /** A person named it for a company that was made by hand. */
  'named_by_hand',
  'details_changed',
  /** It was given a company of its own, which the other strategy would use. */
  'own_company_given',
] as const;
export type LicenseReason = (typeof LICENSE_REASONS)[number];

/** The reason of each step of a plan. */
export interface Reasons {
  ofCompany(step: CompanyStep): CompanyReason;
  ofLicense(step: LicenseStep): LicenseReason;
}

type Reasoned = Pick<SyncPlan, 'licenses' | 'includeLabs' | 'strategy' | 'decisions'>;

export function toReasons({ licenses, includeLabs, strategy, decisions }: Reasoned): Reasons {
  // Decisions are about vendors: under the other strategy they move nothing.
  const decided = new Map(strategy === 'one_per_vendor' ? decisions.map((one) => [one.ubiKey, one]) : []);
  const returnedTo = new Set<string>();
  const knownIn = new Set<string>();
  for (const { before, after } of licenses) {
    if (before === undefined) continue;
    knownIn.add(after.companyId);
    if (!before.active && after.active) returnedTo.add(after.companyId);
  }
  return {
    ofCompany({ kind, before, after }) {
      if (before === undefined) return knownIn.has(after.id) ? 'split_out' : 'first_seen';
      if (kind === 'company.archived') return after.supersededBy === null ? 'no_active_license' : 'merged';
      if (kind === 'company.reactivated') return returnedTo.has(after.id) ? 'license_returned' : 'split_out';
      if (before.sourceName !== after.sourceName) return 'renamed';
      if (before.ubi !== after.ubi) return 'ubi_changed';
      if (before.isOwnCompany !== after.isOwnCompany) return 'own_ubi_changed';
      return before.supersededBy === after.supersededBy ? 'told_apart' : 'successor_changed';
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
    return after.isLab && !includeLabs ? 'lab_not_wanted' : 'deleted_by_state';
  }
  if (before.contentHash === '' && after.contentHash !== '') return 'first_listed';
  if (!before.active && after.active) return 'listed_again';
  if (before.missingSinceDatetime !== after.missingSinceDatetime) {
    return after.missingSinceDatetime === null ? 'listed_again' : 'no_longer_listed';
  }
  if (before.ubiKey !== after.ubiKey) return 'ubi_told';
  if (before.companyId !== after.companyId) {
    if (before.namedByCompanyId !== after.namedByCompanyId) return 'named_by_hand';
    return isDecided(before.companyId, after.companyId, decision) ? 'decided_by_person' : 'strategy';
  }
  return before.contentHash === after.contentHash && before.ubi === after.ubi ? 'own_company_given' : 'details_changed';
}

/** To the company that a person decided on; or from one to another of those that he wants apart. */
function isDecided(from: string, to: string, decision: VendorDecision | undefined): boolean {
  if (decision === undefined) return false;
  return to === decision.companyId || (decision.companyIds.includes(from) && decision.companyIds.includes(to));
}
