import type { Skip, Vendor } from '../domain/vendor.js';
import { ANSWERS } from './answers.js';
import { BiotrackError } from './errors.js';
import { parseTransactionId } from './row-values.js';
import { isSkip } from './to-listed-vendor.js';

/** A complete, valid and plausible list. `fetched` is the number of vendors and skips. */
export interface VendorList {
  readonly vendors: readonly Vendor[];
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
  readonly listed: Vendor | Skip;
  readonly transactionId: string | null;
}

export interface ListRules {
  readonly action: string;
  /** True for laboratories and transporters. An empty list of vendors is an error of the state. */
  readonly mayBeEmpty: boolean;
}

/** With more invalid rows, the list as a whole is considered broken. */
const MAX_INVALID_SHARE = 0.05;

/** @param getTransactionId reads the number of a skipped row from the wire */
export function toListedRow(listed: Vendor | Skip, getTransactionId: () => unknown): ListedRow {
  return { listed, transactionId: isSkip(listed) ? findTransactionId(getTransactionId) : listed.transactionId };
}

/** @throws BiotrackError if the list is empty although it must not be, or has too many invalid rows */
export function toVendorList(rows: readonly ListedRow[], { action, mayBeEmpty }: ListRules): VendorList {
  if (rows.length === 0 && !mayBeEmpty) throw new BiotrackError(ANSWERS.listMissing, { action });
  const vendors: Vendor[] = [];
  const skips: Skip[] = [];
  let sum: bigint | null = 0n;
  for (const { listed, transactionId } of rows) {
    if (isSkip(listed)) skips.push(listed);
    else vendors.push(listed);
    sum = sum === null || transactionId === null ? null : sum + BigInt(transactionId);
  }
  const isImplausible = rows.length > 0 && (vendors.length === 0 || skips.length > rows.length * MAX_INVALID_SHARE);
  if (isImplausible) throw new BiotrackError(ANSWERS.listImplausible, { action });
  return { vendors, skips, fetched: rows.length, transactionSum: sum === null ? null : String(sum) };
}

function findTransactionId(getTransactionId: () => unknown): string | null {
  try {
    return parseTransactionId(getTransactionId());
  } catch {
    return null;
  }
}
