import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Skip, Vendor } from '../domain/vendor.js';
import { BiotrackError } from './errors.js';
import { toTransactionId } from './row-values.js';
import { isSkip } from './to-listed-vendor.js';
import { TROUBLES } from './troubles.js';

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

export interface ListReader {
  readonly action: string;
  /** An empty list of laboratories is possible; an empty list of vendors is a fault of the state's. */
  readonly mayBeEmpty: boolean;
  toVendor(row: unknown): Vendor | Skip;
  readTransactionId(row: unknown): unknown;
}

/** More invalid rows than this, and it is not the rows that are wrong. */
const MOST_INVALID = 0.05;
/** So many rows are converted before other requests get their turn. */
const ROWS_PER_TURN = 1_000;

/** What the rows of a whole answer say, if they are to be believed. */
export async function toVendorList(rows: readonly unknown[], reader: ListReader): Promise<VendorList> {
  const { action } = reader;
  if (rows.length === 0 && !reader.mayBeEmpty) throw new BiotrackError(TROUBLES.listMissing, { action });
  const vendors: Vendor[] = [];
  const skips: Skip[] = [];
  let sum: bigint | null = 0n;
  for (const [index, row] of rows.entries()) {
    if (index % ROWS_PER_TURN === ROWS_PER_TURN - 1) await nextTurn();
    const listed = reader.toVendor(row);
    if (isSkip(listed)) skips.push(listed);
    else vendors.push(listed);
    const transactionId: string | null = isSkip(listed) ? tryTransactionId(reader, row) : listed.transactionId;
    sum = sum === null || transactionId === null ? null : sum + BigInt(transactionId);
  }
  const isImplausible = rows.length > 0 && (vendors.length === 0 || skips.length > rows.length * MOST_INVALID);
  if (isImplausible) throw new BiotrackError(TROUBLES.listImplausible, { action });
  return { vendors, skips, fetched: rows.length, transactionSum: sum === null ? null : String(sum) };
}

function tryTransactionId(reader: ListReader, row: unknown): string | null {
  try {
    return toTransactionId(reader.readTransactionId(row));
  } catch {
    return null;
  }
}
