export interface CircuitRules {
  /** Consecutive failures of one action that open the circuit. */
  readonly failures: number;
  /** How long the circuit stays open before one call probes the host. */
  readonly openMs: number;
}

export const DEFAULT_CIRCUIT: CircuitRules = { failures: 5, openMs: 30_000 };

export type Admission =
  | { readonly kind: 'admitted'; readonly isProbe: boolean }
  | { readonly kind: 'rejected'; readonly because: 'open' | 'throttled'; readonly waitMs: number };

/**
 * A circuit breaker for one host, shared by all tenants: when the host is down, later calls fail at once instead of
 * waiting for their own deadline. Failures are counted per action, so that successful logins do not hide a failing list.
 */
export class Circuit {
  readonly #rules: CircuitRules;
  readonly #onChange: (kind: 'circuit_opened' | 'circuit_closed') => void;
  readonly #failures = new Map<string, number>();
  #openUntil: number | undefined;
  #isProbing = false;
  #pausedUntil = 0;

  constructor(rules: CircuitRules, onChange: (kind: 'circuit_opened' | 'circuit_closed') => void) {
    this.#rules = rules;
    this.#onChange = onChange;
  }

  /** An admitted call must end with `recordSuccess`, `recordFailure` or `recordAbort`. */
  admit(now: number): Admission {
    if (now < this.#pausedUntil) return { kind: 'rejected', because: 'throttled', waitMs: this.#pausedUntil - now };
    if (this.#openUntil === undefined) return { kind: 'admitted', isProbe: false };
    if (now < this.#openUntil) return { kind: 'rejected', because: 'open', waitMs: this.#openUntil - now };
    if (this.#isProbing) return { kind: 'rejected', because: 'open', waitMs: this.#rules.openMs };
    this.#isProbing = true;
    return { kind: 'admitted', isProbe: true };
  }

  /** The host gave a valid response. A refusal is one. */
  recordSuccess(action: string): void {
    this.#failures.delete(action);
    this.#isProbing = false;
    if (this.#openUntil === undefined) return;
    this.#openUntil = undefined;
    this.#onChange('circuit_closed');
  }

  recordFailure(action: string, isProbe: boolean, now: number): void {
    const failures = (this.#failures.get(action) ?? 0) + 1;
    this.#failures.set(action, failures);
    if (isProbe) {
      this.#isProbing = false;
      this.#openUntil = now + this.#rules.openMs;
    } else if (this.#openUntil === undefined && failures >= this.#rules.failures) {
      this.#openUntil = now + this.#rules.openMs;
      this.#onChange('circuit_opened');
    }
  }

  /** The caller canceled the call: neither success nor failure. */
  recordAbort(isProbe: boolean): void {
    if (isProbe) this.#isProbing = false;
  }

  /** Rejects calls until then, as the host requested. */
  pauseUntil(until: number): void {
    this.#pausedUntil = Math.max(this.#pausedUntil, until);
  }
}
