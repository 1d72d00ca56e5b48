import type { Activity, PostalAddress } from '../domain/vendor.js';

/** What a tenant has now, as far as planning needs it. Times are RFC 3339 texts. */
export interface Snapshot {
  readonly companies: readonly CompanyState[];
  readonly licenses: readonly LicenseState[];
  readonly vendorCompanies: readonly VendorCompany[];
  /** What a person decided where several companies could stand for a UBI. */
  readonly decisions: readonly VendorDecision[];
  /** The tenant's own UBI. */
  readonly ownUbiKey: string | null;
}

export interface CompanyState {
  readonly id: string;
  readonly origin: 'biotrack' | 'manual';
  /** What the licenses say; null for a manual company. */
  readonly sourceName: string | null;
  /** What a person says; it wins. */
  readonly editedName: string | null;
  readonly displayName: string;
  readonly nameGroup: string;
  readonly ubi: string | null;
  readonly ubiKey: string | null;
  readonly isOwnCompany: boolean;
  readonly archivedDatetime: string | null;
  readonly supersededBy: string | null;
}

export interface LicenseState {
  readonly id: string;
  readonly companyId: string;
  /** First memory: written once, never rewritten. */
  readonly ownCompanyId: string | null;
  readonly licenseKey: string;
  readonly licenseNumber: string;
  readonly ubi: string | null;
  readonly ubiKey: string | null;
  readonly name: string | null;
  readonly licenseType: string | null;
  readonly licenseTypeRaw: string | null;
  readonly activities: readonly Activity[];
  readonly address: PostalAddress;
  readonly isLab: boolean;
  /** The manual company that names this license by hand; under either strategy it holds it. */
  readonly namedByCompanyId: string | null;
  readonly active: boolean;
  readonly missingSinceDatetime: string | null;
  readonly transactionIdOriginal: string | null;
  readonly contentHash: string;
}

/** Second memory: the company that stands for all licenses of a UBI. Written once, never rewritten. */
export interface VendorCompany {
  readonly ubiKey: string;
  readonly companyId: string;
}

/** A person's word on a conflict. It rewrites no memory: taken back, everything is as it was. */
export interface VendorDecision {
  readonly ubiKey: string;
  /** All licenses of the UBI go to this company, those named by hand for `companyIds` too; null: they stay apart. */
  readonly companyId: string | null;
  /** The companies that he was asked about; with another one beside them the question is a new one. */
  readonly companyIds: readonly string[];
}
