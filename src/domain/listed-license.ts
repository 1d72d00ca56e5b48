import type { Vendor } from './vendor.js';

/**
 * A row of a state's directory: one license, listed once, with its identity and a digest of its content. Which of its rows
 * was edited last is decided: that number is not kept.
 */
export interface ListedLicense extends Omit<Vendor, 'transactionId'> {
  /** Never blank; unique within a directory. */
  readonly licenseKey: string;
  /** Null: the state names no vendor for this license. */
  readonly ubiKey: string | null;
  /** Equal for equal content (and mapping), different otherwise. */
  readonly contentHash: string;
}
