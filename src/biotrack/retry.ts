import type { AnswerClass } from './answers.js';
import type { BiotrackError } from './errors.js';
import { REFUSAL_CLASSES } from './refusals.js';
import { TROUBLE_CLASSES } from './troubles.js';

export interface RetryRules {
  /** The first one counts. */
  readonly attempts: number;
  readonly baseMs: number;
  readonly mostMs: number;
}

export const DEFAULT_RETRY: RetryRules = { attempts: 3, baseMs: 500, mostMs: 10_000 };

/** `read`: nothing happens at BioTrack. `login`: each one may count towards a lock-out, whose rules are not known. */
export type CallKind = 'read' | 'login';

const AGAIN: ReadonlyMap<string, AnswerClass['again']> = new Map(
  [...Object.values(TROUBLE_CLASSES), ...Object.values(REFUSAL_CLASSES)].map(({ id, again }) => [id, again]),
);

/** How long to wait before the same call is made again; undefined: it is not. Full jitter, so that callers part. */
export function toRetryDelay(
  error: BiotrackError,
  kind: CallKind,
  attempt: number,
  rules: RetryRules,
  random: () => number,
): number | undefined {
  if (attempt >= rules.attempts) return undefined;
  const again = AGAIN.get(error.answer);
  if (again === 'never' || again === undefined || (again === 'reads' && kind === 'login')) return undefined;
  const backoffMs = random() * Math.min(rules.mostMs, rules.baseMs * 2 ** (attempt - 1));
  return (error.retryAfterMs ?? 0) + backoffMs;
}

/** What a host asks for is kept to, but nobody is kept waiting for longer than this by a header. */
const MOST_RETRY_AFTER_MS = 5 * 60_000;

/** `Retry-After` as a time span: seconds, or a date (RFC 9110). Nonsense is none. */
export function toRetryAfterMs(header: string | undefined, now: number): number | undefined {
  const text = header?.trim();
  if (text === undefined || text === '') return undefined;
  const ms = /^\d{1,9}$/.test(text)
    ? Number(text) * 1_000
    : /[A-Za-z]{3}/.test(text)
      ? Date.parse(text) - now
      : Number.NaN;
  return Number.isFinite(ms) ? Math.min(Math.max(0, ms), MOST_RETRY_AFTER_MS) : undefined;
}
