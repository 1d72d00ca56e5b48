import type { FaultRule } from './faults.js';
import type { RuntimeOptions } from './options.js';

/** Inclusive transaction numbers. 0 means no bound. */
export interface Bounds {
  readonly start: number;
  readonly end: number;
}

/** What the rows of all tables have in common. */
export interface TableRow {
  readonly location: string;
  readonly deleted?: boolean;
  readonly transactionId: number;
}

/** The rows of a list within the bounds, changed by the fault if there is one. */
export const selectRows = <Row extends TableRow>(
  list: readonly Row[],
  bounds: Bounds,
  options: Pick<RuntimeOptions, 'deletedRows'>,
  fault: FaultRule | undefined,
): readonly Row[] => {
  let rows = options.deletedRows === 'vanish' ? list.filter((row) => row.deleted !== true) : list;
  if (isBounded(bounds)) rows = rows.filter((row) => isWithin(row.transactionId, bounds));
  return fault === undefined ? rows : applyFault(rows, fault);
};

export const isBounded = ({ start, end }: Bounds): boolean => start > 0 || end > 0;

export const isWithin = (transactionId: number, { start, end }: Bounds): boolean =>
  transactionId >= start && (end === 0 || transactionId <= end);

const applyFault = <Row extends TableRow>(rows: readonly Row[], fault: FaultRule): readonly Row[] => {
  switch (fault.fault) {
    case 'shrunk_list':
      return rows.slice(0, fault.keep ?? Math.floor(rows.length / 2));
    case 'missing_list':
      return [];
    case 'invalid_rows': {
      const percent = fault.percent ?? 20;
      return rows.map((row, index) => (index % 100 < percent ? { ...row, location: '' } : row));
    }
    default:
      return rows;
  }
};
