import { type LinkedSignal, linkSignals } from '../domain/linked-signal.js';

/**
 * The time limit of a whole operation, all attempts and waits included. undici's own timeouts do not serve: their
 * resolution is one second, and the body timeout restarts with every received byte.
 */
export class Deadline {
  readonly #linked: LinkedSignal;
  readonly #endsAt: number;

  constructor(durationMs: number, caller: AbortSignal | undefined) {
    this.#endsAt = performance.now() + durationMs;
    this.#linked = linkSignals([caller], durationMs);
  }

  /** Fires when the deadline is exceeded or the caller aborts. */
  get signal(): AbortSignal {
    return this.#linked.signal;
  }

  get remainingMs(): number {
    return Math.max(0, this.#endsAt - performance.now());
  }

  get isExceeded(): boolean {
    return this.#linked.isTimedOut;
  }

  /** Must be called when the operation ends: it clears the timer and the listener. */
  close(): void {
    this.#linked.dispose();
  }
}
