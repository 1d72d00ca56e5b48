import { ConnectionError, isProblem, type ProblemError } from './errors.js';

export interface RetryPolicy {
  /** How often a request is sent again. Defaults to 5; 0 disables retries. */
  readonly maxRetries: number;
  /** The limit of all delays of a request. A request that would have to wait longer fails at once. Defaults to 120,000. */
  readonly maxTotalMs: number;
  /** The first delay without `Retry-After`; each further one is twice as long. Defaults to 250. */
  readonly firstDelayMs: number;
  /** The longest delay without `Retry-After`. Defaults to 30,000. */
  readonly maxDelayMs: number;
  /** Whether requests are sent again if there was no connection. Defaults to true. */
  readonly retryConnections: boolean;
}

export const DEFAULT_RETRY_POLICY: RetryPolicy = {
  maxRetries: 5,
  maxTotalMs: 120_000,
  firstDelayMs: 250,
  maxDelayMs: 30_000,
  retryConnections: true,
};

export interface FailedAttempt {
  readonly error: ProblemError | ConnectionError;
  /** Retries so far. */
  readonly retries: number;
  /** Total delay so far. */
  readonly waitedMs: number;
  /** Whether the request takes effect once, however often it is sent. */
  readonly isRepeatable: boolean;
}

/** The delay before the same request is sent again; undefined if it must not be. */
export function toRetryDelayMs(
  { error, retries, waitedMs, isRepeatable }: FailedAttempt,
  policy: RetryPolicy = DEFAULT_RETRY_POLICY,
  random: () => number = Math.random,
): number | undefined {
  if (retries >= policy.maxRetries) return undefined;
  if (!isRetryable(error, isRepeatable, policy)) return undefined;
  const delayMs = ('retryAfterMs' in error ? error.retryAfterMs : undefined) ?? toBackoffMs(retries, policy, random);
  return waitedMs + delayMs > policy.maxTotalMs ? undefined : delayMs;
}

/** Doubles with each retry, and varies by up to half, so that many clients do not return at the same time. */
export function toBackoffMs(
  retries: number,
  { firstDelayMs, maxDelayMs }: Pick<RetryPolicy, 'firstDelayMs' | 'maxDelayMs'>,
  random: () => number = Math.random,
): number {
  return Math.round(Math.min(firstDelayMs * 2 ** retries, maxDelayMs) * (0.5 + random() / 2));
}

function isRetryable(
  error: ProblemError | ConnectionError,
  isRepeatable: boolean,
  { retryConnections }: RetryPolicy,
): boolean {
  // A request that timed out has already taken long.
  if (error instanceof ConnectionError) return isRepeatable && retryConnections && error.reason !== 'timeout';
  // Another attempt with the wrong password could lock the user at BioTrack.
  if (isProblem(error, 'logins_held')) return false;
  // The first two ask to retry; 503 without an effect, or with one that the Idempotency-Key or ETag keeps from doubling.
  if (isProblem(error, 'idempotency_in_progress') || isProblem(error, 'sync_in_progress')) return isRepeatable;
  return error.status === 429 || (error.status === 503 && isRepeatable);
}
