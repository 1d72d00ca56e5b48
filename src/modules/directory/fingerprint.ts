import { hash } from 'node:crypto';
import type { Vendor } from '../../domain/vendor.js';
import { MAPPING_VERSION } from '../../mapping/index.js';

/** Rows to hash before yielding to the event loop. */
const ROWS_PER_SLICE = 2_000;
const LANES = [0, 4, 8, 12] as const;

export interface FingerprintedList {
  readonly vendors: readonly Vendor[];
  /** Includes skipped rows, so that a row that becomes readable changes the fingerprint. */
  readonly fetched: number;
  readonly hasLabs: boolean;
}

/**
 * An order-independent fingerprint of a list: the sum of a digest per row. The state assigns a new transaction number with
 * every edit, so the digest covers the license, these numbers, and only the fields that come from other sources than the row.
 * Null if any row lacks a transaction number.
 */
export async function toFingerprint({ vendors, fetched, hasLabs }: FingerprintedList): Promise<string | null> {
  const sums = new Uint32Array(LANES.length);
  for (const [index, vendor] of vendors.entries()) {
    if (index % ROWS_PER_SLICE === ROWS_PER_SLICE - 1) await new Promise(setImmediate);
    if (vendor.transactionId === null) return null;
    const digest = hash('sha256', toRowText(vendor), 'buffer');
    for (const [lane, offset] of LANES.entries()) {
      sums[lane] = (sums[lane] as number) + digest.readUInt32LE(offset);
    }
  }
  return [MAPPING_VERSION, fetched, vendors.length, hasLabs, ...sums].join(':');
}

/** The license type name comes from the states file, the activity `transporter` from a separate list. */
const toRowText = ({
  licenseNumber,
  ubi,
  transactionId,
  transactionIdOriginal,
  licenseType,
  activities,
  isDeleted,
  isLab,
}: Vendor): string =>
  `${licenseNumber}\0${ubi}\0${transactionId}\0${transactionIdOriginal}\0${licenseType}\0${activities}\0${isDeleted}\0${isLab}`;
