import type { Selectable } from 'kysely';
import type { Cell, Columns } from './bulk.js';
import type { CompanyLicenses } from './tables.js';

/** What the state says of a license: columns that the directory and each tenant's licenses have alike. */
export const LISTING_COLUMNS = {
  license_key: 'text',
  license_number: 'text',
  ubi: 'text',
  ubi_key: 'text',
  name: 'text',
  license_type: 'text',
  license_type_raw: 'text',
  activities: 'text[]',
  address_line1: 'text',
  address_line2: 'text',
  city: 'text',
  address_state: 'text',
  zip: 'text',
  is_lab: 'boolean',
  transaction_id_original: 'text',
  content_hash: 'text',
} as const satisfies Columns;

type ColumnName = keyof typeof LISTING_COLUMNS;

export const LISTING_COLUMN_NAMES = Object.keys(LISTING_COLUMNS) as ColumnName[];

/** The same, as everything above the database knows it. */
export interface Listing<Activity extends string> {
  readonly licenseKey: string;
  readonly licenseNumber: string;
  readonly ubi: string | null;
  readonly ubiKey: string | null;
  readonly name: string | null;
  readonly licenseType: string | null;
  readonly licenseTypeRaw: string | null;
  readonly activities: readonly Activity[];
  readonly address: {
    readonly line1: string | null;
    readonly line2: string | null;
    readonly city: string | null;
    readonly state: string | null;
    readonly zip: string | null;
  };
  readonly isLab: boolean;
  readonly transactionIdOriginal: string | null;
  readonly contentHash: string;
}

/** In the order of the columns. */
export const toListingCells = (license: Listing<string>): Cell[] => [
  license.licenseKey,
  license.licenseNumber,
  license.ubi,
  license.ubiKey,
  license.name,
  license.licenseType,
  license.licenseTypeRaw,
  license.activities,
  license.address.line1,
  license.address.line2,
  license.address.city,
  license.address.state,
  license.address.zip,
  license.isLab,
  license.transactionIdOriginal,
  license.contentHash,
];

type ListingRow = Pick<Selectable<CompanyLicenses>, ColumnName>;

export const fromListingRow = <Activity extends string>(row: ListingRow): Listing<Activity> => ({
  licenseKey: row.license_key,
  licenseNumber: row.license_number,
  ubi: row.ubi,
  ubiKey: row.ubi_key,
  name: row.name,
  licenseType: row.license_type,
  licenseTypeRaw: row.license_type_raw,
  // The one list that is stored, and only what was taken from the closed list is.
  activities: row.activities as Activity[],
  address: {
    line1: row.address_line1,
    line2: row.address_line2,
    city: row.city,
    state: row.address_state,
    zip: row.zip,
  },
  isLab: row.is_lab,
  transactionIdOriginal: row.transaction_id_original,
  contentHash: row.content_hash,
});
