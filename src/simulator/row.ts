/** Any JSON value. */
export type RowValue = string | number | boolean | null | readonly RowValue[] | { readonly [key: string]: RowValue };

/** Fields set by the `setField` command: JSON text to send as it is, or null to omit the field. */
export type RawFields = Readonly<Record<string, string | null>>;

/**
 * One row of the state's vendor list: one licensed site. row-writer.ts decides how its values are written. Rows are never
 * modified, so that a response in progress is consistent.
 */
export interface SimulatedLicense {
  /** Ascending in order of creation. The `rest` dialect sends it as `ID`. */
  readonly id: number;
  /** The license number. Blank in some dirty rows. */
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
  /** Inactive licenses can stay in the list with null flags and no type. */
  readonly flagsDropped: boolean;
  readonly deleted: boolean;
  /** No longer in the list. Kept for the `restore` command. */
  readonly vanished: boolean;
  readonly transactionId: number;
  readonly transactionIdOriginal: number;
  readonly raw: RawFields | undefined;
}

/** One row of the list of laboratories. */
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
  readonly raw: RawFields | undefined;
}

/** One row of the list of third-party transporters, which not every state has. */
export interface TransporterRow extends LabRow {
  readonly deleted: boolean;
}

/** The table of each action that returns a list. `sync_check` and the lists in responses of `api4` use the same names. */
export const LIST_TABLES = {
  sync_vendor: 'vendor',
  sync_qa_lab: 'qa_lab',
  sync_third_party_transporter: 'third_party_transporter',
} as const;

export type ListAction = keyof typeof LIST_TABLES;
export type TableName = (typeof LIST_TABLES)[ListAction];
export const TABLE_NAMES: readonly TableName[] = Object.values(LIST_TABLES);

export const isListAction = (action: string): action is ListAction => action in LIST_TABLES;
