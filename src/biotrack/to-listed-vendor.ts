import type { Activity, PostalAddress, Skip, SkipReason, Vendor } from '../domain/vendor.js';
import { parseIdentifier, parseLine, UnreadableField } from './row-values.js';
import type { LicenseTypes } from './states.js';

export const LISTS = ['vendors', 'labs', 'transporters'] as const;
export type ListName = (typeof LISTS)[number];

/** The fields of a row, independent of the dialect. */
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

export const toNotAnObjectSkip = (): Skip => ({ reason: 'not_an_object', licenseNumber: null, ubi: null, name: null });

/** A skip if the license number is blank or any field cannot be read. */
export function toVendorOrSkip(
  identity: RowIdentity,
  licenseTypes: LicenseTypes,
  parseFields: () => RowFields,
): Vendor | Skip {
  try {
    const licenseNumber = parseIdentifier(identity.location);
    if (licenseNumber === null) return toSkip('blank_license_number', identity);
    const ubi = parseIdentifier(identity.ubi);
    const fields = parseFields();
    // Spreading `fields` takes several times as long for 100,000 rows.
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
    if (error instanceof UnreadableField) return toSkip(error.reason, identity);
    throw error;
  }
}

/** Null for an unknown code, which is not an error. */
function toLicenseType(code: string | null, licenseTypes: LicenseTypes): string | null {
  return code !== null && Object.hasOwn(licenseTypes, code) ? (licenseTypes[code] ?? null) : null;
}

/** Sorted, so that equal rows become equal vendors. */
export function toActivities(flags: readonly (readonly [Activity, boolean])[]): readonly Activity[] {
  return flags
    .filter(([, isSet]) => isSet)
    .map(([activity]) => activity)
    .sort();
}

const toSkip = (reason: SkipReason, { location, ubi, name }: RowIdentity): Skip => ({
  reason,
  licenseNumber: toReadable(() => parseIdentifier(location)),
  ubi: toReadable(() => parseIdentifier(ubi)),
  name: toReadable(() => parseLine(name)),
});

function toReadable(parse: () => string | null): string | null {
  try {
    return parse();
  } catch (error) {
    if (error instanceof UnreadableField) return null;
    throw error;
  }
}
