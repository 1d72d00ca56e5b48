import { setTimeout as pause } from 'node:timers/promises';

/**
 * How long a test waits for something that must happen: far longer than it takes, so that a test fails when it does not
 * happen and not when the machine is busy. How long things take is measured by the benchmark.
 */
export const PATIENCE_MS = 180_000;

/** Repeats `look` until it returns something else than `undefined` or `false`, and returns that. */
export async function until<T>(what: string, look: () => Promise<T | undefined | false>): Promise<T> {
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end; await pause(25)) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
  }
  throw new Error(`waited in vain: ${what}`);
}
