import { ServiceError } from '../domain/service-error.js';
import { DATETIME_PATTERN } from './primitives.js';

/** A span of time, open on the sides that are not given. */
export interface DatetimeRange {
  readonly from: Date | undefined;
  readonly to: Date | undefined;
}

const DATETIME = new RegExp(DATETIME_PATTERN);

/** Reads `from,to`. @throws Fault `invalid_request` that names the parameter */
export function parseDatetimeRange(parameter: string, text: string): DatetimeRange {
  const parts = text.split(',');
  const [from, to] = parts.map((part) => (part === '' ? undefined : toDate(part)));
  if (parts.length === 2 && from !== null && to !== null) return { from, to };
  const detail = 'must be from,to with RFC 3339 times; either side may be empty';
  throw new ServiceError('invalid_request', `?${parameter}: ${detail}.`, {
    errors: [{ pointer: `?${parameter}`, detail }],
  });
}

/** Null for what is no time; JavaScript would take the 30th of February for the 2nd of March. */
function toDate(text: string): Date | null {
  const date = new Date(text);
  if (!DATETIME.test(text) || Number.isNaN(date.getTime())) return null;
  const [year = 0, month = 0, day = 0] = text.slice(0, 10).split('-').map(Number);
  return new Date(Date.UTC(year, month - 1, day)).getUTCDate() === day ? date : null;
}
