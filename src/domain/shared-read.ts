/**
 * Coalesces concurrent reads of the same key. A call that arrives during a read shares the next read instead of the current
 * one, so no result is older than the call that returns it.
 */
export type SharedRead<T> = (key: string, read: () => Promise<T>) => Promise<T>;

interface Reads<T> {
  readonly current: Promise<T>;
  /** Shared by all calls since `current` started. */
  next: Promise<T> | undefined;
}

export function createSharedRead<T>(): SharedRead<T> {
  const readsByKey = new Map<string, Reads<T>>();

  function start(key: string, read: () => Promise<T>): Promise<T> {
    const current = read().finally(() => {
      if (readsByKey.get(key) === reads && reads.next === undefined) readsByKey.delete(key);
    });
    const reads: Reads<T> = { current, next: undefined };
    readsByKey.set(key, reads);
    return current;
  }

  return (key, read) => {
    const reads = readsByKey.get(key);
    if (reads === undefined) return start(key, read);
    reads.next ??= reads.current.then(
      () => start(key, read),
      () => start(key, read),
    );
    return reads.next;
  };
}
