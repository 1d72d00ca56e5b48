/** A reason of its own, to distinguish an exceeded deadline from a caller's abort. */
class DeadlineExceeded extends Error {}

/**
 * The time limit of a whole operation, all attempts and waits included. undici's own timeouts do not serve: their
 * resolution is one second, and the body timeout restarts with every received byte.
 */
export class Deadline {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly #endsAt: number;
  readonly #caller: AbortSignal | undefined;
  readonly #onCallerAbort: () => void;

  constructor(durationMs: number, caller: AbortSignal | undefined) {
    this.#endsAt = performance.now() + durationMs;
    this.#timer = setTimeout(() => this.#controller.abort(new DeadlineExceeded()), durationMs);
    this.#caller = caller;
    this.#onCallerAbort = () => this.#controller.abort(caller?.reason);
    if (caller?.aborted === true) this.#onCallerAbort();
    else caller?.addEventListener('abort', this.#onCallerAbort, { once: true });
  }

  /** Fires when the deadline is exceeded or the caller aborts. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get remainingMs(): number {
    return Math.max(0, this.#endsAt - performance.now());
  }

  get isExceeded(): boolean {
    return this.#controller.signal.reason instanceof DeadlineExceeded;
  }

  /** Must be called when the operation ends: it clears the timer and the listener. */
  close(): void {
    clearTimeout(this.#timer);
    this.#caller?.removeEventListener('abort', this.#onCallerAbort);
  }
}
