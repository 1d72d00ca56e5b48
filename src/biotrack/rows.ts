/** Where the rows of a response are, and how to convert each. */
export interface RowMapping {
  /** The member of the response that holds the list. */
  readonly member: string;
  map(row: unknown): unknown;
}

/** Rows converted before yielding to the event loop. */
const ROWS_PER_SLICE = 1_000;

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

const yieldToEventLoop = (): Promise<void> => new Promise(setImmediate);

export async function mapRows(rows: readonly unknown[], map: RowMapping['map']): Promise<unknown[]> {
  const mapped: unknown[] = [];
  for (const [index, row] of rows.entries()) {
    if (index % ROWS_PER_SLICE === ROWS_PER_SLICE - 1) await yieldToEventLoop();
    mapped.push(map(row));
  }
  return mapped;
}

export interface SplitDocument {
  /** The document with the placeholder as the only row. */
  readonly frame: string;
  readonly placeholder: string;
  readonly rows: readonly unknown[];
}

/**
 * Parses the rows of a large document piece by piece, without blocking the event loop and without holding all original
 * rows in memory. JSON.parse still checks every byte, in a piece or in the frame, and pieces end only at commas between
 * rows, so an invalid document is rejected here too.
 * @returns undefined if the document has no such list
 * @throws SyntaxError if the document is not JSON
 */
export async function splitDocument(
  body: Buffer,
  { member, map }: RowMapping,
  parse: (text: string) => unknown,
  pieceBytes: number,
): Promise<SplitDocument | undefined> {
  const start = findListStart(body, member);
  if (start === undefined) return undefined;
  const rows: unknown[] = [];
  let pieceStart = start;
  let depth = 0;
  let isPartial = false;
  const parsePiece = (end: number): void => {
    const piece = parse(`[${body.toString('utf8', pieceStart, end)}]`) as unknown[];
    // An empty piece beside a comma is valid by itself, but not in the document.
    if (isPartial && piece.length === 0) throw new SyntaxError('a comma without a row');
    for (const row of piece) rows.push(map(row));
  };
  for (let at = start; at < body.length; at += 1) {
    const byte = body[at];
    if (byte === QUOTE) {
      at = findStringEnd(body, at);
    } else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      depth += 1;
    } else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
      if (depth === 0) {
        parsePiece(at);
        const placeholder = `rows of ${body.length} bytes`;
        const frame = `${body.toString('utf8', 0, start)}${JSON.stringify(placeholder)}${body.toString('utf8', at)}`;
        return { frame, placeholder, rows };
      }
      depth -= 1;
    } else if (byte === COMMA && depth === 0 && at - pieceStart >= pieceBytes) {
      isPartial = true;
      parsePiece(at);
      pieceStart = at + 1;
      await yieldToEventLoop();
    }
  }
  throw new SyntaxError('the list does not end');
}

/** The index after the bracket that opens the member's list at the top level of the document. */
function findListStart(body: Buffer, member: string): number | undefined {
  const name = Buffer.from(JSON.stringify(member));
  let depth = 0;
  let isMember = false;
  for (let at = 0; at < body.length; at += 1) {
    const byte = body[at];
    if (byte === QUOTE) {
      const end = findStringEnd(body, at);
      if (depth === 1) isMember = name.equals(body.subarray(at, end + 1));
      at = end;
    } else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      if (byte === OPEN_ARRAY && depth === 1 && isMember) return at + 1;
      depth += 1;
    } else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
      depth -= 1;
    } else if (byte === COMMA && depth === 1) {
      isMember = false;
    }
  }
  return undefined;
}

/** The index of the closing quotation mark, or the length of the body if there is none. */
function findStringEnd(body: Buffer, start: number): number {
  for (let at = start + 1; at < body.length; at += 1) {
    const byte = body[at];
    if (byte === QUOTE) return at;
    if (byte === BACKSLASH) at += 1;
  }
  return body.length;
}
