import type { Selectable } from 'kysely';
import type { Cell } from './bulk.js';
import type { CompanyLicenses } from './tables.js';

/**
 * What a state lists about a license: each field with its column and the column's type. `directory_licenses` and
 * `company_licenses` both have these columns. Everything below follows this list.
 */
const FIELDS = {
  licenseKey: ['license_key', 'text'],
  licenseNumber: ['license_number', 'text'],
  ubi: ['ubi', 'text'],
  ubiKey: ['ubi_key', 'text'],
  name: ['name', 'text'],
  licenseType: ['license_type', 'text'],
  licenseTypeRaw: ['license_type_raw', 'text'],
  activities: ['activities', 'text[]'],
  isLab: ['is_lab', 'boolean'],
  transactionIdOriginal: ['transaction_id_original', 'text'],
  contentHash: ['content_hash', 'text'],
} as const;

const ADDRESS_FIELDS = {
  line1: ['address_line1', 'text'],
  line2: ['address_line2', 'text'],
  city: ['city', 'text'],
  state: ['address_state', 'text'],
  zip: ['zip', 'text'],
} as const;

type Row = Selectable<CompanyLicenses>;
type FieldName = keyof typeof FIELDS;
type AddressName = keyof typeof ADDRESS_FIELDS;
type ColumnName = (typeof FIELDS)[FieldName][0] | (typeof ADDRESS_FIELDS)[AddressName][0];

/** The listed fields as the service uses them. */
export type Listing<Activity extends string> = {
  readonly [F in Exclude<FieldName, 'activities'>]: Row[(typeof FIELDS)[F][0]];
} & {
  readonly activities: readonly Activity[];
  readonly address: { readonly [F in AddressName]: Row[(typeof ADDRESS_FIELDS)[F][0]] };
};

type Field<Name> = readonly [Name, ColumnName];
const toFields = <Name extends string>(fields: Readonly<Record<Name, readonly [ColumnName, string]>>): Field<Name>[] =>
  (Object.keys(fields) as Name[]).map((name) => [name, fields[name][0]]);
const fieldList = toFields<FieldName>(FIELDS);
const addressFieldList = toFields<AddressName>(ADDRESS_FIELDS);

export const LISTING_COLUMNS = Object.fromEntries([
  ...Object.values(FIELDS),
  ...Object.values(ADDRESS_FIELDS),
]) as Readonly<Record<ColumnName, string>>;

export const LISTING_COLUMN_NAMES = Object.keys(LISTING_COLUMNS) as ColumnName[];

/** In the order of `LISTING_COLUMNS`. */
export function toListingCells(license: Listing<string>): Cell[] {
  const cells: Cell[] = [];
  for (const [name] of fieldList) cells.push(license[name]);
  for (const [name] of addressFieldList) cells.push(license.address[name]);
  return cells;
}

/**
 * Written out, because a loop over the fields takes three times as long and a sync converts up to 100,000 rows. The table
 * holds only activities of the closed list: every writer takes them from there.
 */
export const fromListingRow = <Activity extends string>(row: Pick<Row, ColumnName>): Listing<Activity> => ({
  licenseKey: row.license_key,
  licenseNumber: row.license_number,
  ubi: row.ubi,
  ubiKey: row.ubi_key,
  name: row.name,
  licenseType: row.license_type,
  licenseTypeRaw: row.license_type_raw,
  activities: row.activities as Activity[],
  isLab: row.is_lab,
  transactionIdOriginal: row.transaction_id_original,
  contentHash: row.content_hash,
  address: {
    line1: row.address_line1,
    line2: row.address_line2,
    city: row.city,
    state: row.address_state,
    zip: row.zip,
  },
});

/** For a select list in SQL: the columns of these fields, each named like its field; an address is not nested. */
export const toListingSelect = (names: readonly (FieldName | 'address')[]): string =>
  names
    .flatMap((name): readonly (readonly [string, ColumnName])[] =>
      name === 'address' ? addressFieldList : [[name, FIELDS[name][0]] as const],
    )
    .map(([name, column]) => `${column} as "${name}"`)
    .join(', ');
