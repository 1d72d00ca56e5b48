import type { Profile } from './profiles.js';
import { Random } from './random.js';
import type { LabRow, SimulatedLicense, TransporterRow } from './row.js';

/**
 * A row is a list of `"key":value` texts rather than one text, because the key order is drawn anew for every answer.
 */
export type WireRow = readonly string[];

/**
 * Writes rows. BioTrack facts: ids and flags arrive as numbers, numeric strings, null, or not at all. Which shape a
 * field has is drawn per row from the shape seed: another shape seed writes the same meaning in other shapes.
 */
export class RowWriter {
  readonly #profile: Profile;
  readonly #shapeSeed: number;
  /** Rows are never changed in place, so a row's text holds for as long as the row does. */
  readonly #written = new WeakMap<object, WireRow>();
  /** Flags and cities repeat in every row; one shared text each keeps 100,000 rows small. */
  readonly #shared = new Map<string, string>();

  constructor(profile: Profile, shapeSeed: number) {
    this.#profile = profile;
    this.#shapeSeed = shapeSeed;
  }

  license(row: SimulatedLicense): WireRow {
    return this.#once(row, () => (this.#profile.dialect === 'rest' ? this.#restLicense(row) : this.#api4License(row)));
  }

  /** BioTrack facts: a laboratory's `ubi` is sometimes absent. */
  lab(lab: LabRow): WireRow {
    return this.#once(lab, () => {
      const random = Random.of(this.#shapeSeed, 'lab', lab.location);
      return present([
        identifier('location', lab.location, random),
        lab.ubi === null ? undefined : identifier('ubi', lab.ubi, random),
        text('name', lab.name),
        text('address1', lab.address1),
        text('city', lab.city),
        text('state', lab.state),
        text('zip', lab.zip),
        number('transactionid', lab.transactionId, random),
        number('transactionid_original', lab.transactionIdOriginal, random),
      ]);
    });
  }

  transporter(transporter: TransporterRow): WireRow {
    return [...this.lab(transporter), `"deleted":${transporter.deleted ? 1 : 0}`];
  }

  #api4License(row: SimulatedLicense): WireRow {
    const random = Random.of(this.#shapeSeed, row.id);
    const isDead = row.flagsDropped || (row.deleted && !this.#profile.hasDeletedField);
    const fields: (string | undefined)[] = [
      row.ubi === null ? this.#absent('ubi', random) : identifier('ubi', row.ubi, random),
      identifier('location', row.location, random),
      this.#textOrBlank('name', row.name, random),
      row.locationType === null || isDead
        ? this.#share('"locationtype":null')
        : this.#share(number('locationtype', row.locationType, random)),
      this.#textOrBlank('address1', row.address1, random),
      this.#textOrBlank('address2', row.address2, random),
      row.city === null ? this.#blank('city', random) : this.#share(text('city', row.city)),
      row.state === null ? this.#blank('state', random) : this.#share(text('state', row.state)),
      row.zip === null ? this.#blank('zip', random) : identifier('zip', row.zip, random),
      this.#flag('producer', isDead ? null : row.producer, random),
      this.#flag('processor', isDead ? null : row.processor, random),
      this.#flag('retail', isDead ? null : row.retail, random),
      this.#flag('medical', isDead ? null : row.medical, random),
      this.#profile.hasDeletedField ? this.#deleted(row.deleted, random) : undefined,
      number('transactionid', row.transactionId, random),
      number('transactionid_original', row.transactionIdOriginal, random),
    ];
    return withRaw(present(fields), row.raw);
  }

  /** The `rest` dialect writes plain types; what it does not know is its type's zero. */
  #restLicense(row: SimulatedLicense): WireRow {
    const isDead = row.flagsDropped;
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
      this.#share(`"Type":${isDead ? 0 : (row.locationType ?? 0)}`),
      this.#share(`"Producer":${row.producer && !isDead}`),
      this.#share(`"Processor":${row.processor && !isDead}`),
      this.#share(`"Retail":${row.retail && !isDead}`),
      '"Transporter":false',
      this.#share(`"Deleted":${row.deleted}`),
      '"LegacyComplyDate":null',
      `"TransactionID":${row.transactionId}`,
    ];
    return withRaw(fields, row.raw);
  }

  /** A missing UBI is null or no such key; blank texts come as dirty rows of their own. */
  #absent(key: string, random: Random): string | undefined {
    return random.chance(0.5) ? this.#share(`"${key}":null`) : undefined;
  }

  /** Nothing to say: an empty text, null, or no such key. */
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

  #once(row: object, write: () => WireRow): WireRow {
    const known = this.#written.get(row);
    if (known !== undefined) return known;
    const written = write();
    this.#written.set(row, written);
    return written;
  }
}

const text = (key: string, value: string): string => `"${key}":${JSON.stringify(value)}`;

/** An identifier is opaque text; a plain number now and then, where that loses nothing. */
const identifier = (key: string, value: string, random: Random): string =>
  random.chance(0.03) && /^[1-9]\d{0,14}$/.test(value) ? `"${key}":${value}` : text(key, value);

const number = (key: string, value: number, random: Random): string =>
  random.chance(0.5) ? `"${key}":${value}` : `"${key}":"${value}"`;

const present = (fields: readonly (string | undefined)[]): WireRow =>
  fields.filter((field): field is string => field !== undefined);

/** The `setField` command overrules everything else: the field goes out as told, or not at all. */
const withRaw = (fields: WireRow, raw: SimulatedLicense['raw']): WireRow => {
  if (raw === undefined) return fields;
  const overruled = Object.keys(raw).map((key) => `${JSON.stringify(key)}:`);
  const kept = fields.filter((field) => !overruled.some((start) => field.startsWith(start)));
  const told = Object.entries(raw).flatMap(([key, value]) =>
    value === null ? [] : [`${JSON.stringify(key)}:${value}`],
  );
  return [...kept, ...told];
};
