/** Work that can be left at each `yield`, so that others are not kept waiting by it, and taken up again. */
export type Yielding<Result> = Generator<undefined, Result, undefined>;

/** A turn takes as long at most, or as long as the work's own longest step. */
const TURN_MS = 4;

/** Does the work with nobody in between. */
export function runToCompletion<Result>(work: Yielding<Result>): Result {
  let step = work.next();
  while (step.done !== true) step = work.next();
  return step.value;
}

/** Does the work so that whoever else waits in this process gets his turn. */
export async function runYielding<Result>(work: Yielding<Result>): Promise<Result> {
  let since = performance.now();
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
    if (performance.now() - since < TURN_MS) continue;
    await new Promise(setImmediate);
    since = performance.now();
  }
}

/** Small enough for a step to take a millisecond or two. */
const ITEMS_PER_STEP = 500;

/** Goes through a list, and can be left after every few items. */
export function* forEachYielding<Item>(
  items: Iterable<Item>,
  visit: (item: Item, index: number) => void,
): Yielding<void> {
  let index = 0;
  for (const item of items) {
    visit(item, index);
    index += 1;
    if (index % ITEMS_PER_STEP === 0) yield;
  }
}

/** Makes another list of a list, and can be left after every few items. */
export function* mapYielding<Item, Result>(
  items: Iterable<Item>,
  toResult: (item: Item, index: number) => Result,
): Yielding<Result[]> {
  const results: Result[] = [];
  yield* forEachYielding(items, (item, index) => results.push(toResult(item, index)));
  return results;
}

/** Leaves out what is not wanted and makes another list of the rest, and can be left after every few items. */
export function* filterMapYielding<Item, Result>(
  items: Iterable<Item>,
  toResult: (item: Item) => Result | undefined,
): Yielding<Result[]> {
  const results: Result[] = [];
  yield* forEachYielding(items, (item) => {
    const result = toResult(item);
    if (result !== undefined) results.push(result);
  });
  return results;
}

/** Sorts as `toSorted` does, equals in the order in which they came, and can be left after every few comparisons. */
export function* sortYielding<Item>(items: readonly Item[], compare: (a: Item, b: Item) => number): Yielding<Item[]> {
  let runs: Item[][] = [];
  for (let start = 0; start < items.length; start += ITEMS_PER_STEP) {
    runs.push(items.slice(start, start + ITEMS_PER_STEP).sort(compare));
    yield;
  }
  while (runs.length > 1) {
    const merged: Item[][] = [];
    for (let index = 0; index < runs.length; index += 2)
      merged.push(yield* mergeInSteps(runs[index] as Item[], runs[index + 1] ?? [], compare));
    runs = merged;
  }
  return runs[0] ?? [];
}

function* mergeInSteps<Item>(
  left: readonly Item[],
  right: readonly Item[],
  compare: (a: Item, b: Item) => number,
): Yielding<Item[]> {
  const merged: Item[] = [];
  let [fromLeft, fromRight] = [0, 0];
  while (fromLeft < left.length || fromRight < right.length) {
    const isRight =
      fromLeft === left.length ||
      (fromRight < right.length && compare(right[fromRight] as Item, left[fromLeft] as Item) < 0);
    merged.push((isRight ? right[fromRight] : left[fromLeft]) as Item);
    if (isRight) fromRight += 1;
    else fromLeft += 1;
    if (merged.length % ITEMS_PER_STEP === 0) yield;
  }
  return merged;
}

/** The same as `mapInSteps`, with turns for others in between. */
export const mapAsync = <Item, Result>(
  items: Iterable<Item>,
  toResult: (item: Item, index: number) => Result,
): Promise<Result[]> => runYielding(mapYielding(items, toResult));
