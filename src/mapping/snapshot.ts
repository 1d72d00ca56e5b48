import type { Activity, PostalAddress } from '../domain/vendor.js';

/** The current state of a tenant that a plan depends on. Times are RFC 3339 strings. */
export interface Snapshot {
  readonly companies: readonly CompanyState[];
  readonly licenses: readonly LicenseState[];
  readonly vendorCompanies: readonly VendorCompany[];
  /** Users' decisions where several companies claimed a UBI. */
  readonly decisions: readonly VendorDecision[];
  /** The tenant's own UBI. */
  readonly ownUbiKey: string | null;
}

export interface CompanyState {
  readonly id: string;
  readonly origin: 'biotrack' | 'manual';
  /** The name derived from the licenses. Null for a manual company. */
  readonly sourceName: string | null;
  /** The name set by a user. Takes precedence over `sourceName`. */
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
  /** The first identity memory: written once, never changed. */
  readonly ownCompanyId: string | null;
  readonly licenseKey: string;
  readonly licenseNumber: string;
  readonly ubi: string | null;
  readonly ubiKey: string | null;
  /**
   * The vendor whose company this license names. After a sale to a vendor with other licenses still the seller, so that the
   * buyer's company keeps its name: the license votes only if the buyer's own licenses have no name.
   */
  readonly namingUbiKey: string | null;
  readonly name: string | null;
  readonly licenseType: string | null;
  readonly licenseTypeRaw: string | null;
  readonly activities: readonly Activity[];
  readonly address: PostalAddress;
  readonly isLab: boolean;
  /** The manual company that a user added this license to. It holds the license under either strategy. */
  readonly namedByCompanyId: string | null;
  readonly active: boolean;
  readonly missingSinceDatetime: string | null;
  readonly transactionIdOriginal: string | null;
  readonly contentHash: string;
}

/** What a license adds to the display name of its company. */
export type NamingLicense = Pick<
  LicenseState,
  'companyId' | 'licenseKey' | 'licenseNumber' | 'transactionIdOriginal'
> & { readonly address: Pick<PostalAddress, 'city'> };

/** Companies whose display names depend on each other. */
export interface Namesakes {
  readonly companies: readonly CompanyState[];
  /** Their active licenses. */
  readonly licenses: readonly NamingLicense[];
}

/** The second identity memory: the company that represents a UBI. Written once, never changed. */
export interface VendorCompany {
  readonly ubiKey: string;
  readonly companyId: string;
}

/** A user's decision about a conflict. It changes no memory, so it can be reverted completely. */
export interface VendorDecision {
  readonly ubiKey: string;
  /**
   * The company that gets all licenses of the UBI, including those added manually to `companyIds`. Null keeps them
   * apart.
   */
  readonly companyId: string | null;
  /** The companies that the decision covers. A further company reopens the conflict. */
  readonly companyIds: readonly string[];
}
