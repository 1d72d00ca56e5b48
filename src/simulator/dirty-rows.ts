import type { Random } from './random.js';
import type { SimulatedLicense } from './row.js';
import { ODD_NAMES } from './sample-data.js';

/**
 * Shares of rows that are made as dirty as in real lists. Each kind is rare, because clients reject a list with more
 * than a few percent of invalid rows. Double spaces and repeated address lines come with the generated addresses.
 */
const BLANK_LICENSE = 0.003;
const BLANK_UBI = 0.005;
const BLANK_NAME = 0.003;
const EXACT_DUPLICATE = 0.002;
const CONFLICTING_DUPLICATE = 0.002;
const NAMESAKE = 0.01;
const ODD_NAME = 0.011;
/** In a shorter list, a single invalid row would already be a large share. */
const MIN_ROWS = 100;

export const addDirtyRows = (
  clean: readonly SimulatedLicense[],
  random: Random,
  cleanUbis: ReadonlySet<string>,
): readonly SimulatedLicense[] => {
  if (clean.length < MIN_ROWS) return clean;
  const rows = [...clean];
  const targets = random.shuffle(
    clean.flatMap((row, index) => (row.ubi !== null && !cleanUbis.has(row.ubi) && !row.deleted ? [index] : [])),
  );
  const pickTargets = (share: number): SimulatedLicense[] =>
    targets.splice(0, Math.max(2, Math.round(clean.length * share))).flatMap((index) => rows[index] ?? []);
  const replace = (row: SimulatedLicense): void => {
    rows[row.id - 1] = row;
  };

  for (const [number, row] of pickTargets(BLANK_UBI).entries())
    replace({ ...row, ubi: BLANKS[number % BLANKS.length] ?? null });
  for (const [number, row] of pickTargets(BLANK_NAME).entries())
    replace({ ...row, name: BLANKS[number % BLANKS.length] ?? null });

  // Uses every odd name once before repeating any.
  for (const [number, row] of pickTargets(ODD_NAME).entries()) {
    replace({ ...row, name: ODD_NAMES[number % ODD_NAMES.length] ?? row.name });
  }

  // The same name under several UBIs catches clients that identify companies by name.
  const namesakes = pickTargets(NAMESAKE);
  const name = namesakes[0]?.name ?? 'NAMESAKE';
  for (const [number, row] of namesakes.entries()) {
    replace({ ...row, name: number % 2 === 0 ? name : (namesakes[number - 1]?.name ?? name) });
  }

  const extra: SimulatedLicense[] = pickTargets(EXACT_DUPLICATE);
  for (const [number, row] of pickTargets(CONFLICTING_DUPLICATE).entries()) extra.push(conflicting(row, number));
  for (const row of pickTargets(BLANK_LICENSE))
    extra.push({ ...row, location: BLANK_LOCATIONS[extra.length % 2] ?? '' });
  random.shuffle(extra);
  for (const [number, row] of extra.entries()) rows.push({ ...row, id: clean.length + number + 1 });
  return rows;
};

const BLANKS: readonly (string | null)[] = [null, '', null, '   '];
const BLANK_LOCATIONS = ['', '  '] as const;

/** A second version of the row with an older, newer or equal transaction number, which decides which one is valid. */
const conflicting = (row: SimulatedLicense, number: number): SimulatedLicense => ({
  ...row,
  name: `${row.name ?? ''} (FORMER)`,
  address1: '1 OLD RD',
  transactionId: row.transactionId + ((number % 3) - 1) * 3,
});
