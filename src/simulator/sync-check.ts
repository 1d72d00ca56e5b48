import type { DataSet } from './data-set.js';
import { toBound, toRecord } from './dialect.js';
import { isWithin, selectRows } from './list-answer.js';
import type { Settings } from './settings.js';

export interface TableSummary {
  readonly table: string;
  /** Text: a sum of large numbers must not lose digits on its way through a client's JSON parser. */
  readonly sum: string;
  /** Whether the caller's own sum, if he sent one, is the same. */
  readonly match: 0 | 1;
}

/**
 * BioTrack facts: the cheap "has anything changed?" is the sum of `transactionid` over the rows at or above a bound.
 * Tables that nobody knows add up to nothing.
 */
export const summarizeTable = (
  requested: unknown,
  data: DataSet,
  settings: Pick<Settings, 'deletedRows'>,
): readonly TableSummary[] =>
  (Array.isArray(requested) ? requested : []).flatMap((entry: unknown) => {
    const request = toRecord(entry);
    if (request === undefined || typeof request.table !== 'string') return [];
    const bounds = { start: toBound(request.transaction_start), end: toBound(request.transaction_end) };
    let sum = 0n;
    for (const { transactionId } of rowsOf(request.table, data, settings)) {
      if (isWithin(transactionId, bounds)) sum += BigInt(transactionId);
    }
    const match = request.sum !== undefined && String(request.sum) === String(sum) ? 1 : 0;
    return [{ table: request.table, sum: String(sum), match } as const];
  });

const rowsOf = (
  table: string,
  data: DataSet,
  settings: Pick<Settings, 'deletedRows'>,
): readonly { readonly transactionId: number }[] => {
  if (table === 'vendor') return selectRows(data, { start: 0, end: 0 }, settings, undefined);
  if (table === 'qa_lab') return data.labs;
  return table === 'third_party_transporter' ? data.transporters : [];
};
