/** Whatever JSON can carry. */
export type RowValue = string | number | boolean | null | readonly RowValue[] | { readonly [key: string]: RowValue };

/**
 * One row of the state's vendor list: one licensed site. What the state means, not how it is written: `row-writer.ts`
 * decides whether a flag goes out as 1, "1", null or not at all. Rows are never changed in place, so that an answer
 * being written keeps the list it began with.
 */
export interface SimulatedLicense {
  /** Order of birth. The `rest` dialect shows it as `ID`. */
  readonly id: number;
  /** The license number; blank in rows that are dirty on purpose. */
  readonly location: string;
  readonly ubi: string | null;
  readonly name: string | null;
  readonly locationType: number | null;
  readonly address1: string | null;
  readonly address2: string | null;
  readonly city: string | null;
  readonly state: string | null;
  readonly zip: string | null;
  readonly phone: string | null;
  readonly producer: boolean;
  readonly processor: boolean;
  readonly retail: boolean;
  readonly medical: boolean;
  /** Dead licenses may stay in the list with null flags and no status. */
  readonly flagsDropped: boolean;
  readonly deleted: boolean;
  /** Out of the list altogether; kept here so that the license can return. */
  readonly vanished: boolean;
  readonly transactionId: number;
  readonly transactionIdOriginal: number;
  /** Fields put on the wire as they stand (JSON text), or left out (null), by the `setField` command. */
  readonly raw: Readonly<Record<string, string | null>> | undefined;
}

/** A laboratory: a list of its own, in which `ubi` is sometimes absent. */
export interface LabRow {
  readonly location: string;
  readonly ubi: string | null;
  readonly name: string;
  readonly address1: string;
  readonly city: string;
  readonly state: string;
  readonly zip: string;
  readonly transactionId: number;
  readonly transactionIdOriginal: number;
}

/** A third-party transporter: a third list, which not every state has. */
export interface TransporterRow extends LabRow {
  readonly deleted: boolean;
}
