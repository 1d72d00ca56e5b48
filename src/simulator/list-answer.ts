import type { DataSet } from './data-set.js';
import type { FaultOrder } from './faults.js';
import type { SimulatedLicense } from './row.js';
import type { Settings } from './settings.js';

export interface Bounds {
  readonly start: number;
  readonly end: number;
}

/** The rows that the state would list now, within inclusive transaction bounds, as a fault lets them through. */
export const selectRows = (
  data: DataSet,
  bounds: Bounds,
  settings: Pick<Settings, 'deletedRows'>,
  fault: FaultOrder | undefined,
): readonly SimulatedLicense[] => {
  let rows = settings.deletedRows === 'vanish' ? data.list.filter((row) => !row.deleted) : data.list;
  if (isBounded(bounds)) rows = rows.filter((row) => isWithin(row.transactionId, bounds));
  return fault === undefined ? rows : harm(rows, fault);
};

export const isBounded = ({ start, end }: Bounds): boolean => start > 0 || end > 0;

export const isWithin = (transactionId: number, { start, end }: Bounds): boolean =>
  transactionId >= start && (end === 0 || transactionId <= end);

const harm = (rows: readonly SimulatedLicense[], fault: FaultOrder): readonly SimulatedLicense[] => {
  switch (fault.fault) {
    case 'shrunk_list':
      return rows.slice(0, fault.keep ?? Math.floor(rows.length / 2));
    case 'missing_list':
      return [];
    case 'invalid_rows': {
      const percent = fault.percent ?? 20;
      return rows.map((row, place) => (place % 100 < percent ? { ...row, location: '' } : row));
    }
    default:
      return rows;
  }
};
