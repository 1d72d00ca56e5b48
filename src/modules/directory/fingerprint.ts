import { hash } from 'node:crypto';
import type { Vendor } from '../../domain/vendor.js';
import { MAPPING_VERSION } from '../../mapping/index.js';

/** So many rows are looked at before other requests get their turn. */
const ROWS_PER_TURN = 2_000;
const LANES = [0, 4, 8, 12] as const;

export interface FingerprintedList {
  readonly vendors: readonly Vendor[];
  /** Rows that were not taken count too: one that is legible again is news. */
  readonly fetched: number;
  readonly hasLabs: boolean;
}

/**
 * A fingerprint of a whole list that does not depend on its order: the sum of a digest of each row. The state gives a
 * new transaction number with every edit, so that a row is known by its license, its numbers and what is made of it by
 * other means than its own fields. Null if a row has no such number: then nothing can be concluded.
 */
export async function toFingerprint({ vendors, fetched, hasLabs }: FingerprintedList): Promise<string | null> {
  const sums = new Uint32Array(LANES.length);
  for (const [index, vendor] of vendors.entries()) {
    if (index % ROWS_PER_TURN === ROWS_PER_TURN - 1) await new Promise(setImmediate);
    if (vendor.transactionId === null) return null;
    const digest = hash('sha256', toRowText(vendor), 'buffer');
    for (const [lane, offset] of LANES.entries()) {
      sums[lane] = (sums[lane] as number) + digest.readUInt32LE(offset);
    }
  }
  return [MAPPING_VERSION, fetched, vendors.length, hasLabs, ...sums].join(':');
}

/** The type's name comes of the states file, the transporters of a list of their own. */
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
