import { performance } from 'node:perf_hooks';

/** Seconds since the start. Can be advanced, so that a test need not wait for a session to expire. */
export class Clock {
  #advancedSeconds = 0;

  get seconds(): number {
    return performance.now() / 1_000 + this.#advancedSeconds;
  }

  get advancedSeconds(): number {
    return this.#advancedSeconds;
  }

  advance(seconds: number): void {
    this.#advancedSeconds += seconds;
  }
}
