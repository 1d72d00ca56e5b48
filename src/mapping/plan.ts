import type { COMPANY_CHANGE_KINDS, LICENSE_CHANGE_KINDS } from '../domain/change-kind.js';
import type { Strategy } from '../domain/strategy.js';
import type { SyncCounts } from '../domain/sync-run.js';
import type { CompanyState, LicenseState, VendorCompany, VendorDecision } from './snapshot.js';

export type CompanyChangeKind = (typeof COMPANY_CHANGE_KINDS)[number];
export type LicenseChangeKind = (typeof LICENSE_CHANGE_KINDS)[number];

/** One object before (undefined if it is new) and after the plan. */
export interface PlanStep<Kind, State> {
  readonly kind: Kind;
  readonly before: State | undefined;
  readonly after: State;
}

export type CompanyStep = PlanStep<CompanyChangeKind, CompanyState>;
export type LicenseStep = PlanStep<LicenseChangeKind, LicenseState>;

/** Information for users about a plan that did not fail. */
export interface PlanWarning {
  /** `ubi_turned_blank`: the state no longer lists a UBI for the license; the known UBI is kept. */
  readonly code: 'ubi_turned_blank';
  readonly licenseNumber: string;
}

/** Several companies claim one UBI. They are kept apart until a user decides. */
export interface PlanConflict {
  readonly ubiKey: string;
  readonly companyIds: readonly string[];
}

/** How many of the currently active licenses and companies a plan affects. The guard checks these numbers. */
export interface PlanImpact {
  readonly activeLicenses: number;
  readonly removed: number;
  readonly moved: number;
  readonly activeCompanies: number;
  /** Companies whose source name changes. */
  readonly renamedCompanies: number;
  /** The licenses that stay with these companies. */
  readonly renamedLicenses: number;
}

/** A listed license that is not added to the tenant. Known licenses become inactive instead. */
export interface FilteredLicense {
  readonly reason: 'inactive_when_first_listed' | 'labs_excluded';
  readonly licenseNumber: string;
  readonly ubi: string | null;
  readonly name: string | null;
}

/** Of `SyncCounts`. */
export type LicenseCounts = Pick<
  SyncCounts,
  'licensesCreated' | 'licensesUpdated' | 'licensesDeactivated' | 'licensesReactivated' | 'moved'
>;

/** The changes to apply, as data: applying them requires no further decisions. */
export interface SyncPlan {
  readonly strategy: Strategy;
  readonly includeLabs: boolean;
  /** New companies first, then the others in snapshot order. Without unchanged companies. */
  readonly companies: readonly CompanyStep[];
  /** Sorted by license key. Without unchanged licenses. */
  readonly licenses: readonly LicenseStep[];
  readonly newVendorCompanies: readonly VendorCompany[];
  readonly warnings: readonly PlanWarning[];
  readonly conflicts: readonly PlanConflict[];
  readonly counts: SyncCounts;
  /** All companies of the tenant after the plan. */
  readonly companyCount: number;
  /** The `newVendorCompanies` that are manual companies. */
  readonly adoptions: readonly VendorCompany[];
  readonly filtered: readonly FilteredLicense[];
  readonly impact: PlanImpact;
  /** Users' decisions that the plan is based on, used to give the reasons of moves. */
  readonly decisions: readonly VendorDecision[];
}
