import type { DataSet } from './data-set.js';
import type { FaultRule } from './faults.js';
import type { RuntimeOptions } from './options.js';
import type { SimulatedLicense } from './row.js';

/** Inclusive transaction numbers. 0 means no bound. */
export interface Bounds {
  readonly start: number;
  readonly end: number;
}

/** The rows of the current list within the bounds, changed by the fault if there is one. */
export const selectRows = (
  data: DataSet,
  bounds: Bounds,
  options: Pick<RuntimeOptions, 'deletedRows'>,
  fault: FaultRule | undefined,
): readonly SimulatedLicense[] => {
  let rows = options.deletedRows === 'vanish' ? data.list.filter((row) => !row.deleted) : data.list;
  if (isBounded(bounds)) rows = rows.filter((row) => isWithin(row.transactionId, bounds));
  return fault === undefined ? rows : applyFault(rows, fault);
};

export const isBounded = ({ start, end }: Bounds): boolean => start > 0 || end > 0;

export const isWithin = (transactionId: number, { start, end }: Bounds): boolean =>
  transactionId >= start && (end === 0 || transactionId <= end);

const applyFault = (rows: readonly SimulatedLicense[], fault: FaultRule): readonly SimulatedLicense[] => {
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
