/** What a license allows according to BioTrack's flags. Lists of activities are sorted and without duplicates. */
export const ACTIVITIES = ['producer', 'processor', 'retail', 'medical', 'transporter', 'lab'] as const;
export type Activity = (typeof ACTIVITIES)[number];

/** A site's address. Null if BioTrack has no value. `zip` is text because leading zeros are significant. */
export interface PostalAddress {
  readonly line1: string | null;
  readonly line2: string | null;
  readonly city: string | null;
  readonly state: string | null;
  readonly zip: string | null;
}

/**
 * One row of a state's vendor list: a vendor at one licensed site. A vendor with several licenses has several rows that
 * share only the UBI. Created only by `biotrack/`, from either API dialect.
 */
export interface Vendor {
  /** Never blank. As spelled by the state; compare with `toLicenseKey`. */
  readonly licenseNumber: string;
  /** As spelled by the state, null when blank; compare with `toUbiKey`. */
  readonly ubi: string | null;
  /** The trade name of the site. Not unique, not even among vendors. */
  readonly name: string | null;
  /** What `licenseTypeRaw` means in this state. Null if the states file does not define the code. */
  readonly licenseType: string | null;
  readonly licenseTypeRaw: string | null;
  readonly activities: readonly Activity[];
  readonly address: PostalAddress;
  /** Whether the state flags this license as deleted. Some states drop deleted licenses from the list instead. */
  readonly isDeleted: boolean;
  /** Whether the row is from the state's list of laboratories. */
  readonly isLab: boolean;
  /** State-wide number of the last edit: decimal digits of any length without leading zeros. Null if unknown. */
  readonly transactionId: string | null;
  /** State-wide number of the row's creation, in the same format. Older licenses have lower numbers. */
  readonly transactionIdOriginal: string | null;
}

/** Why a row of the state's list was skipped. */
export const SKIP_REASONS = ['not_an_object', 'blank_license_number', 'invalid_text', 'invalid_value'] as const;
export type SkipReason = (typeof SKIP_REASONS)[number];

/**
 * A skipped row of the state's list, with the values that could be read. A row is skipped if it has no readable license
 * number, or if nothing is known of its license yet and its UBI or its deleted flag cannot be read.
 */
export interface Skip {
  readonly reason: SkipReason;
  readonly licenseNumber: string | null;
  readonly ubi: string | null;
  readonly name: string | null;
}

/** The fields of a row besides its license number. Activities are single flags. */
export const ROW_FIELDS = [
  'ubi',
  'name',
  'license_type',
  'producer',
  'processor',
  'retail',
  'medical',
  'transporter',
  'address',
  'deleted',
  'transaction_id',
  'transaction_id_original',
] as const;
export type RowField = (typeof ROW_FIELDS)[number];

export interface UnreadableValue {
  readonly field: RowField;
  readonly reason: Extract<SkipReason, 'invalid_text' | 'invalid_value'>;
}

/** A row with a license number of which other fields cannot be read. In `vendor`, these are null, false or absent. */
export interface PartlyReadVendor {
  readonly vendor: Vendor;
  /** Never empty. */
  readonly unreadable: readonly UnreadableValue[];
}
