import { MAPPING_VERSION } from '../../mapping/index.js';
import type { StateList } from './fetch-list.js';
import type { Directory } from './repository.js';

/** How long an equal checksum or fingerprint is trusted without comparing the list itself. */
export const TRUSTED_SECONDS = 24 * 60 * 60;

/**
 * The checksum to store with a list: the state's `sync_check` sum, if the list itself has the same sum. A state can sum
 * rows that it does not list (its list then holds "active entries" only, while the sum covers the whole table), and such
 * a sum proves nothing. Null also while anything could not be read, so that it is read again.
 * @param sum as returned right before the list was read
 */
export function toChecksum({ transactionSum, partlyRead, notRead }: StateList, sum: string | undefined): string | null {
  const isComplete = partlyRead.length === 0 && notRead.length === 0;
  const isProven = sum !== undefined && sum === transactionSum && isComplete;
  return isProven ? toVersioned(sum) : null;
}

/**
 * Whether the state's sum is the one with which the published list was read. Trusted for a day only: sums can collide,
 * and only a complete list shows which licenses disappeared.
 */
export const isUnchanged = ({ checksum, fullyReadAgeSeconds }: Directory, sum: string | undefined): boolean =>
  sum !== undefined &&
  toVersioned(sum) === checksum &&
  fullyReadAgeSeconds !== null &&
  fullyReadAgeSeconds <= TRUSTED_SECONDS;

/** A new mapping derives other content from the same rows, so it needs a complete list. */
const toVersioned = (sum: string): string => `${MAPPING_VERSION}:${sum}`;
