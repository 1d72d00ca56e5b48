/** By which rule a company holds a license. */
export const HOLDING_RULES = [
  'inactive_stays_attached',
  'decided_by_person',
  'named_by_hand',
  'no_ubi_stands_alone',
  'vendor_company',
  'own_company',
] as const;
export type HoldingRule = (typeof HOLDING_RULES)[number];

/** Why another company, which could have held it, does not. */
export const REJECTIONS = [
  'a_person_decided',
  'named_by_hand_wins',
  'strategy_is_one_per_license',
  'strategy_is_one_per_vendor',
  'license_is_inactive',
] as const;
export type Rejection = (typeof REJECTIONS)[number];

/** Why a license's own company came to stand for a vendor, or did not. */
export const VENDOR_VERDICTS = [
  'chosen',
  'stands_for_another_ubi',
  /** Than the license whose own company was chosen. */
  'younger',
  /** It is older, and came to the vendor when that had its company already. */
  'came_later',
  'named_by_hand_wins',
  'no_own_company',
] as const;
export type VendorVerdict = (typeof VENDOR_VERDICTS)[number];
