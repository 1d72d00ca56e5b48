import type { Skip, Vendor } from '../domain/vendor.js';
import { BiotrackError } from './errors.js';
import { parseTransactionId } from './row-values.js';
import { isSkip } from './to-listed-vendor.js';
import { TROUBLE_CLASSES } from './troubles.js';

/** A list that is believed: complete, valid, plausible. `fetched = vendors + skips`. */
export interface VendorList {
  readonly vendors: readonly Vendor[];
  readonly skips: readonly Skip[];
  readonly fetched: number;
  /**
   * The sum of all transaction numbers, skipped rows too, for comparison with `checkVendors`; null if any row has
   * none, so that nothing can be concluded.
   */
  readonly transactionSum: string | null;
}

/** A row as it is taken, or not, and its transaction number, which a row that is not taken may have too. */
export interface ListedRow {
  readonly listed: Vendor | Skip;
  readonly transactionId: string | null;
}

export interface ListFacts {
  readonly action: string;
  /** An empty list of laboratories is possible; an empty list of vendors is a fault of the state's. */
  readonly mayBeEmpty: boolean;
}

/** More invalid rows than this, and it is not the rows that are wrong. */
const MOST_INVALID = 0.05;

/** @param readTransactionId where the dialect has the number of a row that is not taken */
export function toListedRow(listed: Vendor | Skip, readTransactionId: () => unknown): ListedRow {
  return { listed, transactionId: isSkip(listed) ? tryTransactionId(readTransactionId) : listed.transactionId };
}

/** What the rows of a whole answer say, if they are to be believed. */
export function toVendorList(rows: readonly ListedRow[], { action, mayBeEmpty }: ListFacts): VendorList {
  if (rows.length === 0 && !mayBeEmpty) throw new BiotrackError(TROUBLE_CLASSES.listMissing, { action });
  const vendors: Vendor[] = [];
  const skips: Skip[] = [];
  let sum: bigint | null = 0n;
  for (const { listed, transactionId } of rows) {
    if (isSkip(listed)) skips.push(listed);
    else vendors.push(listed);
    sum = sum === null || transactionId === null ? null : sum + BigInt(transactionId);
  }
  const isImplausible = rows.length > 0 && (vendors.length === 0 || skips.length > rows.length * MOST_INVALID);
  if (isImplausible) throw new BiotrackError(TROUBLE_CLASSES.listImplausible, { action });
  return { vendors, skips, fetched: rows.length, transactionSum: sum === null ? null : String(sum) };
}

function tryTransactionId(readTransactionId: () => unknown): string | null {
  try {
    return parseTransactionId(readTransactionId());
  } catch {
    return null;
  }
}
