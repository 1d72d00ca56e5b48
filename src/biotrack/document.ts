import { isUtf8 } from 'node:buffer';
import { mapRows, type RowReading, type SplitDocument, splitDocument } from './rows.js';
import { TROUBLE_CLASSES } from './troubles.js';

/** A JSON object as it came: nothing is known of its members. Read own members only: it may have a `__proto__`. */
export type WireObject = Readonly<Record<string, unknown>>;

export const CHARSETS = ['utf-8', 'windows-1252'] as const;
/** What a state's answers are written in. Their own headers are not to be trusted. */
export type Charset = (typeof CHARSETS)[number];

export type ReadDocument =
  | { readonly kind: 'object'; readonly object: WireObject }
  | { readonly kind: 'trouble'; readonly trouble: (typeof TROUBLE_CLASSES)['notUtf8' | 'notJson' | 'noAnswer'] };

/**
 * The one JSON object that a body holds. UTF-8 is read strictly, since a wrong guess would rename half a state; a byte
 * order mark is fine, and UTF-16 is not JSON. JSON.parse keeps no stack of its own, so depth is no danger to it, and
 * it makes a `__proto__` an ordinary member. Its error is not kept: it quotes the body.
 */
export async function readDocument(
  body: Buffer,
  charset: Charset,
  rows?: RowReading,
  { largeBytes, pieceBytes }: Sizes = SIZES,
): Promise<ReadDocument> {
  if (charset === 'utf-8' && !isUtf8(body)) return { kind: 'trouble', trouble: TROUBLE_CLASSES.notUtf8 };
  const isLarge = charset === 'utf-8' && body.length >= largeBytes && isPlain(body);
  try {
    const split = isLarge && rows !== undefined ? await splitDocument(body, rows, parseExactly, pieceBytes) : undefined;
    if (split !== undefined) return await toFramed(split, rows as RowReading);
    const text = charset === 'utf-8' ? body.toString('utf8') : fromWindows1252(body);
    return await toRead(parseExactly(withoutLeakedHeaders(withoutMark(text))), rows);
  } catch (error) {
    if (error instanceof SyntaxError) return { kind: 'trouble', trouble: TROUBLE_CLASSES.notJson };
    throw error;
  }
}

export interface Sizes {
  /** Below it, parsing at once is quicker and holds nobody up. */
  readonly largeBytes: number;
  /** Of the pieces of a large one: each some milliseconds of work. */
  readonly pieceBytes: number;
}

const SIZES: Sizes = { largeBytes: 2 * 1024 * 1024, pieceBytes: 256 * 1024 };

/** An object and nothing around it but blanks. */
const isPlain = (body: Buffer): boolean =>
  body.toString('latin1', 0, 200).trimStart().startsWith('{') &&
  body
    .toString('latin1', body.length - 200)
    .trimEnd()
    .endsWith('}');

const parseExactly = (text: string): unknown => JSON.parse(withExactNumbers(text));

async function toRead(value: unknown, rows: RowReading | undefined): Promise<ReadDocument> {
  const object = toObject(value);
  if (object === undefined) return { kind: 'trouble', trouble: TROUBLE_CLASSES.noAnswer };
  const list = rows === undefined ? undefined : readMember(object, rows.member);
  if (rows === undefined || !Array.isArray(list)) return { kind: 'object', object };
  return { kind: 'object', object: withMember(object, rows.member, await mapRows(list, rows.map)) };
}

/** A member that is given again later is the one that counts, as JSON.parse has it. */
async function toFramed({ frame, placeholder, rows }: SplitDocument, reading: RowReading): Promise<ReadDocument> {
  const object = toObject(parseExactly(frame));
  const list = object === undefined ? undefined : readMember(object, reading.member);
  const isTaken = Array.isArray(list) && list.length === 1 && list[0] === placeholder;
  if (object === undefined || !isTaken) return toRead(object, reading);
  return { kind: 'object', object: withMember(object, reading.member, rows) };
}

const withMember = (object: WireObject, member: string, value: unknown): WireObject => ({ ...object, [member]: value });

export function toObject(value: unknown): WireObject | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as WireObject) : undefined;
}

/** A member of the object itself; never one of its prototype. */
export function readMember(object: WireObject, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/** What stands at 0x80 to 0x9f; the five that are not given stay what they are. */
const WINDOWS_1252 = '€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ';

/** Node 20's TextDecoder takes windows-1252 for Latin-1 and makes control characters of quotes and euros. */
const fromWindows1252 = (body: Buffer): string =>
  body.toString('latin1').replace(/[\u0080-\u009f]/g, (octet) => WINDOWS_1252[octet.charCodeAt(0) - 0x80] ?? octet);

const withoutMark = (text: string): string => (text.charCodeAt(0) === 0xfeff ? text.slice(1) : text);

const HEADER_LINE = String.raw`[A-Za-z][A-Za-z-]{1,40}:[^\r\n{}[\]]{0,200}`;
const LEAKED_BEFORE = new RegExp(String.raw`^\s*${HEADER_LINE}(?:[\r\n]+${HEADER_LINE}){0,4}\s*(?=\{)`);
const LEAKED_AFTER = new RegExp(String.raw`\}\s*${HEADER_LINE}(?:[\r\n]+${HEADER_LINE}){0,4}\s*$`);
/** As much of the end as leaked lines can fill. */
const TAIL = 1_500;

/**
 * BioTrack's own header line ("Content-Type: text/plain") was seen inside bodies, before the JSON. Taking it off cannot
 * make a cut document whole, since only what stands outside the outermost braces is taken off.
 */
function withoutLeakedHeaders(text: string): string {
  const start = /^\s*[A-Za-z]/.test(text.slice(0, 200)) ? (LEAKED_BEFORE.exec(text)?.[0].length ?? 0) : 0;
  if (text.trimEnd().endsWith('}')) return start === 0 ? text : text.slice(start);
  const tailStart = Math.max(start, text.length - TAIL);
  const leaked = LEAKED_AFTER.exec(text.slice(tailStart));
  return text.slice(start, leaked === null ? undefined : tailStart + leaked.index + 1);
}

const LONG_NUMBER = /\d{16}/;
const LONG_MEMBER =
  /("(?:transactionid|transactionid_original|TransactionID|location|LocationLicense|ubi|UBI|sum)"\s*:\s*)(\d{16,200})(?=\s*[,}])/g;

/**
 * Numbers above 2^53 lose digits in JSON.parse, and license numbers are told apart by their digits: those members are
 * quoted first. Inside a text no quote stands without a backslash, so that nothing but a member can look like one.
 */
function withExactNumbers(text: string): string {
  return LONG_NUMBER.test(text) ? text.replace(LONG_MEMBER, '$1"$2"') : text;
}
