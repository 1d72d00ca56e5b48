import type { PartlyReadVendor, Skip, Vendor } from '../domain/vendor.js';
import { ANSWERS } from './answers.js';
import { BiotrackError } from './errors.js';
import { parseTransactionId } from './row-values.js';
import { isPartlyRead, isSkip, type ListedVendor } from './to-listed-vendor.js';

/** A complete, valid and plausible list. `fetched` is the number of vendors, partly read vendors and skips. */
export interface VendorList {
  readonly vendors: readonly Vendor[];
  readonly partlyRead: readonly PartlyReadVendor[];
  /** Rows without a readable license number. */
  readonly skips: readonly Skip[];
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
}

/** With more rows without a readable license number, the list as a whole is considered broken. */
const MAX_SKIPPED_SHARE = 0.05;

/** @param getTransactionId reads the number of a skipped row from the wire */
export function toListedRow(listed: ListedVendor, getTransactionId: () => unknown): ListedRow {
  if (isSkip(listed)) return { listed, transactionId: findTransactionId(getTransactionId) };
  return { listed, transactionId: (isPartlyRead(listed) ? listed.vendor : listed).transactionId };
}

/** @throws BiotrackError if the list is empty, or has too many rows without a license number */
export function toVendorList(rows: readonly ListedRow[], action: string): VendorList {
  if (rows.length === 0) throw new BiotrackError(ANSWERS.listMissing, { action });
  const vendors: Vendor[] = [];
  const partlyRead: PartlyReadVendor[] = [];
  const skips: Skip[] = [];
  let sum: bigint | null = 0n;
  for (const { listed, transactionId } of rows) {
    if (isSkip(listed)) skips.push(listed);
    else if (isPartlyRead(listed)) partlyRead.push(listed);
    else vendors.push(listed);
    sum = sum === null || transactionId === null ? null : sum + BigInt(transactionId);
  }
  const isImplausible = skips.length > rows.length * MAX_SKIPPED_SHARE;
  if (isImplausible) throw new BiotrackError(ANSWERS.listImplausible, { action });
  return { vendors, partlyRead, skips, fetched: rows.length, transactionSum: sum === null ? null : String(sum) };
}

function findTransactionId(getTransactionId: () => unknown): string | null {
  try {
    return parseTransactionId(getTransactionId());
  } catch {
    return null;
  }
}
