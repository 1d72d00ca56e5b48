import { isUtf8 } from 'node:buffer';
import { mapRows, type RowMapping, type SplitDocument, splitDocument } from './rows.js';

/** A JSON object with unknown members. Read own members only: it can have a member `__proto__`. */
export type WireObject = Readonly<Record<string, unknown>>;

export const CHARSETS = ['utf-8', 'windows-1252'] as const;
/** The encoding of a state's responses. Their `Content-Type` is not reliable. */
export type Charset = (typeof CHARSETS)[number];

export type ParsedDocument =
  | { readonly kind: 'object'; readonly object: WireObject }
  | { readonly kind: 'invalid_charset' | 'invalid_json' | 'unexpected_json' };

/**
 * Parses a body that must hold one JSON object. UTF-8 is decoded strictly: a wrong guess would rename half of a state's
 * vendors. A byte order mark is allowed. The error of JSON.parse is dropped because it quotes the body.
 */
export async function parseDocument(
  body: Buffer,
  charset: Charset,
  rows?: RowMapping,
  { largeBytes, pieceBytes }: PieceSizes = SIZES,
): Promise<ParsedDocument> {
  if (charset === 'utf-8' && !isUtf8(body)) return { kind: 'invalid_charset' };
  const isLarge = charset === 'utf-8' && body.length >= largeBytes && isBareObject(body);
  try {
    const split = isLarge && rows !== undefined ? await splitDocument(body, rows, parseExactly, pieceBytes) : undefined;
    if (split !== undefined) return await joinSplitDocument(split, rows as RowMapping);
    const text = charset === 'utf-8' ? body.toString('utf8') : decodeWindows1252(body);
    return await toParsedDocument(parseExactly(withoutLeakedHeaders(withoutByteOrderMark(text))), rows);
  } catch (error) {
    if (error instanceof SyntaxError) return { kind: 'invalid_json' };
    throw error;
  }
}

export interface PieceSizes {
  /** Smaller bodies are parsed at once: that is faster and blocks the event loop only briefly. */
  readonly largeBytes: number;
  /** The size of the pieces of a larger body. Each takes a few milliseconds. */
  readonly pieceBytes: number;
}

const SIZES: PieceSizes = { largeBytes: 2 * 1024 * 1024, pieceBytes: 256 * 1024 };

/** An object with nothing but white space around it. */
const isBareObject = (body: Buffer): boolean =>
  body.toString('latin1', 0, 200).trimStart().startsWith('{') &&
  body
    .toString('latin1', body.length - 200)
    .trimEnd()
    .endsWith('}');

const parseExactly = (text: string): unknown => JSON.parse(withExactNumbers(text));

async function toParsedDocument(value: unknown, rows: RowMapping | undefined): Promise<ParsedDocument> {
  const object = toObject(value);
  if (object === undefined) return { kind: 'unexpected_json' };
  const list = rows === undefined ? undefined : findMember(object, rows.member);
  if (rows === undefined || !Array.isArray(list)) return { kind: 'object', object };
  return { kind: 'object', object: withMember(object, rows.member, await mapRows(list, rows.map)) };
}

/** If the list member is repeated, the last one counts, as in JSON.parse. */
async function joinSplitDocument(
  { frame, placeholder, rows }: SplitDocument,
  mapping: RowMapping,
): Promise<ParsedDocument> {
  const object = toObject(parseExactly(frame));
  const list = object === undefined ? undefined : findMember(object, mapping.member);
  const isSplitList = Array.isArray(list) && list.length === 1 && list[0] === placeholder;
  if (object === undefined || !isSplitList) return toParsedDocument(object, mapping);
  return { kind: 'object', object: withMember(object, mapping.member, rows) };
}

const withMember = (object: WireObject, member: string, value: unknown): WireObject => ({ ...object, [member]: value });

export function toObject(value: unknown): WireObject | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as WireObject) : undefined;
}

/** An own member of the object, never one of its prototype. */
export function findMember(object: WireObject, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/**
 * The text of a member with the reason of a refusal. Some implementations send an object or a list instead of a text.
 * Undefined if there is none: nothing but blanks, 0 and null.
 */
export function toRefusalMember(value: unknown): string | undefined {
  if (typeof value === 'string') return value.trim() === '' ? undefined : value;
  if (typeof value === 'number') return value === 0 ? undefined : String(value);
  if (value === true) return 'true';
  if (typeof value !== 'object' || value === null) return undefined;
  return Object.values(value).some((member) => toRefusalMember(member) !== undefined)
    ? JSON.stringify(value)
    : undefined;
}

/** The characters 0x80 to 0x9f. The five unassigned bytes stay as they are. */
const WINDOWS_1252 = '€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ';

/** TextDecoder of Node.js 20 decodes windows-1252 as Latin-1, which turns quotes and euro signs into control characters. */
const decodeWindows1252 = (body: Buffer): string =>
  body.toString('latin1').replace(/[\u0080-\u009f]/g, (octet) => WINDOWS_1252[octet.charCodeAt(0) - 0x80] ?? octet);

const withoutByteOrderMark = (text: string): string => (text.charCodeAt(0) === 0xfeff ? text.slice(1) : text);

const HEADER_LINE = String.raw`[A-Za-z][A-Za-z-]{1,40}:[^\r\n{}[\]]{0,200}`;
const LEAKED_BEFORE = new RegExp(String.raw`^\s*${HEADER_LINE}(?:[\r\n]+${HEADER_LINE}){0,4}\s*(?=\{)`);
const LEAKED_AFTER = new RegExp(String.raw`\}\s*${HEADER_LINE}(?:[\r\n]+${HEADER_LINE}){0,4}\s*$`);
/** Longer than the leaked lines at the end can be. */
const TAIL_LENGTH = 1_500;

/**
 * Removes header lines such as "Content-Type: text/plain", which were observed inside bodies. Only text outside the
 * outermost braces is removed, so a truncated document stays invalid.
 */
function withoutLeakedHeaders(text: string): string {
  const start = /^\s*[A-Za-z]/.test(text.slice(0, 200)) ? (LEAKED_BEFORE.exec(text)?.[0].length ?? 0) : 0;
  if (text.trimEnd().endsWith('}')) return start === 0 ? text : text.slice(start);
  const tailStart = Math.max(start, text.length - TAIL_LENGTH);
  const leaked = LEAKED_AFTER.exec(text.slice(tailStart));
  return text.slice(start, leaked === null ? undefined : tailStart + leaked.index + 1);
}

const LONG_NUMBER = /\d{16}/;
const LONG_MEMBER =
  /("(?:transactionid|transactionid_original|TransactionID|NextTransactionID|NextCursor|location|LocationLicense|ubi|UBI|sum)"\s*:\s*)(\d{16,200})(?=\s*[,}])/g;

/**
 * Quotes long numbers of identifying members, because JSON.parse loses digits above 2^53. This cannot change the inside
 * of a string: quotation marks in strings are preceded by a backslash, so no text in them matches.
 */
function withExactNumbers(text: string): string {
  return LONG_NUMBER.test(text) ? text.replace(LONG_MEMBER, '$1"$2"') : text;
}
