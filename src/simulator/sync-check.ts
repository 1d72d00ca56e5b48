import type { DataSet } from './data-set.js';
import { toBound, toRecord } from './dialect.js';
import type { RuntimeOptions } from './options.js';
import { isWithin, selectRows } from './select-rows.js';

export interface TableSummary {
  readonly table: string;
  /** A string, because a client's JSON parser could lose digits of a large number. */
  readonly sum: string;
  /** 1 if the caller sent the same sum. */
  readonly match: 0 | 1;
}

/** The sum of `transactionid` of the rows within the bounds, per requested table (inferred). 0 for unknown tables. */
export const summarizeTables = (
  requested: unknown,
  data: DataSet,
  options: Pick<RuntimeOptions, 'deletedRows'>,
): readonly TableSummary[] =>
  (Array.isArray(requested) ? requested : []).flatMap((entry: unknown) => {
    const request = toRecord(entry);
    if (request === undefined || typeof request.table !== 'string') return [];
    const bounds = { start: toBound(request.transaction_start), end: toBound(request.transaction_end) };
    let sum = 0n;
    for (const { transactionId } of selectTable(request.table, data, options)) {
      if (isWithin(transactionId, bounds)) sum += BigInt(transactionId);
    }
    const match = request.sum !== undefined && String(request.sum) === String(sum) ? 1 : 0;
    return [{ table: request.table, sum: String(sum), match } as const];
  });

const selectTable = (
  table: string,
  data: DataSet,
  options: Pick<RuntimeOptions, 'deletedRows'>,
): readonly { readonly transactionId: number }[] => {
  if (table === 'vendor') return selectRows(data, { start: 0, end: 0 }, options, undefined);
  if (table === 'qa_lab') return data.labs;
  return table === 'third_party_transporter' ? data.transporters : [];
};
