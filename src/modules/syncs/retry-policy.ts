import type { FailureReason } from '../../domain/failure-reason.js';

/** How often a run is taken up before its failure counts, and how long it waits in between. */
export interface RetryPolicy {
  readonly attempts: number;
  /** After the first failure; four times as long after each further one. */
  readonly baseSeconds: number;
  readonly mostSeconds: number;
}

export const RETRY_POLICY: RetryPolicy = { attempts: 5, baseSeconds: 15, mostSeconds: 900 };

/** Failures that may be over in a while. A refused login is none: it is not tried again by machine. */
const PASSING: readonly FailureReason[] = [
  'upstream_timeout',
  'upstream_unreachable',
  'upstream_throttled',
  'upstream_invalid_response',
  'storage_unavailable',
];

/** How long to wait before the run is taken up again; undefined: its failure counts. */
export function toRetryDelaySeconds(
  reason: FailureReason,
  attempt: number,
  { attempts, baseSeconds, mostSeconds }: RetryPolicy,
  retryAfterMs: number | undefined,
): number | undefined {
  if (!PASSING.includes(reason) || attempt >= attempts) return undefined;
  const backoff = Math.min(baseSeconds * 4 ** (attempt - 1), mostSeconds);
  // As long as was asked for, and never all at the same moment.
  return Math.max(backoff, (retryAfterMs ?? 0) / 1000) * (1 + Math.random() / 4);
}
