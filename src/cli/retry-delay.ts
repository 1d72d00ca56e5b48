export const MAX_RETRIES = 5;
export const MAX_RETRY_MS = 120_000;
const FIRST_DELAY_MS = 250;

/** A failed attempt of a request. */
export type RequestAttempt =
  | { readonly kind: 'no_connection' }
  | { readonly kind: 'response'; readonly status: number; readonly code: string; readonly retryAfter: string | null };

export interface RetryState {
  /** Retries so far. */
  readonly retries: number;
  /** Total delay so far. */
  readonly waitedMs: number;
  /** Limit of the total delay. */
  readonly maxRetryMs: number;
}

/** The delay before the same request is sent again; undefined if it must not be. */
export function toRetryDelayMs(
  attempt: RequestAttempt,
  { retries, waitedMs, maxRetryMs }: RetryState,
  now: () => number = Date.now,
): number | undefined {
  if (retries >= MAX_RETRIES) return undefined;
  const backoffMs = FIRST_DELAY_MS * 2 ** retries;
  const delayMs = attempt.kind === 'no_connection' ? backoffMs : toResponseDelayMs(attempt, backoffMs, now);
  return delayMs === undefined || waitedMs + delayMs > maxRetryMs ? undefined : delayMs;
}

function toResponseDelayMs(
  { status, code, retryAfter }: Extract<RequestAttempt, { kind: 'response' }>,
  backoffMs: number,
  now: () => number,
): number | undefined {
  // An earlier attempt with the same Idempotency-Key is still in progress.
  if (status === 409 && code.startsWith('idempotency')) return backoffMs;
  // A user should check the password before it is sent again.
  if (code === 'logins_held') return undefined;
  if (status !== 429 && status !== 503 && code !== 'sync_in_progress') return undefined;
  if (retryAfter === null) return backoffMs;
  const seconds = Number(retryAfter);
  const requestedMs = Number.isFinite(seconds) ? seconds * 1_000 : Date.parse(retryAfter) - now();
  return Number.isFinite(requestedMs) ? Math.max(requestedMs, 0) : backoffMs;
}
