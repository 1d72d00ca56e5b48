import fc from 'fast-check';
import t from 'tap';
import { filterMapYielding, runToCompletion, sortYielding } from '../../src/domain/yielding.js';
import { pickCount } from '../helpers/counts.js';
import { readSeed } from './world.js';

const SEED = readSeed();

/** More than a step's worth, so that there is something to merge. */
const manyNumbers = fc.array(fc.integer({ min: 0, max: 2_000 }), { minLength: 0, maxLength: 3_000, size: 'max' });

t.test(`Sorting in steps is sorting, equals in the order in which they came (seed ${SEED})`, async (t) => {
  const byKey = (a: { key: number }, b: { key: number }): number => a.key - b.key;
  const property = fc.property(manyNumbers, (keys) => {
    const items = keys.map((key, place) => ({ key, place }));
    return JSON.stringify(runToCompletion(sortYielding(items, byKey))) === JSON.stringify([...items].sort(byKey));
  });
  fc.assert(property, { seed: SEED, numRuns: pickCount({ few: 20, full: 100, long: 100 }) });
  const given = [3, 1, 2];
  runToCompletion(sortYielding(given, (a, b) => a - b));
  t.same(given, [3, 1, 2], 'what was given stays as it is');
});

t.test('No step of sorting is a long one', async (t) => {
  const items = Array.from({ length: 20_000 }, (_none, index) => (index * 7_919) % 20_011);
  let [compared, most, steps] = [0, 0, 0];
  const work = sortYielding(items, (a, b) => {
    compared += 1;
    return a - b;
  });
  for (let step = work.next(); step.done !== true; step = work.next()) {
    most = Math.max(most, compared);
    compared = 0;
    steps += 1;
  }
  t.ok(most <= 5_000, `${most} comparisons at most between two turns`);
  t.ok(steps > 200, `${steps} turns`);
});

t.test('Collecting leaves out what is undefined, and only that', async (t) => {
  const kept = runToCompletion(filterMapYielding([0, 1, 2, 3], (item) => (item % 2 === 0 ? item : undefined)));
  t.same(kept, [0, 2]);
});
