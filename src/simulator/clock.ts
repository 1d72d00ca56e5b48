import { performance } from 'node:perf_hooks';

/** Counts seconds since the start; a command can put it forward, so that a test need not wait for a session to end. */
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
