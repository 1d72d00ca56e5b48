/**
 * A read that many ask for at once, done once for all of them. Who asks while one is under way gets the next one's
 * result: what he is told is never older than his question.
 */
export type SharedRead<T> = (key: string, read: () => Promise<T>) => Promise<T>;

interface Lane<T> {
  readonly underWay: Promise<T>;
  /** For all who asked since it began. */
  next: Promise<T> | undefined;
}

export function createSharedRead<T>(): SharedRead<T> {
  const lanes = new Map<string, Lane<T>>();

  function start(key: string, read: () => Promise<T>): Promise<T> {
    const underWay = read().finally(() => {
      if (lanes.get(key) === lane && lane.next === undefined) lanes.delete(key);
    });
    const lane: Lane<T> = { underWay, next: undefined };
    lanes.set(key, lane);
    return underWay;
  }

  return (key, read) => {
    const lane = lanes.get(key);
    if (lane === undefined) return start(key, read);
    lane.next ??= lane.underWay.then(
      () => start(key, read),
      () => start(key, read),
    );
    return lane.next;
  };
}
