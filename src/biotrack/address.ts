import type { PostalAddress } from '../domain/vendor.js';
import { parseLine, parseText, UnreadableField } from './row-values.js';

export interface WireAddress {
  readonly line1: unknown;
  readonly line2: unknown;
  readonly city: unknown;
  readonly state: unknown;
  readonly zip: unknown;
}

export const UNKNOWN_ADDRESS: PostalAddress = { line1: null, line2: null, city: null, state: null, zip: null };

/** A second line that is "none" or already part of the first line becomes null (both observed in public adapters). */
export function parseAddress(wire: WireAddress): PostalAddress {
  const line1 = parseLine(wire.line1);
  const line2 = parseLine(wire.line2);
  const isRedundant =
    line2 === null || line2.toLowerCase() === 'none' || (line1 !== null && includesWords(line1, line2));
  return {
    line1,
    line2: isRedundant ? null : line2,
    city: parseLine(wire.city),
    state: parseLine(wire.state),
    zip: parseZip(wire.zip),
  };
}

/** Compares whole words: "14 EXAMPLE RD STE 21" does not include "STE 2". */
const includesWords = (whole: string, part: string): boolean =>
  ` ${whole.toLowerCase()} `.replaceAll(',', ' ').replace(/\s+/g, ' ').includes(` ${part.toLowerCase()} `);

/** As the state writes it. A number has lost its leading zeros: 6103 is 06103. */
function parseZip(value: unknown): string | null {
  const text = parseText(value);
  if (typeof value !== 'number' || text === null) return text;
  if (value === 0) return null;
  if (text.length > 9) throw new UnreadableField('invalid_value');
  return text.length <= 5 ? text.padStart(5, '0') : text.padStart(9, '0');
}
