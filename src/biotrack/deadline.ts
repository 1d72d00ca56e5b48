/** Its own reason, so that the end of the time can be told from a caller who went away. */
class TimeIsUp extends Error {}

/**
 * The time that a whole piece of work has, with all its attempts and waits. undici's own time-outs are a second coarse,
 * and its body time-out begins anew with every byte of a drip.
 */
export class Deadline {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly #endsAt: number;
  readonly #caller: AbortSignal | undefined;
  readonly #onCallerGone: () => void;

  constructor(durationMs: number, caller: AbortSignal | undefined) {
    this.#endsAt = performance.now() + durationMs;
    this.#timer = setTimeout(() => this.#controller.abort(new TimeIsUp()), durationMs);
    this.#caller = caller;
    this.#onCallerGone = () => this.#controller.abort(caller?.reason);
    if (caller?.aborted === true) this.#onCallerGone();
    else caller?.addEventListener('abort', this.#onCallerGone, { once: true });
  }

  /** Fires when the time is up or the caller has gone. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get remainingMs(): number {
    return Math.max(0, this.#endsAt - performance.now());
  }

  get isTimeUp(): boolean {
    return this.#controller.signal.reason instanceof TimeIsUp;
  }

  /** Has to be called when the work is done: nothing may be left that waits. */
  close(): void {
    clearTimeout(this.#timer);
    this.#caller?.removeEventListener('abort', this.#onCallerGone);
  }
}
