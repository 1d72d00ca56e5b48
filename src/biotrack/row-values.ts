import type { UnreadableValue } from '../domain/vendor.js';

/** A value of a row cannot be read. */
export class UnreadableField extends Error {
  readonly reason: UnreadableValue['reason'];

  constructor(reason: UnreadableValue['reason']) {
    super(reason);
    this.reason = reason;
  }
}

/** Longer identifiers would not fit into an index. No state has any. */
const MAX_IDENTIFIER_LENGTH = 200;
const MAX_TEXT_LENGTH = 2_000;
const MAX_DIGITS = 100;

const ANY_SURROGATE = /[\ud800-\udfff]/;
const LONE_SURROGATE = /\p{Surrogate}/u;

/**
 * Postgres cannot store NUL, and UTF-8 cannot encode a lone surrogate. The first pattern is a fast check that excludes
 * most texts.
 */
const isUnstorable = (text: string): boolean =>
  text.includes('\0') || (ANY_SURROGATE.test(text) && LONE_SURROGATE.test(text));

/** Trimmed text; null if absent, null or blank. Numbers are accepted: a site can be called 420. */
export function parseText(value: unknown, maxLength = MAX_TEXT_LENGTH): string | null {
  if (value === undefined || value === null) return null;
  const text = typeof value === 'number' ? parseDigits(value) : value;
  if (typeof text !== 'string') throw new UnreadableField('invalid_value');
  if (isUnstorable(text)) throw new UnreadableField('invalid_text');
  const trimmed = text.trim();
  if (trimmed.length > maxLength) throw new UnreadableField('invalid_value');
  return trimmed === '' ? null : trimmed;
}

/** Identifiers are opaque text. One that arrives as a number had no leading zeros, or BioTrack dropped them. */
export const parseIdentifier = (value: unknown): string | null => parseText(value, MAX_IDENTIFIER_LENGTH);

const HAS_GAP = / {2}|[^\S ]/;

/** Like `parseText`, with every run of white space replaced by one space. */
export function parseLine(value: unknown): string | null {
  const text = parseText(value);
  return text === null || !HAS_GAP.test(text) ? text : text.replace(/\s+/g, ' ');
}

/** Flags arrive as 0 or 1, as number, string or boolean. Null, blank and absent mean false. */
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

/** Decimal digits without leading zeros; null if absent, null or blank. */
export function parseTransactionId(value: unknown): string | null {
  const text = parseText(value, MAX_DIGITS);
  if (text === null) return null;
  if (!/^\d+$/.test(text)) throw new UnreadableField('invalid_value');
  return text.replace(/^0+(?=\d)/, '');
}

/** Numbers above 2^53 have already lost digits and are rejected. */
function parseDigits(value: number): string {
  if (!Number.isSafeInteger(value) || value < 0) throw new UnreadableField('invalid_value');
  return String(value);
}
