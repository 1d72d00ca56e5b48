// What a mutant of the heart has to live through beside the table tests: histories under every law, ended by the first
// that breaks one. Not a test file: `npm run test:mutation` runs it once for each mutant.
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
