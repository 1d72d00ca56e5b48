export interface CircuitRules {
  /** So many failures in a row, and the host is left alone. */
  readonly failures: number;
  /** For so long; then one call tries whether it is back. */
  readonly openMs: number;
}

export const DEFAULT_CIRCUIT: CircuitRules = { failures: 5, openMs: 30_000 };

export type Admission =
  | { readonly kind: 'admitted'; readonly isTrial: boolean }
  | { readonly kind: 'refused'; readonly because: 'open' | 'throttled'; readonly waitMs: number };

/**
 * Keeps calls from a host that is ill, or that asked for a pause. One for each host, shared by all tenants: when a
 * state's system is down, the second tenant need not wait for the same deadline to learn it. Failures are counted for
 * each action: a host whose logins work and whose list hangs is ill.
 */
export class Circuit {
  readonly #rules: CircuitRules;
  readonly #onTurn: (kind: 'circuit_opened' | 'circuit_closed') => void;
  readonly #failures = new Map<string, number>();
  #openUntil: number | undefined;
  #hasTrial = false;
  #pausedUntil = 0;

  constructor(rules: CircuitRules, onTurn: (kind: 'circuit_opened' | 'circuit_closed') => void) {
    this.#rules = rules;
    this.#onTurn = onTurn;
  }

  admit(now: number): Admission {
    if (now < this.#pausedUntil) return { kind: 'refused', because: 'throttled', waitMs: this.#pausedUntil - now };
    if (this.#openUntil === undefined) return { kind: 'admitted', isTrial: false };
    if (now < this.#openUntil) return { kind: 'refused', because: 'open', waitMs: this.#openUntil - now };
    if (this.#hasTrial) return { kind: 'refused', because: 'open', waitMs: this.#rules.openMs };
    this.#hasTrial = true;
    return { kind: 'admitted', isTrial: true };
  }

  /** The host said something that makes sense, be it a refusal. */
  succeeded(action: string): void {
    this.#failures.delete(action);
    this.#hasTrial = false;
    if (this.#openUntil === undefined) return;
    this.#openUntil = undefined;
    this.#onTurn('circuit_closed');
  }

  failed(action: string, isTrial: boolean, now: number): void {
    const failures = (this.#failures.get(action) ?? 0) + 1;
    this.#failures.set(action, failures);
    if (isTrial) {
      this.#hasTrial = false;
      this.#openUntil = now + this.#rules.openMs;
    } else if (this.#openUntil === undefined && failures >= this.#rules.failures) {
      this.#openUntil = now + this.#rules.openMs;
      this.#onTurn('circuit_opened');
    }
  }

  /** Nothing was learned: the caller went away. */
  left(isTrial: boolean): void {
    if (isTrial) this.#hasTrial = false;
  }

  pause(until: number): void {
    this.#pausedUntil = Math.max(this.#pausedUntil, until);
  }
}
