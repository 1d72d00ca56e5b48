import type { Profile } from './profiles.js';
import { Random } from './random.js';
import type { LabRow, SimulatedLicense, TransporterRow } from './row.js';

/** A row as `"key":value` texts, because the key order differs in each response. */
export type WireRow = readonly string[];

/**
 * Writes rows. BioTrack sends ids and flags as numbers, numeric strings, null, or not at all (observed). The shape seed
 * decides the shape of each field of each row; it does not change the values.
 */
export class RowWriter {
  readonly #profile: Profile;
  readonly #shapeSeed: number;
  /** Rows are never modified, so their texts can be cached. */
  readonly #written = new WeakMap<object, WireRow>();
  /** Flags and cities repeat in many rows. Sharing their texts saves memory in lists of 100,000 rows. */
  readonly #shared = new Map<string, string>();

  constructor(profile: Profile, shapeSeed: number) {
    this.#profile = profile;
    this.#shapeSeed = shapeSeed;
  }

  license(row: SimulatedLicense): WireRow {
    return this.#cached(row, () =>
      this.#profile.dialect === 'rest' ? this.#restLicense(row) : this.#api4License(row),
    );
  }

  /** `ubi` can be absent (observed). */
  lab(lab: LabRow): WireRow {
    return this.#cached(lab, () =>
      withRaw(this.#profile.dialect === 'rest' ? restLab(lab) : this.#lab(lab, 'location'), lab.raw),
    );
  }

  transporter(transporter: TransporterRow, key: 'location' | 'license_number'): WireRow {
    const fields = [...this.#lab(transporter, key), `"deleted":${transporter.deleted ? 1 : 0}`];
    return withRaw(fields, transporter.raw);
  }

  #lab(lab: LabRow, key: string): WireRow {
    const random = Random.of(this.#shapeSeed, 'lab', lab.location);
    return present([
      identifier(key, lab.location, random),
      lab.ubi === null ? undefined : identifier('ubi', lab.ubi, random),
      text('name', lab.name),
      text('address1', lab.address1),
      text('city', lab.city),
      text('state', lab.state),
      text('zip', lab.zip),
      number('transactionid', lab.transactionId, random),
      number('transactionid_original', lab.transactionIdOriginal, random),
    ]);
  }

  #api4License(row: SimulatedLicense): WireRow {
    const random = Random.of(this.#shapeSeed, row.id);
    const isInactive = row.flagsDropped || (row.deleted && !this.#profile.hasDeletedField);
    const fields: (string | undefined)[] = [
      row.ubi === null ? this.#absent('ubi', random) : identifier('ubi', row.ubi, random),
      identifier('location', row.location, random),
      this.#textOrBlank('name', row.name, random),
      row.locationType === null || isInactive
        ? this.#share('"locationtype":null')
        : this.#share(number('locationtype', row.locationType, random)),
      this.#textOrBlank('address1', row.address1, random),
      this.#textOrBlank('address2', row.address2, random),
      row.city === null ? this.#blank('city', random) : this.#share(text('city', row.city)),
      row.state === null ? this.#blank('state', random) : this.#share(text('state', row.state)),
      row.zip === null ? this.#blank('zip', random) : identifier('zip', row.zip, random),
      this.#flag('producer', isInactive ? null : row.producer, random),
      this.#flag('processor', isInactive ? null : row.processor, random),
      this.#flag('retail', isInactive ? null : row.retail, random),
      this.#flag('medical', isInactive ? null : row.medical, random),
      this.#profile.hasDeletedField ? this.#deleted(row.deleted, random) : undefined,
      number('transactionid', row.transactionId, random),
      number('transactionid_original', row.transactionIdOriginal, random),
    ];
    return withRaw(present(fields), row.raw);
  }

  /** Unknown values are the zero value of their type. */
  #restLicense(row: SimulatedLicense): WireRow {
    const isInactive = row.flagsDropped;
    const fields = [
      `"ID":${row.id}`,
      text('Name', row.name ?? ''),
      text('UBI', row.ubi ?? ''),
      text('LocationLicense', row.location),
      text('Address', row.address1 ?? ''),
      text('Address2', row.address2 ?? ''),
      this.#share(text('City', row.city ?? '')),
      this.#share(text('State', row.state ?? '')),
      text('Zip', row.zip ?? ''),
      text('Phone', row.phone ?? ''),
      this.#share(`"Type":${isInactive ? 0 : (row.locationType ?? 0)}`),
      this.#share(`"Producer":${row.producer && !isInactive}`),
      this.#share(`"Processor":${row.processor && !isInactive}`),
      this.#share(`"Retail":${row.retail && !isInactive}`),
      '"Transporter":false',
      this.#share(`"Deleted":${row.deleted}`),
      '"LegacyComplyDate":null',
      `"TransactionID":${row.transactionId}`,
    ];
    return withRaw(fields, row.raw);
  }

  /** Null or no key. Blank texts are added by dirty-rows.ts. */
  #absent(key: string, random: Random): string | undefined {
    return random.chance(0.5) ? this.#share(`"${key}":null`) : undefined;
  }

  /** An empty text, null, or no key. */
  #blank(key: string, random: Random): string | undefined {
    const shape = random.below(4);
    if (shape === 0) return undefined;
    return this.#share(shape === 1 ? `"${key}":null` : `"${key}":""`);
  }

  #textOrBlank(key: string, value: string | null, random: Random): string | undefined {
    return value === null ? this.#blank(key, random) : text(key, value);
  }

  #flag(key: string, value: boolean | null, random: Random): string | undefined {
    const { flagStyle } = this.#profile;
    if (value === null) return this.#share(`"${key}":null`);
    if (flagStyle === 'integer') return this.#share(`"${key}":${value ? 1 : 0}`);
    if (value) return this.#share(number(key, 1, random));
    if (flagStyle === 'null') return this.#share(`"${key}":null`);
    const shape = random.below(8);
    if (shape === 0) return undefined;
    return this.#share(shape === 1 ? `"${key}":null` : number(key, 0, random));
  }

  #deleted(value: boolean, random: Random): string {
    const bit = value ? 1 : 0;
    return this.#share(this.#profile.flagStyle === 'integer' ? `"deleted":${bit}` : number('deleted', bit, random));
  }

  #share(fragment: string): string {
    const known = this.#shared.get(fragment);
    if (known !== undefined) return known;
    this.#shared.set(fragment, fragment);
    return fragment;
  }

  #cached(row: object, write: () => WireRow): WireRow {
    const known = this.#written.get(row);
    if (known !== undefined) return known;
    const written = write();
    this.#written.set(row, written);
    return written;
  }
}

const restLab = (lab: LabRow): WireRow => [
  text('LicenseNumber', lab.location),
  text('Name', lab.name),
  text('Address', lab.address1),
  text('City', lab.city),
  text('State', lab.state),
  text('Zip', lab.zip),
  '"Deleted":false',
  `"TransactionID":${lab.transactionId}`,
];

const text = (key: string, value: string): string => `"${key}":${JSON.stringify(value)}`;

/** Text, or sometimes a number if that loses no digits. */
const identifier = (key: string, value: string, random: Random): string =>
  random.chance(0.03) && /^[1-9]\d{0,14}$/.test(value) ? `"${key}":${value}` : text(key, value);

const number = (key: string, value: number, random: Random): string =>
  random.chance(0.5) ? `"${key}":${value}` : `"${key}":"${value}"`;

const present = (fields: readonly (string | undefined)[]): WireRow =>
  fields.filter((field): field is string => field !== undefined);

/** Applies the fields of the `setField` command. */
const withRaw = (fields: WireRow, raw: SimulatedLicense['raw']): WireRow => {
  if (raw === undefined) return fields;
  const replaced = Object.keys(raw).map((key) => `${JSON.stringify(key)}:`);
  const kept = fields.filter((field) => !replaced.some((start) => field.startsWith(start)));
  const added = Object.entries(raw).flatMap(([key, value]) =>
    value === null ? [] : [`${JSON.stringify(key)}:${value}`],
  );
  return [...kept, ...added];
};
