export interface CircuitRules {
  /** Consecutive failures of one action that open its circuit. */
  readonly failures: number;
  /** How long the circuit stays open before one call probes the host. */
  readonly openMs: number;
}

export const DEFAULT_CIRCUIT: CircuitRules = { failures: 5, openMs: 30_000 };

export type Admission =
  | { readonly kind: 'admitted'; readonly isProbe: boolean }
  | { readonly kind: 'rejected'; readonly because: 'open' | 'throttled'; readonly waitMs: number };

interface ActionCircuit {
  failures: number;
  /** Undefined: closed. */
  openUntil: number | undefined;
  isProbing: boolean;
}

/**
 * A circuit breaker for one host, shared by all tenants: when the host is down, later calls fail at once instead of
 * waiting for their own deadline. Each action has a circuit of its own, so that a list that hangs never blocks logins,
 * and successful logins do not hide a list that hangs. Times are milliseconds of a monotonic clock.
 */
export class Circuit {
  readonly #rules: CircuitRules;
  readonly #onChange: (kind: 'circuit_opened' | 'circuit_closed', action: string) => void;
  readonly #actions = new Map<string, ActionCircuit>();
  #pausedUntil = Number.NEGATIVE_INFINITY;

  constructor(rules: CircuitRules, onChange: (kind: 'circuit_opened' | 'circuit_closed', action: string) => void) {
    this.#rules = rules;
    this.#onChange = onChange;
  }

  /** An admitted call must end with `recordSuccess`, `recordFailure` or `recordAbort`. */
  admit(action: string, now: number): Admission {
    if (now < this.#pausedUntil) return { kind: 'rejected', because: 'throttled', waitMs: this.#pausedUntil - now };
    const circuit = this.#find(action);
    if (circuit.openUntil === undefined) return { kind: 'admitted', isProbe: false };
    if (now < circuit.openUntil) return { kind: 'rejected', because: 'open', waitMs: circuit.openUntil - now };
    if (circuit.isProbing) return { kind: 'rejected', because: 'open', waitMs: this.#rules.openMs };
    circuit.isProbing = true;
    return { kind: 'admitted', isProbe: true };
  }

  /** The host gave a valid response. A refusal is one. */
  recordSuccess(action: string): void {
    const { openUntil } = this.#find(action);
    this.#actions.delete(action);
    if (openUntil !== undefined) this.#onChange('circuit_closed', action);
  }

  recordFailure(action: string, isProbe: boolean, now: number): void {
    const circuit = this.#find(action);
    circuit.failures += 1;
    if (isProbe) {
      circuit.isProbing = false;
      circuit.openUntil = now + this.#rules.openMs;
    } else if (circuit.openUntil === undefined && circuit.failures >= this.#rules.failures) {
      circuit.openUntil = now + this.#rules.openMs;
      this.#onChange('circuit_opened', action);
    }
  }

  /** The caller canceled the call: neither success nor failure. */
  recordAbort(action: string, isProbe: boolean): void {
    if (isProbe) this.#find(action).isProbing = false;
  }

  /** Rejects all calls until then, as the host requested. */
  pauseUntil(until: number): void {
    this.#pausedUntil = Math.max(this.#pausedUntil, until);
  }

  #find(action: string): ActionCircuit {
    let circuit = this.#actions.get(action);
    if (circuit === undefined) {
      circuit = { failures: 0, openUntil: undefined, isProbing: false };
      this.#actions.set(action, circuit);
    }
    return circuit;
  }
}
