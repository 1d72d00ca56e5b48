import type { HoldingRule, Rejection, VendorVerdict } from '../domain/holding.js';
import type { Strategy } from '../domain/strategy.js';
import { compareAge } from './compare.js';
import type { LicenseState, VendorCompany, VendorDecision } from './snapshot.js';

export interface Holding {
  readonly rule: HoldingRule;
  /** The company that the rule selects. Null if it does not exist yet. */
  readonly companyId: string | null;
  readonly rejected: readonly { readonly companyId: string; readonly reason: Rejection }[];
}

export interface HoldingInput {
  readonly license: LicenseState;
  readonly strategy: Strategy;
  /** The recorded vendor company of its UBI. */
  readonly vendorCompanyId: string | null;
  readonly decision: VendorDecision | undefined;
}

/** Explains which company holds a license, from the two memories, the strategy and users' decisions. */
export function explainHolding({ license, strategy, vendorCompanyId, decision }: HoldingInput): Holding {
  const { companyId, rule } = findRule({ license, strategy, vendorCompanyId, decision });
  const candidates = [decision?.companyId, license.namedByCompanyId, vendorCompanyId, license.ownCompanyId];
  const others = [...new Set(candidates)].flatMap((id) =>
    id === null || id === undefined || id === companyId ? [] : id,
  );
  return { rule, companyId, rejected: others.map((id) => ({ companyId: id, reason: REJECTED[rule] })) };
}

const REJECTED: Readonly<Record<HoldingRule, Rejection>> = {
  inactive_keeps_company: 'license_is_inactive',
  decided_by_user: 'decided_by_user',
  manual_company: 'manual_company_wins',
  no_ubi: 'strategy_is_one_per_license',
  vendor_company: 'strategy_is_one_per_vendor',
  own_company: 'strategy_is_one_per_license',
};

function findRule({ license, strategy, vendorCompanyId, decision }: HoldingInput): {
  readonly companyId: string | null;
  readonly rule: HoldingRule;
} {
  if (!license.active) return { companyId: license.companyId, rule: 'inactive_keeps_company' };
  const isGrouped = strategy === 'one_per_vendor' && license.ubiKey !== null;
  const decided = isGrouped ? decision?.companyId : undefined;
  // A decision does not cover manual companies that were added after it.
  const isKnown = license.namedByCompanyId === null || decision?.companyIds.includes(license.namedByCompanyId) === true;
  if (typeof decided === 'string' && isKnown) return { companyId: decided, rule: 'decided_by_user' };
  if (license.namedByCompanyId !== null) return { companyId: license.namedByCompanyId, rule: 'manual_company' };
  if (isGrouped) return { companyId: vendorCompanyId, rule: 'vendor_company' };
  const rule = strategy === 'one_per_vendor' ? 'no_ubi' : 'own_company';
  return { companyId: license.ownCompanyId, rule };
}

/** A company that could have become the vendor company of a UBI: the own company of one of its licenses. */
export interface VendorCandidate {
  readonly licenseNumber: string;
  readonly transactionIdOriginal: string | null;
  readonly companyId: string | null;
  readonly verdict: VendorVerdict;
}

/**
 * Explains why a company became the vendor company of its UBI. Returns the candidates, oldest license first.
 * @param group the active licenses of the UBI
 * @param source the license, active or not, whose own company was chosen; undefined if it is no license's own company
 * @param isManual whether the vendor company is a manual company
 */
export function explainVendorCompany(
  { ubiKey, companyId }: VendorCompany,
  group: readonly LicenseState[],
  vendorCompanies: readonly VendorCompany[],
  source: LicenseState | undefined,
  isManual: boolean,
): VendorCandidate[] {
  const elsewhere = new Set(vendorCompanies.flatMap((other) => (other.ubiKey === ubiKey ? [] : other.companyId)));
  const toVerdict = (license: LicenseState): VendorVerdict => {
    const { ownCompanyId } = license;
    if (ownCompanyId === null) return 'no_own_company';
    if (ownCompanyId === companyId) return 'chosen';
    if (elsewhere.has(ownCompanyId)) return 'represents_another_ubi';
    if (isManual) return 'manual_company_wins';
    // The vendor company was created for the UBI because no own company was available; these were assigned later.
    if (source === undefined) return 'joined_later';
    return compareAge(license, source) < 0 ? 'joined_later' : 'newer';
  };
  return [...group].sort(compareAge).map((license) => ({
    licenseNumber: license.licenseNumber,
    transactionIdOriginal: license.transactionIdOriginal,
    companyId: license.ownCompanyId,
    verdict: toVerdict(license),
  }));
}
