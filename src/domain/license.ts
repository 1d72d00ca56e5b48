/** What users set for a license. */
export interface LicenseSettings {
  readonly name: string | null;
  readonly licenseType: string | null;
  readonly issueDatetime: Date | null;
  readonly expiryDatetime: Date | null;
  readonly active: boolean;
  /** A company credential. */
  readonly credentialId: string | null;
  readonly defaultIntakeLocationId: string | null;
  readonly syncEnabled: boolean;
  readonly createCompanies: boolean;
  readonly syncRooms: boolean;
  readonly notifyOnChange: boolean;
  readonly shareWithLeaflink: boolean;
}

/**
 * Every setting with its default. Columns, replies, feed entries and the configuration document derive their fields from
 * this list.
 */
export const DEFAULT_SETTINGS: LicenseSettings = {
  name: null,
  licenseType: null,
  issueDatetime: null,
  expiryDatetime: null,
  active: true,
  credentialId: null,
  defaultIntakeLocationId: null,
  syncEnabled: true,
  createCompanies: true,
  syncRooms: true,
  notifyOnChange: true,
  shareWithLeaflink: false,
};

export const SETTING_NAMES = Object.keys(DEFAULT_SETTINGS) as (keyof LicenseSettings)[];

/** A license that the tenant created. */
export interface License extends LicenseSettings {
  readonly id: string;
  readonly licenseKey: string;
  readonly licenseNumber: string;
  readonly archivedDatetime: Date | null;
  readonly version: number;
  readonly insertedDatetime: Date;
  readonly updatedDatetime: Date;
}
