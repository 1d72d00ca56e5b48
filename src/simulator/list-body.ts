import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Random } from './random.js';
import type { WireRow } from './row-writer.js';

export interface ListShape {
  readonly shuffleKeys: boolean;
  readonly shuffleRows: boolean;
}

/** So many rows are written before other calls get their turn. */
const ROWS_PER_TURN = 4_000;

/**
 * The rows as JSON array elements, commas included, in pieces. Key order is drawn per row and answer.
 * `write` is called row by row, so that the texts of 100,000 rows need not be made at once.
 */
export const writeRows = async <Row>(
  rows: readonly Row[],
  write: (row: Row) => WireRow,
  elements: readonly string[],
  shape: ListShape,
  random: Random,
): Promise<Buffer[]> => {
  const ordered = shape.shuffleRows ? random.shuffle([...rows]) : rows;
  const pieces: Buffer[] = [];
  let piece = '';
  let isFirst = true;
  let sinceTurn = 0;
  for (const row of ordered) {
    const fields = write(row);
    piece += isFirst ? '{' : ',{';
    piece += (shape.shuffleKeys ? random.shuffle([...fields]) : fields).join(',');
    piece += '}';
    isFirst = false;
    sinceTurn += 1;
    if (sinceTurn === ROWS_PER_TURN) {
      pieces.push(Buffer.from(piece, 'utf8'));
      piece = '';
      sinceTurn = 0;
      await nextTurn();
    }
  }
  for (const element of elements) {
    piece += isFirst ? element : `,${element}`;
    isFirst = false;
  }
  pieces.push(Buffer.from(piece, 'utf8'));
  return pieces;
};

/** A JSON object out of members that may be long; their order is drawn too. */
export const writeObject = (
  members: readonly (readonly [key: string, value: readonly Buffer[]])[],
  random: Random | undefined,
): Buffer[] => {
  const ordered = random === undefined ? members : random.shuffle([...members]);
  const pieces: Buffer[] = [];
  for (const [index, [key, value]] of ordered.entries()) {
    pieces.push(Buffer.from(`${index === 0 ? '{' : ','}${JSON.stringify(key)}:`, 'utf8'), ...value);
  }
  pieces.push(Buffer.from(ordered.length === 0 ? '{}' : '}', 'utf8'));
  return pieces;
};

export const inBrackets = (pieces: readonly Buffer[]): Buffer[] => [Buffer.from('['), ...pieces, Buffer.from(']')];

export const byteLength = (pieces: readonly Buffer[]): number =>
  pieces.reduce((total, piece) => total + piece.length, 0);
