/** What a license allows, as far as BioTrack's flags say so; sorted, without repetition. */
export const ACTIVITIES = ['producer', 'processor', 'retail', 'medical', 'transporter', 'lab'] as const;
export type Activity = (typeof ACTIVITIES)[number];

/** A site's address; null is "BioTrack does not say". `zip` is text: leading zeros count. */
export interface PostalAddress {
  readonly line1: string | null;
  readonly line2: string | null;
  readonly city: string | null;
  readonly state: string | null;
  readonly zip: string | null;
}

/**
 * One row of a state's vendor list: a vendor at one licensed site. A vendor with several licenses has several rows,
 * tied together by the UBI alone. Made only by `biotrack/` out of what the state sent; nothing of the wire is left in it.
 */
export interface Vendor {
  /** Never blank. As the state writes it; its identity is `toLicenseKey(licenseNumber)`. */
  readonly licenseNumber: string;
  /** As the state writes it; null when blank. Its identity is `toUbiKey(ubi)`. */
  readonly ubi: string | null;
  /** The trade name of the site. It repeats across sites and across vendors, and identifies nobody. */
  readonly name: string | null;
  /** What `licenseTypeRaw` means in this state; null for a code that the states file does not know. */
  readonly licenseType: string | null;
  readonly licenseTypeRaw: string | null;
  readonly activities: readonly Activity[];
  readonly address: PostalAddress;
  /** The state flags this license as deleted. Absent in some states, where it simply vanishes from the list. */
  readonly isDeleted: boolean;
  /** From the state's list of laboratories, not from its vendor list. */
  readonly isLab: boolean;
  /** State-wide number of the last edit: decimal digits without leading zeros, of any length; null when unknown. */
  readonly transactionId: string | null;
  /** Likewise, at the row's creation: the older license has the lower number. */
  readonly transactionIdOriginal: string | null;
}

/** Why a row of the state's list was not taken. */
export const SKIP_REASONS = ['not_an_object', 'blank_license_number', 'invalid_text', 'invalid_value'] as const;
export type SkipReason = (typeof SKIP_REASONS)[number];

/** A row of the state's list that was not taken, with what can be told of it. */
export interface Skip {
  readonly reason: SkipReason;
  readonly licenseNumber: string | null;
  readonly ubi: string | null;
  readonly name: string | null;
}
