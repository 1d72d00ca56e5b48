import type { SkipReason } from '../domain/vendor.js';

/** A value of a row is not of a shape that is known; the row becomes a skip. */
export class UnreadableField extends Error {
  readonly skip: SkipReason;

  constructor(skip: SkipReason) {
    super(skip);
    this.skip = skip;
  }
}

/** Longer ones would not fit into an index, and no state has such. */
const MOST_IDENTIFIER = 200;
const MOST_TEXT = 2_000;
const MOST_DIGITS = 100;

const ANY_SURROGATE = /[\ud800-\udfff]/;
const LONE_SURROGATE = /\p{Surrogate}/u;

/** What Postgres and UTF-8 cannot hold: NUL, and half of a surrogate pair. Most texts have no surrogate at all. */
const isUnstorable = (text: string): boolean =>
  text.includes('\0') || (ANY_SURROGATE.test(text) && LONE_SURROGATE.test(text));

/** Text, trimmed; null for what says nothing. A plain number is taken as its digits (a site may be called 420). */
export function parseText(value: unknown, most = MOST_TEXT): string | null {
  if (value === undefined || value === null) return null;
  const text = typeof value === 'number' ? toDigits(value) : value;
  if (typeof text !== 'string') throw new UnreadableField('invalid_value');
  if (isUnstorable(text)) throw new UnreadableField('invalid_text');
  const trimmed = text.trim();
  if (trimmed.length > most) throw new UnreadableField('invalid_value');
  return trimmed === '' ? null : trimmed;
}

/** An identifier is opaque text; as a number it has lost its leading zeros, if it had any, before it came here. */
export const parseIdentifier = (value: unknown): string | null => parseText(value, MOST_IDENTIFIER);

const HAS_GAP = / {2}|[^\S ]/;

/** Text in which runs of white space are one space. */
export function parseLine(value: unknown): string | null {
  const text = parseText(value);
  return text === null || !HAS_GAP.test(text) ? text : text.replace(/\s+/g, ' ');
}

/** Flags arrive as 0 and 1, as numbers or texts or booleans; null, blank and absent are "no". */
export function parseFlag(value: unknown): boolean {
  switch (value) {
    case 1:
    case '1':
    case true:
      return true;
    case 0:
    case '0':
    case false:
    case '':
    case null:
    case undefined:
      return false;
    default:
      throw new UnreadableField('invalid_value');
  }
}

/** Decimal digits without leading zeros; null when there is none. */
export function parseTransactionId(value: unknown): string | null {
  const text = parseText(value, MOST_DIGITS);
  if (text === null) return null;
  if (!/^\d+$/.test(text)) throw new UnreadableField('invalid_value');
  return text.replace(/^0+(?=\d)/, '');
}

/** Beyond 2^53 a number has already lost digits: it could be any of several, and is taken for none. */
function toDigits(value: number): string {
  if (!Number.isSafeInteger(value) || value < 0) throw new UnreadableField('invalid_value');
  return String(value);
}
