import { ServiceError } from '../domain/service-error.js';
import { DATETIME_PATTERN } from './primitives.js';

/** A time range; an undefined side is unbounded. */
export interface DatetimeRange {
  readonly from: Date | undefined;
  readonly to: Date | undefined;
}

const DATETIME = new RegExp(DATETIME_PATTERN);

/** Parses `from,to`. @throws ServiceError `invalid_request` */
export function parseDatetimeRange(parameter: string, text: string): DatetimeRange {
  const parts = text.split(',');
  const [from, to] = parts.map((part) => (part === '' ? undefined : toDate(part)));
  if (parts.length === 2 && from !== null && to !== null) return { from, to };
  const detail = 'must be from,to with RFC 3339 datetimes; either side may be empty';
  throw new ServiceError('invalid_request', `?${parameter} ${detail}.`, {
    errors: [{ pointer: `?${parameter}`, detail }],
  });
}

/** Null if invalid, including February 30, which `Date` would turn into March 2. */
function toDate(text: string): Date | null {
  const date = new Date(text);
  if (!DATETIME.test(text) || Number.isNaN(date.getTime())) return null;
  const [year = 0, month = 0, day = 0] = text.slice(0, 10).split('-').map(Number);
  return new Date(Date.UTC(year, month - 1, day)).getUTCDate() === day ? date : null;
}
