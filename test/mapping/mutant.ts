// Checks random histories against every law, and exits with 1 at the first violation. Not a test file:
// `npm run test:mutation` runs it for each mutant of the mapping, beside the table tests.
import process from 'node:process';
import fc from 'fast-check';
import { checkLaws } from './laws.js';
import { createTally, historyOf, MIDDLE, play, REAL, readSeed, SMALL } from './world.js';

for (const [size, numRuns] of [
  [SMALL, 600],
  [MIDDLE, 12],
] as const) {
  const property = fc.property(historyOf(size), (history) => {
    play(REAL, history, createTally(), (sync, isLast) => checkLaws(sync, isLast, new Map()));
  });
  const { failed } = fc.check(property, { seed: readSeed(), numRuns, endOnFailure: true });
  if (failed) process.exit(1);
}
