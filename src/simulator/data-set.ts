import { CommandError } from './command-error.js';
import type { GeneratedData } from './generate.js';
import type { Random } from './random.js';
import type { LabRow, RawFields, RowValue, SimulatedLicense, TableName, TransporterRow } from './row.js';

interface RawEdit {
  readonly table: TableName;
  readonly location: string;
  /** Keeps the transaction number of the row. */
  readonly unchanged: boolean;
  change(raw: RawFields | undefined): RawFields | undefined;
}

/** The production or the training data of the state. Every edit gets the next transaction number. */
export class DataSet {
  readonly #labs: LabRow[];
  readonly #transporters: TransporterRow[];
  readonly #random: Random;
  readonly #rows: SimulatedLicense[];
  readonly #indexes = new Map<string, number[]>();
  readonly #elements: string[] = [];
  #lastTransactionId: number;
  #version = 0;
  #list: readonly SimulatedLicense[] | undefined;

  constructor(data: GeneratedData, random: Random) {
    this.#labs = [...data.labs];
    this.#transporters = [...data.transporters];
    this.#rows = [...data.rows];
    this.#random = random;
    this.#lastTransactionId = data.lastTransactionId;
    for (const [index, row] of this.#rows.entries()) this.#addIndex(row.location, index);
  }

  /** Increases with every change. */
  get version(): number {
    return this.#version;
  }

  get lastTransactionId(): number {
    return this.#lastTransactionId;
  }

  /** The rows that have not vanished, in order of creation. The array is never modified. */
  get list(): readonly SimulatedLicense[] {
    this.#list ??= this.#rows.filter((row) => !row.vanished);
    return this.#list;
  }

  /** All rows of the table, also those that have vanished from the list. */
  get table(): readonly SimulatedLicense[] {
    return this.#rows;
  }

  get labs(): readonly LabRow[] {
    return this.#labs;
  }

  get transporters(): readonly TransporterRow[] {
    return this.#transporters;
  }

  /** JSON texts that are appended to the list as they are. */
  get elements(): readonly string[] {
    return this.#elements;
  }

  hasUbi(ubi: string): boolean {
    return this.#rows.some((row) => row.ubi === ubi);
  }

  hasLicense(location: string): boolean {
    return this.#indexes.has(location);
  }

  get(location: string): SimulatedLicense {
    const row = this.#rows[this.#getIndexes(location)[0] ?? 0];
    if (row === undefined) throw new CommandError(`license ${JSON.stringify(location)} does not exist`);
    return row;
  }

  /** Changes the first row of the license. @returns the transaction number */
  edit(location: string, change: (row: SimulatedLicense) => Partial<SimulatedLicense>): number {
    return this.editMany([{ location, change }]);
  }

  /** Changes the first row of each license in one transaction, so that they share a transaction number. */
  editMany(
    edits: readonly { readonly location: string; change(row: SimulatedLicense): Partial<SimulatedLicense> }[],
  ): number {
    const found = edits.map(({ location, change }) => {
      const index = this.#getIndexes(location)[0] ?? 0;
      return { index, change };
    });
    const transactionId = this.#nextTransactionId();
    for (const { index, change } of found) {
      const row = this.#rows[index];
      if (row !== undefined) this.#rows[index] = { ...row, ...change(row), transactionId };
    }
    this.#invalidate();
    return transactionId;
  }

  /** Changes which fields of the first row of the license are sent as given. @returns the transaction number */
  editRaw({ table, location, unchanged, change }: RawEdit): number {
    const edit = <Row extends SimulatedLicense | LabRow>(rows: Row[], index: number): number => {
      const row = rows[index];
      if (row === undefined) throw new CommandError(`license ${JSON.stringify(location)} does not exist in ${table}`);
      const transactionId = unchanged ? row.transactionId : this.#nextTransactionId();
      rows[index] = { ...row, raw: change(row.raw), transactionId };
      this.#invalidate();
      return transactionId;
    };
    if (table === 'vendor') return edit(this.#rows, this.#getIndexes(location)[0] ?? 0);
    const find = (rows: readonly LabRow[]): number => rows.findIndex((row) => row.location === location);
    return table === 'qa_lab' ? edit(this.#labs, find(this.#labs)) : edit(this.#transporters, find(this.#transporters));
  }

  /** Marks all rows of the license, because a remaining duplicate would still be active. */
  delete(location: string): number {
    const transactionId = this.#nextTransactionIdFor(location);
    this.#replaceAll(location, () => ({ deleted: true, transactionId }));
    return transactionId;
  }

  /** Removes all rows of the license from the list, without a transaction number. */
  vanish(location: string): void {
    this.#replaceAll(location, () => ({ vanished: true }));
  }

  /** Undoes `vanish`, `delete` and dropped flags in all rows. `unchanged` keeps the transaction numbers. */
  restore(location: string, unchanged: boolean): number {
    const transactionId = unchanged ? undefined : this.#nextTransactionIdFor(location);
    this.#replaceAll(location, (row, position) => ({
      vanished: false,
      deleted: false,
      flagsDropped: false,
      transactionId: position === 0 ? (transactionId ?? row.transactionId) : row.transactionId,
    }));
    return transactionId ?? this.#lastTransactionId;
  }

  add(row: Omit<SimulatedLicense, 'id' | 'transactionId' | 'transactionIdOriginal'>): number {
    if (this.#indexes.has(row.location)) throw new CommandError(`license ${row.location} already exists`, 409);
    const transactionId = this.#nextTransactionId();
    this.#rows.push({
      ...row,
      id: this.#rows.length + 1,
      transactionId,
      transactionIdOriginal: transactionId,
    });
    this.#addIndex(row.location, this.#rows.length - 1);
    this.#invalidate();
    return transactionId;
  }

  addElement(element: RowValue): void {
    this.#elements.push(JSON.stringify(element));
    this.#invalidate();
  }

  #nextTransactionId(): number {
    this.#lastTransactionId += this.#random.between(1, 9);
    return this.#lastTransactionId;
  }

  #nextTransactionIdFor(location: string): number {
    this.#getIndexes(location);
    return this.#nextTransactionId();
  }

  #replaceAll(location: string, change: (row: SimulatedLicense, position: number) => Partial<SimulatedLicense>): void {
    for (const [position, index] of this.#getIndexes(location).entries()) {
      const row = this.#rows[index];
      if (row !== undefined) this.#rows[index] = { ...row, ...change(row, position) };
    }
    this.#invalidate();
  }

  #getIndexes(location: string): readonly number[] {
    const indexes = this.#indexes.get(location);
    if (indexes === undefined) throw new CommandError(`license ${JSON.stringify(location)} does not exist`);
    return indexes;
  }

  #addIndex(location: string, index: number): void {
    const indexes = this.#indexes.get(location);
    if (indexes === undefined) this.#indexes.set(location, [index]);
    else indexes.push(index);
  }

  #invalidate(): void {
    this.#version += 1;
    this.#list = undefined;
  }
}
