import type { PostalAddress } from '../domain/vendor.js';
import { parseLine, parseText, UnreadableField } from './row-values.js';

export interface WireAddress {
  readonly line1: unknown;
  readonly line2: unknown;
  readonly city: unknown;
  readonly state: unknown;
  readonly zip: unknown;
}

/** A second line is often "none", or stands already in the first; then it says nothing (seen in public adapters). */
export function toAddress(wire: WireAddress): PostalAddress {
  const line1 = parseLine(wire.line1);
  const line2 = parseLine(wire.line2);
  const saysNothing = line2 === null || line2.toLowerCase() === 'none' || (line1 !== null && stands(line2, line1));
  return {
    line1,
    line2: saysNothing ? null : line2,
    city: parseLine(wire.city),
    state: parseLine(wire.state),
    zip: toZip(wire.zip),
  };
}

/** As whole words: "STE 2" does not stand in "14 EXAMPLE RD STE 21". */
const stands = (part: string, whole: string): boolean =>
  ` ${whole.toLowerCase()} `.replaceAll(',', ' ').replace(/\s+/g, ' ').includes(` ${part.toLowerCase()} `);

/** Five or nine digits, as the state writes them. A plain number has lost its leading zeros: 6103 is 06103. */
function toZip(value: unknown): string | null {
  const text = parseText(value);
  if (typeof value !== 'number' || text === null) return text;
  if (value === 0) return null;
  if (text.length > 9) throw new UnreadableField('invalid_value');
  return text.length <= 5 ? text.padStart(5, '0') : text.padStart(9, '0');
}
