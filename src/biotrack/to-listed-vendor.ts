import type { Activity, PostalAddress, Skip, SkipReason, Vendor } from '../domain/vendor.js';
import { parseIdentifier, parseLine, UnreadableField } from './row-values.js';
import type { LicenseTypes } from './states.js';

/** What a list of vendors, laboratories or transporters is called in BioTrack's privileges. */
export const LISTS = ['vendors', 'labs', 'transporters'] as const;
export type ListName = (typeof LISTS)[number];

/** What both dialects come down to before it is a vendor. */
export interface RowFields {
  readonly name: string | null;
  readonly licenseTypeRaw: string | null;
  readonly activities: readonly Activity[];
  readonly address: PostalAddress;
  readonly isDeleted: boolean;
  readonly isLab: boolean;
  readonly transactionId: string | null;
  readonly transactionIdOriginal: string | null;
}

export interface RowIdentity {
  readonly location: unknown;
  readonly ubi: unknown;
  readonly name: unknown;
}

export const isSkip = (listed: Vendor | Skip): listed is Skip => 'reason' in listed;

export const toSkipOfNoObject = (): Skip => ({ reason: 'not_an_object', licenseNumber: null, ubi: null, name: null });

/** A row as a vendor, or, if any of its values is of no known shape, as a skip that tells which row it was. */
export function toVendorOrSkip(
  identity: RowIdentity,
  licenseTypes: LicenseTypes,
  read: () => RowFields,
): Vendor | Skip {
  try {
    const licenseNumber = parseIdentifier(identity.location);
    if (licenseNumber === null) return toSkip('blank_license_number', identity);
    const ubi = parseIdentifier(identity.ubi);
    const fields = read();
    // Written out: spreading a hundred thousand rows takes a multiple of the time.
    return {
      licenseNumber,
      ubi,
      name: fields.name,
      licenseType: toLicenseType(fields.licenseTypeRaw, licenseTypes),
      licenseTypeRaw: fields.licenseTypeRaw,
      activities: fields.activities,
      address: fields.address,
      isDeleted: fields.isDeleted,
      isLab: fields.isLab,
      transactionId: fields.transactionId,
      transactionIdOriginal: fields.transactionIdOriginal,
    };
  } catch (error) {
    if (error instanceof UnreadableField) return toSkip(error.skip, identity);
    throw error;
  }
}

/** Codes come as numbers and as texts; unknown ones are data, not errors. */
function toLicenseType(code: string | null, licenseTypes: LicenseTypes): string | null {
  return code !== null && Object.hasOwn(licenseTypes, code) ? (licenseTypes[code] ?? null) : null;
}

/** Sorted, so that two spellings of one row are one vendor. */
export function toActivities(flags: readonly (readonly [Activity, boolean])[]): readonly Activity[] {
  return flags
    .filter(([, isSet]) => isSet)
    .map(([activity]) => activity)
    .sort();
}

const toSkip = (reason: SkipReason, { location, ubi, name }: RowIdentity): Skip => ({
  reason,
  licenseNumber: legible(() => parseIdentifier(location)),
  ubi: legible(() => parseIdentifier(ubi)),
  name: legible(() => parseLine(name)),
});

function legible(read: () => string | null): string | null {
  try {
    return read();
  } catch (error) {
    if (error instanceof UnreadableField) return null;
    throw error;
  }
}
