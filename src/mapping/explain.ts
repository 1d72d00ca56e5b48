import type { HoldingRule, Rejection, VendorVerdict } from '../domain/holding.js';
import type { Strategy } from '../domain/strategy.js';
import { compareAge } from './compare.js';
import type { LicenseState, VendorCompany, VendorDecision } from './snapshot.js';

export interface Holding {
  readonly rule: HoldingRule;
  /** The company that the rule gives; null where there is none yet. */
  readonly companyId: string | null;
  readonly rejected: readonly { readonly companyId: string; readonly reason: Rejection }[];
}

export interface HoldingInput {
  readonly license: LicenseState;
  readonly strategy: Strategy;
  /** The company that is remembered for its UBI. */
  readonly vendorCompanyId: string | null;
  readonly decision: VendorDecision | undefined;
}

/** Why a license is with its company, told from the two memories, the strategy and what persons said. */
export function explainHolding({ license, strategy, vendorCompanyId, decision }: HoldingInput): Holding {
  const { companyId, rule } = judge({ license, strategy, vendorCompanyId, decision });
  const candidates = [decision?.companyId, license.namedByCompanyId, vendorCompanyId, license.ownCompanyId];
  const others = [...new Set(candidates)].flatMap((id) =>
    id === null || id === undefined || id === companyId ? [] : id,
  );
  return { rule, companyId, rejected: others.map((id) => ({ companyId: id, reason: REJECTED[rule] })) };
}

const REJECTED: Readonly<Record<HoldingRule, Rejection>> = {
  inactive_stays_attached: 'license_is_inactive',
  decided_by_person: 'a_person_decided',
  named_by_hand: 'named_by_hand_wins',
  no_ubi_stands_alone: 'strategy_is_one_per_license',
  vendor_company: 'strategy_is_one_per_vendor',
  own_company: 'strategy_is_one_per_license',
};

function judge({ license, strategy, vendorCompanyId, decision }: HoldingInput): {
  readonly companyId: string | null;
  readonly rule: HoldingRule;
} {
  if (!license.active) return { companyId: license.companyId, rule: 'inactive_stays_attached' };
  const isGrouped = strategy === 'one_per_vendor' && license.ubiKey !== null;
  const decided = isGrouped ? decision?.companyId : undefined;
  // Whoever decided did not know of a company that was made by hand later.
  const isKnown = license.namedByCompanyId === null || decision?.companyIds.includes(license.namedByCompanyId) === true;
  if (typeof decided === 'string' && isKnown) return { companyId: decided, rule: 'decided_by_person' };
  if (license.namedByCompanyId !== null) return { companyId: license.namedByCompanyId, rule: 'named_by_hand' };
  if (isGrouped) return { companyId: vendorCompanyId, rule: 'vendor_company' };
  const rule = strategy === 'one_per_vendor' ? 'no_ubi_stands_alone' : 'own_company';
  return { companyId: license.ownCompanyId, rule };
}

/** Who could have come to stand for a UBI: the own companies of its licenses, the oldest first. */
export interface VendorCandidate {
  readonly licenseNumber: string;
  readonly transactionIdOriginal: string | null;
  readonly companyId: string | null;
  readonly verdict: VendorVerdict;
}

/**
 * @param group the active licenses of the UBI
 * @param founder the license, active or not, whose own company the chosen one is; undefined: it is nobody's own
 * @param isManual whether the chosen one was made by hand
 */
export function explainVendorCompany(
  { ubiKey, companyId }: VendorCompany,
  group: readonly LicenseState[],
  vendorCompanies: readonly VendorCompany[],
  founder: LicenseState | undefined,
  isManual: boolean,
): VendorCandidate[] {
  const elsewhere = new Set(vendorCompanies.flatMap((other) => (other.ubiKey === ubiKey ? [] : other.companyId)));
  const judgeCandidate = (license: LicenseState): VendorVerdict => {
    const { ownCompanyId } = license;
    if (ownCompanyId === null) return 'no_own_company';
    if (ownCompanyId === companyId) return 'chosen';
    if (elsewhere.has(ownCompanyId)) return 'stands_for_another_ubi';
    if (isManual) return 'named_by_hand_wins';
    // All were taken when it was made for the UBI alone: these own companies were given since.
    if (founder === undefined) return 'came_later';
    return compareAge(license, founder) < 0 ? 'came_later' : 'younger';
  };
  return [...group].sort(compareAge).map((license) => ({
    licenseNumber: license.licenseNumber,
    transactionIdOriginal: license.transactionIdOriginal,
    companyId: license.ownCompanyId,
    verdict: judgeCandidate(license),
  }));
}
