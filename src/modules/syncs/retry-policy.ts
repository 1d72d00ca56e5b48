import type { FailureReason } from '../../domain/failure-reason.js';

/** How often a run is attempted before it fails, and the delays between attempts. */
export interface RetryPolicy {
  readonly attempts: number;
  /** The delay after the first failure. Each further delay is four times as long. */
  readonly baseSeconds: number;
  readonly maxSeconds: number;
}

export const RETRY_POLICY: RetryPolicy = { attempts: 5, baseSeconds: 15, maxSeconds: 900 };

/** Failures worth retrying. Rejected logins are not retried automatically. */
const TRANSIENT: readonly FailureReason[] = [
  'upstream_timeout',
  'upstream_unreachable',
  'upstream_throttled',
  'upstream_invalid_response',
  'storage_unavailable',
];

/** The delay before the next attempt. Undefined if the run has failed for good. */
export function toRetryDelaySeconds(
  reason: FailureReason,
  attempt: number,
  { attempts, baseSeconds, maxSeconds }: RetryPolicy,
  retryAfterMs: number | undefined,
): number | undefined {
  if (!TRANSIENT.includes(reason) || attempt >= attempts) return undefined;
  const backoff = Math.min(baseSeconds * 4 ** (attempt - 1), maxSeconds);
  // At least as long as BioTrack requested, with jitter so that runs do not retry all at once.
  return Math.max(backoff, (retryAfterMs ?? 0) / 1000) * (1 + Math.random() / 4);
}
