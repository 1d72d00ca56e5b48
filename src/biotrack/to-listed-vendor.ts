import type {
  Activity,
  PartlyReadVendor,
  PostalAddress,
  RowField,
  Skip,
  SkipReason,
  UnreadableValue,
  Vendor,
} from '../domain/vendor.js';
import { parseIdentifier, parseLine, UnreadableField } from './row-values.js';
import type { LicenseTypes } from './states.js';

export const LISTS = ['vendors', 'labs', 'transporters'] as const;
export type ListName = (typeof LISTS)[number];

/** The fields of a row, independent of the dialect. */
export interface RowFields {
  readonly ubi: string | null;
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

/** Parses one value of a row. A value that cannot be read is reported under the name of the field. */
export type ReadField = <Wire, Value>(
  field: RowField,
  parse: (wire: Wire) => Value,
  wire: Wire,
  whenUnreadable: Value,
) => Value;

export type ListedVendor = Vendor | PartlyReadVendor | Skip;

export const isSkip = (listed: ListedVendor): listed is Skip => 'reason' in listed;
export const isPartlyRead = (listed: ListedVendor): listed is PartlyReadVendor => 'unreadable' in listed;

export const toNotAnObjectSkip = (): Skip => ({ reason: 'not_an_object', licenseNumber: null, ubi: null, name: null });

/** Almost all rows are readable, so the first attempt stops at the first value that is not. */
const readOrThrow: ReadField = (_field, parse, wire) => parse(wire);

/** A skip if the license number is blank or cannot be read. */
export function toListedVendor(
  identity: RowIdentity,
  licenseTypes: LicenseTypes,
  readFields: (read: ReadField) => RowFields,
): ListedVendor {
  let licenseNumber: string | null;
  try {
    licenseNumber = parseIdentifier(identity.location);
  } catch (error) {
    return toSkip(toReason(error), identity);
  }
  if (licenseNumber === null) return toSkip('blank_license_number', identity);
  try {
    return toVendor(licenseNumber, readFields(readOrThrow), licenseTypes);
  } catch (error) {
    toReason(error);
  }
  const unreadable: UnreadableValue[] = [];
  const fields = readFields((field, parse, wire, whenUnreadable) => {
    try {
      return parse(wire);
    } catch (error) {
      unreadable.push({ field, reason: toReason(error) });
      return whenUnreadable;
    }
  });
  return { vendor: toVendor(licenseNumber, fields, licenseTypes), unreadable };
}

/** @throws the error, unless it is an `UnreadableField` */
function toReason(error: unknown): UnreadableValue['reason'] {
  if (error instanceof UnreadableField) return error.reason;
  throw error;
}

// Spreading `fields` takes several times as long for 100,000 rows.
const toVendor = (licenseNumber: string, fields: RowFields, licenseTypes: LicenseTypes): Vendor => ({
  licenseNumber,
  ubi: fields.ubi,
  name: fields.name,
  licenseType: toLicenseType(fields.licenseTypeRaw, licenseTypes),
  licenseTypeRaw: fields.licenseTypeRaw,
  activities: fields.activities,
  address: fields.address,
  isDeleted: fields.isDeleted,
  isLab: fields.isLab,
  transactionId: fields.transactionId,
  transactionIdOriginal: fields.transactionIdOriginal,
});

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
    toReason(error);
    return null;
  }
}
