import type { DataSet } from './data-set.js';
import { toBound, toRecord } from './dialect.js';
import type { RuntimeOptions } from './options.js';
import type { TableName } from './row.js';
import { type Bounds, selectRows, type TableRow } from './select-rows.js';

export interface TableCheck {
  readonly table: string;
  readonly bounds: Bounds;
  /** A string, because a client's JSON parser could lose digits of a large number. */
  readonly sum: string;
  /** 1 if the caller sent the same sum. */
  readonly match: 0 | 1;
}

/**
 * The sum of `transactionid` of the rows within the bounds (inferred), for each table in the member `data` of the call,
 * or for all tables. 0 for an unknown table.
 */
export const checkTables = (
  requested: unknown,
  offered: readonly TableName[],
  data: DataSet,
  options: Pick<RuntimeOptions, 'deletedRows' | 'syncCheckRows'>,
): readonly TableCheck[] => {
  const entries: unknown = requested ?? offered.map((table) => ({ table }));
  return (Array.isArray(entries) ? entries : []).flatMap((entry: unknown) => {
    const request = toRecord(entry);
    if (request === undefined || typeof request.table !== 'string') return [];
    const bounds = { start: toBound(request.transaction_start), end: toBound(request.transaction_end) };
    const sum = String(sumTransactions(request.table, bounds, data, options));
    const match = request.sum !== undefined && String(request.sum) === sum ? 1 : 0;
    return [{ table: request.table, bounds, sum, match } as const];
  });
};

const sumTransactions = (
  table: string,
  bounds: Bounds,
  data: DataSet,
  options: Pick<RuntimeOptions, 'deletedRows' | 'syncCheckRows'>,
): bigint => {
  const rows = selectRows(
    listTable(table, data, options),
    bounds,
    options.syncCheckRows === 'table' ? { deletedRows: 'flagged' } : options,
    undefined,
  );
  return rows.reduce((sum, { transactionId }) => sum + BigInt(transactionId), 0n);
};

const listTable = (
  table: string,
  data: DataSet,
  options: Pick<RuntimeOptions, 'syncCheckRows'>,
): readonly TableRow[] => {
  if (table === 'vendor') return options.syncCheckRows === 'table' ? data.table : data.list;
  if (table === 'qa_lab') return data.labs;
  return table === 'third_party_transporter' ? data.transporters : [];
};
