import { LRUCache } from 'lru-cache';

/** Failures of the state's list after its callers stopped waiting, for their next calls. */
export interface ListFailures {
  save(caller: string, error: Error): void;
  /** Each failure is returned once. */
  take(caller: string): Error | undefined;
}

/** Long enough for a user who retries by hand. */
const TTL_MS = 10 * 60_000;
const MAX_FAILURES = 10_000;

export function createListFailures(): ListFailures {
  const failures = new LRUCache<string, Error>({ max: MAX_FAILURES, ttl: TTL_MS });
  return {
    save(caller, error) {
      failures.set(caller, error);
    },
    take(caller) {
      const failure = failures.get(caller);
      failures.delete(caller);
      return failure;
    },
  };
}
