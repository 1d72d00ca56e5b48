/** The rule that decides which company holds a license. */
export const HOLDING_RULES = [
  'inactive_keeps_company',
  'decided_by_user',
  'manual_company',
  'no_ubi',
  'vendor_company',
  'own_company',
] as const;
export type HoldingRule = (typeof HOLDING_RULES)[number];

/** Why another company that was considered does not hold the license. */
export const REJECTIONS = [
  'decided_by_user',
  'manual_company_wins',
  'strategy_is_one_per_license',
  'strategy_is_one_per_vendor',
  'license_is_inactive',
] as const;
export type Rejection = (typeof REJECTIONS)[number];

/** Why a license's own company became the vendor company of its UBI, or did not. */
export const VENDOR_VERDICTS = [
  'chosen',
  'represents_another_ubi',
  /** The license is newer than the one whose own company was chosen. */
  'newer',
  /** The license is older, but joined the vendor after the vendor company was chosen. */
  'joined_later',
  'manual_company_wins',
  'no_own_company',
] as const;
export type VendorVerdict = (typeof VENDOR_VERDICTS)[number];
