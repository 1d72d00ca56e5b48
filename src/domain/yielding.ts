/** A computation that can pause at each `yield`, so that the process can handle other events in between. */
export type Yielding<Result> = Generator<undefined, Result, undefined>;

/** How long a computation runs before it yields to the event loop; longer only if one of its steps takes longer. */
const SLICE_MS = 4;

/** Runs the computation without pausing. */
export function runToCompletion<Result>(work: Yielding<Result>): Result {
  let step = work.next();
  while (step.done !== true) step = work.next();
  return step.value;
}

/** Runs the computation, and yields to the event loop every few milliseconds. */
export async function runYielding<Result>(work: Yielding<Result>): Promise<Result> {
  let since = performance.now();
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
    if (performance.now() - since < SLICE_MS) continue;
    await new Promise(setImmediate);
    since = performance.now();
  }
}

/** Small enough that a step takes one or two milliseconds. */
const ITEMS_PER_STEP = 500;

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

export function* mapYielding<Item, Result>(
  items: Iterable<Item>,
  toResult: (item: Item, index: number) => Result,
): Yielding<Result[]> {
  const results: Result[] = [];
  yield* forEachYielding(items, (item, index) => results.push(toResult(item, index)));
  return results;
}

/** Maps the items, and omits those whose result is undefined. */
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

/** A stable sort, like `toSorted`. */
export function* sortYielding<Item>(items: readonly Item[], compare: (a: Item, b: Item) => number): Yielding<Item[]> {
  let runs: Item[][] = [];
  for (let start = 0; start < items.length; start += ITEMS_PER_STEP) {
    runs.push(items.slice(start, start + ITEMS_PER_STEP).sort(compare));
    yield;
  }
  while (runs.length > 1) {
    const merged: Item[][] = [];
    for (let index = 0; index < runs.length; index += 2)
      merged.push(yield* mergeYielding(runs[index] as Item[], runs[index + 1] ?? [], compare));
    runs = merged;
  }
  return runs[0] ?? [];
}

function* mergeYielding<Item>(
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

export const mapAsync = <Item, Result>(
  items: Iterable<Item>,
  toResult: (item: Item, index: number) => Result,
): Promise<Result[]> => runYielding(mapYielding(items, toResult));
