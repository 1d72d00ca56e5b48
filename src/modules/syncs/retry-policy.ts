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
  'upstream_trouble',
  'storage_unavailable',
];

/**
 * The delay before the next attempt. Undefined if the run has failed for good.
 * @param error BioTrack's error, if there is one: a call that was held back is sent as soon as BioTrack may be asked again
 */
export function toRetryDelaySeconds(
  reason: FailureReason,
  attempt: number,
  { attempts, baseSeconds, maxSeconds }: RetryPolicy,
  error: { readonly retryAfterMs: number | undefined; readonly isHeldBack: boolean } | undefined,
): number | undefined {
  if (!TRANSIENT.includes(reason)) return undefined;
  const askedSeconds = (error?.retryAfterMs ?? 0) / 1000;
  // With jitter, so that runs do not retry all at once.
  const jitter = 1 + Math.random() / 4;
  if (error?.isHeldBack === true) return Math.max(askedSeconds, 1) * jitter;
  if (attempt >= attempts) return undefined;
  return Math.max(Math.min(baseSeconds * 4 ** (attempt - 1), maxSeconds), askedSeconds) * jitter;
}
