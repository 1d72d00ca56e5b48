/** The rows of a list inside of an answer, and what is made of each as it is read. */
export interface RowReading {
  /** The member of the answer that holds them. */
  readonly member: string;
  map(row: unknown): unknown;
}

/** So many rows are converted before other requests get their turn. */
const ROWS_PER_TURN = 1_000;

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

const nextTurn = (): Promise<void> => new Promise(setImmediate);

export async function mapRows(rows: readonly unknown[], map: RowReading['map']): Promise<unknown[]> {
  const mapped: unknown[] = [];
  for (const [index, row] of rows.entries()) {
    if (index % ROWS_PER_TURN === ROWS_PER_TURN - 1) await nextTurn();
    mapped.push(map(row));
  }
  return mapped;
}

export interface SplitDocument {
  /** The document with one text in place of all rows. */
  readonly frame: string;
  readonly placeholder: string;
  readonly rows: readonly unknown[];
}

/**
 * Reads the rows of a large document piece by piece, so that neither the process stands still nor all rows lie in memory
 * as they came. Every byte is still judged by JSON.parse, in a piece or in the frame, and pieces end at commas between
 * rows alone: what is no JSON as a whole is none here.
 * @returns undefined if the document has no such list
 * @throws SyntaxError for what is no JSON
 */
export async function splitDocument(
  body: Buffer,
  { member, map }: RowReading,
  parse: (text: string) => unknown,
  pieceBytes: number,
): Promise<SplitDocument | undefined> {
  const start = findList(body, member);
  if (start === undefined) return undefined;
  const rows: unknown[] = [];
  let pieceStart = start;
  let depth = 0;
  let isPartial = false;
  const take = (end: number): void => {
    const piece = parse(`[${body.toString('utf8', pieceStart, end)}]`) as unknown[];
    // Nothing before or after a comma is no JSON, though each piece by itself is.
    if (isPartial && piece.length === 0) throw new SyntaxError('a comma without a row');
    for (const row of piece) rows.push(map(row));
  };
  for (let at = start; at < body.length; at += 1) {
    const byte = body[at];
    if (byte === QUOTE) {
      at = findEndOfText(body, at);
    } else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      depth += 1;
    } else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
      if (depth === 0) {
        take(at);
        const placeholder = `rows of ${body.length} bytes`;
        const frame = `${body.toString('utf8', 0, start)}${JSON.stringify(placeholder)}${body.toString('utf8', at)}`;
        return { frame, placeholder, rows };
      }
      depth -= 1;
    } else if (byte === COMMA && depth === 0 && at - pieceStart >= pieceBytes) {
      isPartial = true;
      take(at);
      pieceStart = at + 1;
      await nextTurn();
    }
  }
  throw new SyntaxError('the list does not end');
}

/** The byte after the bracket that opens the member's list, in an object that is the whole document. */
function findList(body: Buffer, member: string): number | undefined {
  const name = Buffer.from(JSON.stringify(member));
  let depth = 0;
  let isMember = false;
  for (let at = 0; at < body.length; at += 1) {
    const byte = body[at];
    if (byte === QUOTE) {
      const end = findEndOfText(body, at);
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

/** Where its closing quote is; the end of the body if there is none. */
function findEndOfText(body: Buffer, start: number): number {
  for (let at = start + 1; at < body.length; at += 1) {
    const byte = body[at];
    if (byte === QUOTE) return at;
    if (byte === BACKSLASH) at += 1;
  }
  return body.length;
}
