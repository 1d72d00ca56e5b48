import { hash } from 'node:crypto';
import type { PartlyReadVendor, Skip, Vendor } from '../domain/vendor.js';
import { ANSWERS } from './answers.js';
import { findMember, toObject } from './document.js';
import { BiotrackError } from './errors.js';
import { parseTransactionId } from './row-values.js';
import { isPartlyRead, isSkip, type ListedVendor } from './to-listed-vendor.js';

/** A complete, valid and plausible list. `fetched` is the number of vendors, partly read vendors and skips. */
export interface VendorList {
  readonly vendors: readonly Vendor[];
  readonly partlyRead: readonly PartlyReadVendor[];
  /** Rows without a readable license number. */
  readonly skips: readonly Skip[];
  /** A digest of each of these rows, to recognize it in the next list. */
  readonly skippedDigests: readonly string[];
  readonly fetched: number;
  /**
   * The sum of the transaction numbers of all rows, skipped ones included, to compare with `checkVendors`. Null if any
   * row has no number, because the sums are not comparable then.
   */
  readonly transactionSum: string | null;
}

/** A converted row and its transaction number, which a skipped row can have too. */
export interface ListedRow {
  readonly listed: ListedVendor;
  readonly transactionId: string | null;
  /** Of a skipped row. */
  readonly digest?: string;
}

/** With more rows without a readable license number, the list as a whole is considered broken. */
const MAX_SKIPPED_SHARE = 0.05;

/** @param transactionMember the member of the row with its transaction number */
export function toListedRow(listed: ListedVendor, row: unknown, transactionMember: string): ListedRow {
  if (isSkip(listed)) {
    const transactionId = findTransactionId(findMember(toObject(row) ?? {}, transactionMember));
    return { listed, transactionId, digest: toRowDigest(row) };
  }
  return { listed, transactionId: (isPartlyRead(listed) ? listed.vendor : listed).transactionId };
}

/** @throws BiotrackError if the list is empty, or has too many rows without a license number */
export function toVendorList(rows: readonly ListedRow[], action: string): VendorList {
  if (rows.length === 0) throw new BiotrackError(ANSWERS.listMissing, { action });
  const vendors: Vendor[] = [];
  const partlyRead: PartlyReadVendor[] = [];
  const skips: Skip[] = [];
  const skippedDigests: string[] = [];
  let sum: bigint | null = 0n;
  for (const { listed, transactionId, digest } of rows) {
    if (isSkip(listed)) skips.push(listed);
    else if (isPartlyRead(listed)) partlyRead.push(listed);
    else vendors.push(listed);
    if (digest !== undefined) skippedDigests.push(digest);
    sum = sum === null || transactionId === null ? null : sum + BigInt(transactionId);
  }
  const isImplausible = skips.length > rows.length * MAX_SKIPPED_SHARE;
  if (isImplausible) throw new BiotrackError(ANSWERS.listImplausible, { action });
  const transactionSum = sum === null ? null : String(sum);
  return { vendors, partlyRead, skips, skippedDigests, fetched: rows.length, transactionSum };
}

function findTransactionId(value: unknown): string | null {
  try {
    return parseTransactionId(value);
  } catch {
    return null;
  }
}

/** Ignores the order of the members and whether a value is a number or text: both can differ between responses. */
function toRowDigest(row: unknown): string {
  const members = Object.entries(toObject(row) ?? { row })
    .map(([name, value]) => [name, typeof value === 'number' ? String(value) : value] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return hash('sha256', JSON.stringify(members), 'base64url').slice(0, 22);
}
