import { ANSWERS, type AnswerClass } from './answers.js';
import type { BiotrackError } from './errors.js';

export interface RetryRules {
  /** Includes the first attempt. */
  readonly attempts: number;
  readonly baseMs: number;
  readonly maxMs: number;
}

export const DEFAULT_RETRY: RetryRules = { attempts: 3, baseMs: 500, maxMs: 10_000 };

/** A `read` changes nothing at BioTrack. A failed `login` may count towards a lockout, whose rules are unknown. */
export type CallKind = 'read' | 'login';

const IMMEDIATE_RETRIES: ReadonlyMap<string, AnswerClass['immediateRetry']> = new Map(
  Object.values(ANSWERS).map(({ id, immediateRetry }) => [id, immediateRetry]),
);

/** The wait before the next attempt, with full jitter; undefined if the call must not be repeated. */
export function toRetryDelay(
  error: BiotrackError,
  kind: CallKind,
  attempt: number,
  rules: RetryRules,
  random: () => number,
): number | undefined {
  if (attempt >= rules.attempts) return undefined;
  const immediateRetry = IMMEDIATE_RETRIES.get(error.answer) ?? 'never';
  if (immediateRetry === 'never' || (immediateRetry === 'reads' && kind === 'login')) return undefined;
  const backoffMs = random() * Math.min(rules.maxMs, rules.baseMs * 2 ** (attempt - 1));
  return (error.retryAfterMs ?? 0) + backoffMs;
}

/** A longer `Retry-After` is cut to this, so that a header cannot stop all calls for hours. */
const MAX_RETRY_AFTER_MS = 5 * 60_000;

/** `Retry-After` in milliseconds from now, from seconds or a date (RFC 9110); undefined if it cannot be parsed. */
export function toRetryAfterMs(header: string | undefined, now: number): number | undefined {
  const text = header?.trim();
  if (text === undefined || text === '') return undefined;
  const ms = /^\d{1,9}$/.test(text)
    ? Number(text) * 1_000
    : /[A-Za-z]{3}/.test(text)
      ? Date.parse(text) - now
      : Number.NaN;
  return Number.isFinite(ms) ? Math.min(Math.max(0, ms), MAX_RETRY_AFTER_MS) : undefined;
}
