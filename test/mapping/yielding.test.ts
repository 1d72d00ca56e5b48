import fc from 'fast-check';
import t from 'tap';
import { filterMapYielding, runToCompletion, sortYielding } from '../../src/domain/yielding.js';
import { pickCount } from '../helpers/counts.js';
import { readSeed } from './world.js';

const SEED = readSeed();

/** More than one step's worth, so that there is something to merge. */
const manyNumbers = fc.array(fc.integer({ min: 0, max: 2_000 }), { minLength: 0, maxLength: 3_000, size: 'max' });

t.test(`sortYielding sorts like a stable sort (seed ${SEED})`, async (t) => {
  const byKey = (a: { key: number }, b: { key: number }): number => a.key - b.key;
  const property = fc.property(manyNumbers, (keys) => {
    const items = keys.map((key, index) => ({ key, index }));
    return JSON.stringify(runToCompletion(sortYielding(items, byKey))) === JSON.stringify([...items].sort(byKey));
  });
  fc.assert(property, { seed: SEED, numRuns: pickCount({ few: 20, full: 100, long: 100 }) });
  const given = [3, 1, 2];
  runToCompletion(sortYielding(given, (a, b) => a - b));
  t.same(given, [3, 1, 2], 'does not change its input');
});

t.test('sortYielding yields often', async (t) => {
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
  t.ok(most <= 5_000, `${most} comparisons at most between two yields`);
  t.ok(steps > 200, `${steps} yields`);
});

t.test('filterMapYielding omits undefined results only', async (t) => {
  const kept = runToCompletion(filterMapYielding([0, 1, 2, 3], (item) => (item % 2 === 0 ? item : undefined)));
  t.same(kept, [0, 2]);
});
