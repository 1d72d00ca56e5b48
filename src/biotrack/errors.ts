import type { UpstreamReason } from '../domain/failure-reason.js';
import { ADVICE, type AnswerClass, type Remedy } from './answers.js';

export interface ErrorNotes {
  /** What was asked of BioTrack. */
  readonly action?: string;
  readonly retryAfterMs?: number | undefined;
  readonly privilege?: string | undefined;
  /** A code of Node's or undici's, such as ECONNREFUSED. */
  readonly code?: string | undefined;
}

/**
 * BioTrack could not be read. It is made of our own words only and has no cause: BioTrack's texts were seen to echo
 * passwords, and errors of parsers quote the bytes that they stumbled over.
 */
export class BiotrackError extends Error {
  readonly reason: UpstreamReason;
  /** The row of the classification table: a bounded word for logs and metrics. */
  readonly answer: string;
  /** Whether a machine may try again later without anybody having changed anything. */
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;
  readonly privilege: string | undefined;
  /** Who can mend it. */
  readonly mender: Remedy;
  /** What to do, in a sentence that is safe to show. */
  readonly advice: string;

  constructor(answer: AnswerClass, notes: ErrorNotes = {}) {
    const action = notes.action === undefined ? '' : ` at ${notes.action}`;
    const code = notes.code === undefined ? '' : ` (${notes.code})`;
    super(`${answer.reason}: ${answer.id}${action}${code}`);
    this.name = 'BiotrackError';
    this.reason = answer.reason;
    this.answer = answer.id;
    this.retryable = answer.retryable;
    this.retryAfterMs = notes.retryAfterMs;
    this.privilege = notes.privilege;
    this.mender = answer.mender;
    this.advice = answer.advice ?? ADVICE[answer.reason];
  }
}

/** The code of an error, if it is a plain constant; anything else might quote what came. */
export function toNetworkErrorCode(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,60}$/.test(code) ? code : undefined;
}
