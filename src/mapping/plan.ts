import type { Strategy } from '../domain/strategy.js';
import type { SyncCounts } from '../domain/sync-run.js';
import type { CompanyState, LicenseState, VendorCompany, VendorDecision } from './snapshot.js';

export type CompanyChangeKind = 'company.created' | 'company.updated' | 'company.archived' | 'company.reactivated';

export type LicenseChangeKind =
  | 'license.created'
  | 'license.updated'
  /** It went to another company of the same vendor. */
  | 'license.moved'
  /** It was sold: another vendor holds it. */
  | 'license.transferred'
  | 'license.deactivated'
  | 'license.reactivated';

/** An object as it was (undefined: it was not) and as it shall be. */
export interface PlanStep<Kind, State> {
  readonly kind: Kind;
  readonly before: State | undefined;
  readonly after: State;
}

export type CompanyStep = PlanStep<CompanyChangeKind, CompanyState>;
export type LicenseStep = PlanStep<LicenseChangeKind, LicenseState>;

/** What a person should know of, though nothing failed. */
export interface PlanWarning {
  /** `ubi_turned_blank`: the state no longer names the vendor; the known UBI is kept. */
  readonly code: 'ubi_turned_blank';
  readonly licenseNumber: string;
}

/** Kept apart until a person decides: which company shall stand for this UBI? */
export interface PlanConflict {
  readonly ubiKey: string;
  readonly companyIds: readonly string[];
}

/** How much of what is active now the plan takes away or changes; what a guard judges by. */
/** In active licenses, as they were. */
export interface PlanImpact {
  readonly activeLicenses: number;
  readonly removed: number;
  readonly moved: number;
  /** Whose company is called otherwise, though they stay with it. */
  readonly renamed: number;
}

/** A listed license that is not taken: one that the tenant knows stays known, and becomes inactive instead. */
export interface FilteredLicense {
  readonly reason: 'inactive_at_first_sight' | 'lab_not_wanted';
  readonly licenseNumber: string;
  readonly ubi: string | null;
  readonly name: string | null;
}

/** What shall be done, as data: carrying it out needs no further decision. */
export interface SyncPlan {
  readonly strategy: Strategy;
  readonly includeLabs: boolean;
  /** New ones first, the others in the order of the snapshot; steps of what stays as it is are not in it. */
  readonly companies: readonly CompanyStep[];
  /** In the order of license keys. */
  readonly licenses: readonly LicenseStep[];
  readonly newVendorCompanies: readonly VendorCompany[];
  readonly warnings: readonly PlanWarning[];
  readonly conflicts: readonly PlanConflict[];
  readonly counts: SyncCounts;
  /** Manual companies that become the vendor company of a UBI; they are among `newVendorCompanies`. */
  readonly adoptions: readonly VendorCompany[];
  readonly notTaken: readonly FilteredLicense[];
  readonly impact: PlanImpact;
  /** What persons had decided: some of the moves are theirs. */
  readonly decisions: readonly VendorDecision[];
}
