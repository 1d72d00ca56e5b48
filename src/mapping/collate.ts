import { toLicenseKey, toUbiKey } from '../domain/key.js';
import type { ListedLicense } from '../domain/listed-license.js';
import type { Vendor } from '../domain/vendor.js';
import { forEachYielding, mapYielding, runToCompletion, sortYielding, type Yielding } from '../domain/yielding.js';
import { compareDigits, compareText } from './compare.js';

/** Moves when the same row would be mapped differently, so that old digests no longer count as "unchanged". */
export const MAPPING_VERSION = 1;

export interface Collation {
  /** One for each license key, in the order of the keys. */
  readonly licenses: readonly ListedLicense[];
  /** Rows that were not needed because another row of the same license won. */
  readonly duplicates: number;
}

/**
 * Brings a list into its one form: each license once, in a fixed order, whatever the order of the rows. Of rows that
 * contradict each other the one edited last wins (`transactionId`), ties by content. A license that is on the list of
 * laboratories too is what the list of vendors says: not everybody reads both.
 * @param digest a collision-free digest of a text
 */
export const collateVendors = (vendors: readonly Vendor[], digest: (text: string) => string): Collation =>
  runToCompletion(collateYielding(vendors, digest));

/** The same, to be done bit by bit: a large list takes its time. */
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

// Written out: adding to a spread object takes a multiple of the time.
const toListedLicense = (licenseKey: string, vendor: Vendor, contentHash: string): ListedLicense => ({
  licenseNumber: vendor.licenseNumber,
  ubi: vendor.ubi,
  name: vendor.name,
  licenseType: vendor.licenseType,
  licenseTypeRaw: vendor.licenseTypeRaw,
  activities: vendor.activities,
  address: vendor.address,
  isDeleted: vendor.isDeleted,
  isLab: vendor.isLab,
  transactionIdOriginal: vendor.transactionIdOriginal,
  licenseKey,
  ubiKey: toUbiKey(vendor.ubi),
  contentHash,
});

function compareRows(a: { vendor: Vendor; content: string }, b: { vendor: Vendor; content: string }): number {
  if (a.vendor.isLab !== b.vendor.isLab) return a.vendor.isLab ? -1 : 1;
  // An unknown number is the lowest here: a row that says when it was edited beats one that does not.
  const [left, right] = [a.vendor.transactionId ?? '', b.vendor.transactionId ?? ''];
  return compareDigits(left, right) || compareText(a.content, b.content);
}

/** What is mapped of a row, as text. Not `transactionId`: an edit that changes nothing mapped is no change. */
function toContent(vendor: Vendor): string {
  const { line1, line2, city, state, zip } = vendor.address;
  return JSON.stringify([
    MAPPING_VERSION,
    vendor.licenseNumber,
    vendor.ubi,
    vendor.name,
    vendor.licenseType,
    vendor.licenseTypeRaw,
    vendor.activities,
    [line1, line2, city, state, zip],
    vendor.isDeleted,
    vendor.isLab,
    vendor.transactionIdOriginal,
  ]);
}
