import type { Vendor } from './vendor.js';

/**
 * A license in a state's directory, with its identity and a digest of its content. `transactionId` is omitted: it only
 * selects among duplicate rows, which are resolved by now.
 */
export interface ListedLicense extends Omit<Vendor, 'transactionId'> {
  /** Never blank; unique within a directory. */
  readonly licenseKey: string;
  /** Null if the state lists no vendor for this license. */
  readonly ubiKey: string | null;
  /** The UBI that the state listed last, if it lists none now. Only the directory knows it. */
  readonly lastUbi: { readonly ubi: string; readonly ubiKey: string } | null;
  /** Equal only for equal content and the same `MAPPING_VERSION`. */
  readonly contentHash: string;
}
