import { setImmediate as yieldToEventLoop } from 'node:timers/promises';
import type { Random } from './random.js';
import type { WireRow } from './row-writer.js';

export interface ListShape {
  readonly shuffleKeys: boolean;
  readonly shuffleRows: boolean;
}

/** Rows written before yielding to the event loop. */
const ROWS_PER_SLICE = 4_000;

/** Writes rows and further elements as comma-separated JSON, in pieces. The key order is random in each row. */
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
  let rowsInSlice = 0;
  for (const row of ordered) {
    const fields = write(row);
    piece += isFirst ? '{' : ',{';
    piece += (shape.shuffleKeys ? random.shuffle([...fields]) : fields).join(',');
    piece += '}';
    isFirst = false;
    rowsInSlice += 1;
    if (rowsInSlice === ROWS_PER_SLICE) {
      pieces.push(Buffer.from(piece, 'utf8'));
      piece = '';
      rowsInSlice = 0;
      await yieldToEventLoop();
    }
  }
  for (const element of elements) {
    piece += isFirst ? element : `,${element}`;
    isFirst = false;
  }
  pieces.push(Buffer.from(piece, 'utf8'));
  return pieces;
};

/** Writes a JSON object with members that can be long. With `random`, their order is random too. */
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

export const toJsonArray = (pieces: readonly Buffer[]): Buffer[] => [Buffer.from('['), ...pieces, Buffer.from(']')];

export const byteLength = (pieces: readonly Buffer[]): number =>
  pieces.reduce((total, piece) => total + piece.length, 0);
