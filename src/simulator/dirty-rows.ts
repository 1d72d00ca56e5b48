import { ODD_NAMES } from './inventions.js';
import type { Random } from './random.js';
import type { SimulatedLicense } from './row.js';

/**
 * Makes a clean list as dirty as a real one. Each kind is rare: a list with more than a few percent of broken rows
 * would not be believed at all, and here it is the single bad row among good ones that matters.
 * Double spaces and repeated second lines come with the invented addresses.
 */
const BLANK_LICENSE = 0.003;
const BLANK_UBI = 0.005;
const BLANK_NAME = 0.003;
const EXACT_DUPLICATE = 0.002;
const CONFLICTING_DUPLICATE = 0.002;
const NAMESAKE = 0.01;
const ODD_NAME = 0.011;
/** Below this many rows one bad row would already be a large share. */
const FEWEST_ROWS = 100;

export const addDirtyRows = (
  clean: readonly SimulatedLicense[],
  random: Random,
  spared: ReadonlySet<string>,
): readonly SimulatedLicense[] => {
  if (clean.length < FEWEST_ROWS) return clean;
  const rows = [...clean];
  const targets = random.shuffle(
    clean.flatMap((row, index) => (row.ubi !== null && !spared.has(row.ubi) && !row.deleted ? [index] : [])),
  );
  const take = (share: number): SimulatedLicense[] =>
    targets.splice(0, Math.max(2, Math.round(clean.length * share))).flatMap((index) => rows[index] ?? []);
  const put = (row: SimulatedLicense): void => {
    rows[row.id - 1] = row;
  };

  for (const [number, row] of take(BLANK_UBI).entries()) put({ ...row, ubi: BLANKS[number % BLANKS.length] ?? null });
  for (const [number, row] of take(BLANK_NAME).entries()) put({ ...row, name: BLANKS[number % BLANKS.length] ?? null });

  // Quotes, `&`, backslashes, non-ASCII: every odd name once before any comes twice.
  for (const [number, row] of take(ODD_NAME).entries()) {
    put({ ...row, name: ODD_NAMES[number % ODD_NAMES.length] ?? row.name });
  }

  // The same name under several UBIs: a client that keys companies by name collapses these into one.
  const namesakes = take(NAMESAKE);
  const name = namesakes[0]?.name ?? 'NAMESAKE';
  for (const [number, row] of namesakes.entries()) {
    put({ ...row, name: number % 2 === 0 ? name : (namesakes[number - 1]?.name ?? name) });
  }

  const extra: SimulatedLicense[] = take(EXACT_DUPLICATE);
  for (const [number, row] of take(CONFLICTING_DUPLICATE).entries()) extra.push(conflicting(row, number));
  for (const row of take(BLANK_LICENSE)) extra.push({ ...row, location: BLANK_LOCATIONS[extra.length % 2] ?? '' });
  random.shuffle(extra);
  for (const [number, row] of extra.entries()) rows.push({ ...row, id: clean.length + number + 1 });
  return rows;
};

const BLANKS: readonly (string | null)[] = [null, '', null, '   '];
const BLANK_LOCATIONS = ['', '  '] as const;

/** Older, newer, or of the same transaction: only the transaction numbers tell which of the two holds. */
const conflicting = (row: SimulatedLicense, number: number): SimulatedLicense => ({
  ...row,
  name: `${row.name ?? ''} (FORMER)`,
  address1: '1 OLD RD',
  transactionId: row.transactionId + ((number % 3) - 1) * 3,
});
