import { toLicenseKey, toTidyName, toUbiKey } from '../domain/key.js';
import type { ListedLicense } from '../domain/listed-license.js';
import type { Vendor } from '../domain/vendor.js';
import { forEachYielding, mapYielding, runToCompletion, sortYielding, type Yielding } from '../domain/yielding.js';
import { compareDigits, compareText } from './compare.js';

/** Increase when the same row would be mapped differently, so that old digests no longer count as unchanged. */
export const MAPPING_VERSION = 2;

export interface Collation {
  /** One for each license key, sorted by key. */
  readonly licenses: readonly ListedLicense[];
  /** Rows dropped in favor of another row of the same license. */
  readonly duplicates: number;
}

/**
 * Normalizes a list: each license once, in a fixed order that does not depend on the order of the rows. Of several rows
 * for a license, the last edited one wins (`transactionId`), ties are broken by content. Rows of the vendor list win
 * over rows of the laboratory list, because some tenants read only the vendor list.
 * @param digest a collision-free digest of a text
 */
export const collateVendors = (vendors: readonly Vendor[], digest: (text: string) => string): Collation =>
  runToCompletion(collateYielding(vendors, digest));

/** The same as `collateVendors`, for large lists. */
export function* collateYielding(vendors: readonly Vendor[], digest: (text: string) => string): Yielding<Collation> {
  const winners = new Map<string, { vendor: Vendor; content: string }>();
  yield* forEachYielding(vendors, (vendor) => {
    const key = toLicenseKey(vendor.licenseNumber);
    const candidate = { vendor, content: toContent(vendor) };
    const winner = winners.get(key);
    if (winner === undefined || compareRows(candidate, winner) > 0) winners.set(key, candidate);
  });
  const licenses = yield* mapYielding(winners, ([licenseKey, { vendor, content }]) =>
    toListedLicense(licenseKey, vendor, digest(content)),
  );
  return {
    licenses: yield* sortYielding(licenses, (a, b) => compareText(a.licenseKey, b.licenseKey)),
    duplicates: vendors.length - licenses.length,
  };
}

// Lists every field because object spread is several times slower.
const toListedLicense = (licenseKey: string, vendor: Vendor, contentHash: string): ListedLicense => ({
  licenseNumber: vendor.licenseNumber,
  ubi: vendor.ubi,
  name: toTidyName(vendor.name),
  licenseType: vendor.licenseType,
  licenseTypeRaw: vendor.licenseTypeRaw,
  activities: vendor.activities,
  address: vendor.address,
  isDeleted: vendor.isDeleted,
  isLab: vendor.isLab,
  transactionIdOriginal: vendor.transactionIdOriginal,
  licenseKey,
  ubiKey: toUbiKey(vendor.ubi),
  lastUbi: null,
  contentHash,
});

function compareRows(a: { vendor: Vendor; content: string }, b: { vendor: Vendor; content: string }): number {
  if (a.vendor.isLab !== b.vendor.isLab) return a.vendor.isLab ? -1 : 1;
  // A row with a transaction id wins over one without.
  const [left, right] = [a.vendor.transactionId ?? '', b.vendor.transactionId ?? ''];
  return compareDigits(left, right) || compareText(a.content, b.content);
}

/** The mapped fields as text. Without `transactionId`: an edit of other fields is not a change. */
function toContent(vendor: Vendor): string {
  const { line1, line2, city, state, zip } = vendor.address;
  return JSON.stringify([
    MAPPING_VERSION,
    vendor.licenseNumber,
    vendor.ubi,
    toTidyName(vendor.name),
    vendor.licenseType,
    vendor.licenseTypeRaw,
    vendor.activities,
    [line1, line2, city, state, zip],
    vendor.isDeleted,
    vendor.isLab,
    vendor.transactionIdOriginal,
  ]);
}
