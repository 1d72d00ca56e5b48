import type { ListedLicense } from './listed-license.js';

/** What the API and the change feed show of a listed license. */
export const SHOWN_LISTING_FIELDS = [
  'licenseNumber',
  'name',
  'licenseType',
  'licenseTypeRaw',
  'activities',
  'address',
  'ubi',
] as const satisfies readonly (keyof ListedLicense)[];

export type ShownListing = Pick<ListedLicense, (typeof SHOWN_LISTING_FIELDS)[number]>;

/** A license that the state has not listed: only its number is known. */
export const toUnlistedLicense = (licenseKey: string, licenseNumber: string): ListedLicense => ({
  licenseKey,
  licenseNumber,
  ubi: null,
  ubiKey: null,
  lastUbi: null,
  name: null,
  licenseType: null,
  licenseTypeRaw: null,
  activities: [],
  address: { line1: null, line2: null, city: null, state: null, zip: null },
  isDeleted: false,
  isLab: false,
  transactionIdOriginal: null,
  contentHash: '',
});

/** The type of a license for replies. A code that the states file does not define is shown as it is. */
export const toLicenseTypeLabel = ({
  licenseType,
  licenseTypeRaw,
}: Pick<ListedLicense, 'licenseType' | 'licenseTypeRaw'>): string | null =>
  licenseType ?? (licenseTypeRaw === null ? null : `Type ${licenseTypeRaw}`);
