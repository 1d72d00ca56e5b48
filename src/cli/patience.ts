/** How often a request is repeated, and how long that may take in all. */
export const MOST_REPEATS = 5;
export const MOST_PATIENCE_MS = 120_000;
const FIRST_PAUSE_MS = 250;

/** What became of one attempt. */
export type RequestAttempt =
  | { readonly kind: 'no_connection' }
  | { readonly kind: 'answer'; readonly status: number; readonly code: string; readonly retryAfter: string | null };

/**
 * How long to wait before the same request is sent again; undefined if it is not to be sent again.
 * @param repeats how often it was repeated already
 * @param waitedMs how long all of that took
 */
export function toPauseMs(
  attempt: RequestAttempt,
  repeats: number,
  waitedMs: number,
  patienceMs: number,
  now: () => number = Date.now,
): number | undefined {
  if (repeats >= MOST_REPEATS) return undefined;
  const backoffMs = FIRST_PAUSE_MS * 2 ** repeats;
  const pauseMs = attempt.kind === 'no_connection' ? backoffMs : toAskedPauseMs(attempt, backoffMs, now);
  return pauseMs === undefined || waitedMs + pauseMs > patienceMs ? undefined : pauseMs;
}

function toAskedPauseMs(
  { status, code, retryAfter }: Extract<RequestAttempt, { kind: 'answer' }>,
  backoffMs: number,
  now: () => number,
): number | undefined {
  // The first of two requests with one Idempotency-Key is still at work.
  if (status === 409 && code.startsWith('idempotency')) return backoffMs;
  if (status !== 429 && status !== 503) return undefined;
  if (retryAfter === null) return backoffMs;
  const seconds = Number(retryAfter);
  const askedMs = Number.isFinite(seconds) ? seconds * 1_000 : Date.parse(retryAfter) - now();
  return Number.isFinite(askedMs) ? Math.max(askedMs, 0) : backoffMs;
}
