/** Work that can be left at each `yield`, so that others are not kept waiting by it, and taken up again. */
export type Turns<Result> = Generator<undefined, Result, undefined>;

/** A turn takes as long at most, or as long as the work's own longest step. */
const TURN_MS = 4;

/** Does the work with nobody in between. */
export function finish<Result>(work: Turns<Result>): Result {
  let step = work.next();
  while (step.done !== true) step = work.next();
  return step.value;
}

/** Does the work so that whoever else waits in this process gets his turn. */
export async function inTurns<Result>(work: Turns<Result>): Promise<Result> {
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
export function* eachInSteps<Item>(items: Iterable<Item>, visit: (item: Item, index: number) => void): Turns<void> {
  let index = 0;
  for (const item of items) {
    visit(item, index);
    index += 1;
    if (index % ITEMS_PER_STEP === 0) yield;
  }
}

/** Makes another list of a list, and can be left after every few items. */
export function* mapInSteps<Item, Result>(
  items: Iterable<Item>,
  toResult: (item: Item, index: number) => Result,
): Turns<Result[]> {
  const results: Result[] = [];
  yield* eachInSteps(items, (item, index) => results.push(toResult(item, index)));
  return results;
}

/** The same, with turns for others in between. */
export const mapInTurns = <Item, Result>(
  items: Iterable<Item>,
  toResult: (item: Item, index: number) => Result,
): Promise<Result[]> => inTurns(mapInSteps(items, toResult));
