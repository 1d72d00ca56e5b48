import { CommandRefused } from './command-refused.js';
import type { GeneratedData } from './generate.js';
import type { Random } from './random.js';
import type { LabRow, RowValue, SimulatedLicense, TransporterRow } from './row.js';

/** One of the state's two data sets, production or training, and how it moves. Every edit gets the next transaction. */
export class DataSet {
  readonly labs: readonly LabRow[];
  readonly transporters: readonly TransporterRow[];
  readonly #random: Random;
  readonly #rows: SimulatedLicense[];
  readonly #places = new Map<string, number[]>();
  readonly #elements: string[] = [];
  #lastTransactionId: number;
  #version = 0;
  #list: readonly SimulatedLicense[] | undefined;

  constructor(data: GeneratedData, random: Random) {
    this.labs = data.labs;
    this.transporters = data.transporters;
    this.#rows = [...data.rows];
    this.#random = random;
    this.#lastTransactionId = data.lastTransactionId;
    for (const [place, row] of this.#rows.entries()) this.#index(row.location, place);
  }

  /** Goes up with every change: what was built from an older version is stale. */
  get version(): number {
    return this.#version;
  }

  get lastTransactionId(): number {
    return this.#lastTransactionId;
  }

  /** The rows that the state still lists, in order of birth. Never changed in place. */
  get list(): readonly SimulatedLicense[] {
    this.#list ??= this.#rows.filter((row) => !row.vanished);
    return this.#list;
  }

  /** JSON texts that stand in the list as they are, after its rows. */
  get elements(): readonly string[] {
    return this.#elements;
  }

  hasUbi(ubi: string): boolean {
    return this.#rows.some((row) => row.ubi === ubi);
  }

  hasLicense(location: string): boolean {
    return this.#places.has(location);
  }

  get(location: string): SimulatedLicense {
    const row = this.#rows[this.#placesOf(location)[0] ?? 0];
    if (row === undefined) throw new CommandRefused(`there is no license ${JSON.stringify(location)}`);
    return row;
  }

  /** Changes the first row of this license, under the next transaction. */
  edit(location: string, change: (row: SimulatedLicense) => Partial<SimulatedLicense>): number {
    return this.editTogether([{ location, change }]);
  }

  /** Several rows in one transaction: a transaction number is not unique per row. */
  editTogether(
    edits: readonly { readonly location: string; change(row: SimulatedLicense): Partial<SimulatedLicense> }[],
  ): number {
    const found = edits.map(({ location, change }) => {
      const place = this.#placesOf(location)[0] ?? 0;
      return { place, change };
    });
    const transactionId = this.#nextTransactionId();
    for (const { place, change } of found) {
      const row = this.#rows[place];
      if (row !== undefined) this.#rows[place] = { ...row, ...change(row), transactionId };
    }
    this.#changed();
    return transactionId;
  }

  /** A deleted license is deleted in all its rows: a forgotten duplicate would keep it alive. */
  delete(location: string): number {
    const transactionId = this.#nextTransactionIdFor(location);
    this.#replaceAll(location, () => ({ deleted: true, transactionId }));
    return transactionId;
  }

  /** Out of the list with all its rows. Nothing tells of it: no transaction is assigned to a row that is not there. */
  vanish(location: string): void {
    this.#replaceAll(location, () => ({ vanished: true }));
  }

  /** Undoes vanishing with all its rows, deletion and dropped flags. */
  restore(location: string, unchanged: boolean): number {
    const transactionId = unchanged ? undefined : this.#nextTransactionIdFor(location);
    this.#replaceAll(location, (row, order) => ({
      vanished: false,
      deleted: false,
      flagsDropped: false,
      transactionId: order === 0 ? (transactionId ?? row.transactionId) : row.transactionId,
    }));
    return transactionId ?? this.#lastTransactionId;
  }

  add(row: Omit<SimulatedLicense, 'id' | 'transactionId' | 'transactionIdOriginal'>): number {
    if (this.#places.has(row.location)) throw new CommandRefused(`license ${row.location} exists already`, 409);
    const transactionId = this.#nextTransactionId();
    this.#rows.push({
      ...row,
      id: this.#rows.length + 1,
      transactionId,
      transactionIdOriginal: transactionId,
    });
    this.#index(row.location, this.#rows.length - 1);
    this.#changed();
    return transactionId;
  }

  addElement(element: RowValue): void {
    this.#elements.push(JSON.stringify(element));
    this.#changed();
  }

  #nextTransactionId(): number {
    this.#lastTransactionId += this.#random.between(1, 9);
    return this.#lastTransactionId;
  }

  #nextTransactionIdFor(location: string): number {
    this.#placesOf(location);
    return this.#nextTransactionId();
  }

  #replaceAll(location: string, change: (row: SimulatedLicense, order: number) => Partial<SimulatedLicense>): void {
    for (const [order, place] of this.#placesOf(location).entries()) {
      const row = this.#rows[place];
      if (row !== undefined) this.#rows[place] = { ...row, ...change(row, order) };
    }
    this.#changed();
  }

  #placesOf(location: string): readonly number[] {
    const places = this.#places.get(location);
    if (places === undefined) throw new CommandRefused(`there is no license ${JSON.stringify(location)}`);
    return places;
  }

  #index(location: string, place: number): void {
    const places = this.#places.get(location);
    if (places === undefined) this.#places.set(location, [place]);
    else places.push(place);
  }

  #changed(): void {
    this.#version += 1;
    this.#list = undefined;
  }
}
