import type { UpstreamReason } from '../domain/failure-reason.js';

/** Who can mend it. `nobody`: it is as it is, there is nothing to mend. */
export type Remedy = 'user' | 'operator' | 'state' | 'nobody';

/** One way in which asking BioTrack can end without what was asked for. */
export interface AnswerClass {
  /** A word for logs and metrics; one of a closed list. */
  readonly id: string;
  /** What came, in words, for the table of the README. */
  readonly answer: string;
  /** Where we know it from: seen in public adapters and mocks, inferred, or a rule of our own. */
  readonly source: 'seen' | 'inferred' | 'ours';
  readonly reason: UpstreamReason;
  /** Whether the same call is tried again at once: `always` only where BioTrack certainly did not act on it. */
  readonly again: 'always' | 'reads' | 'never';
  /** Whether a machine may try again later without anybody having changed anything. */
  readonly retryable: boolean;
  readonly mender: Remedy;
  /** What to do, where it is something else than what the reason says. */
  readonly advice?: string;
}

/** A refusal that BioTrack put in words. Judged by text first, code second, the rest third, in this order. */
export interface RefusalClass extends AnswerClass {
  readonly text?: RegExp;
  readonly code?: string;
  readonly status?: number;
  /** Only in answers to a login, or only in others. */
  readonly at?: 'login' | 'elsewhere';
  /** The refusal carries neither a text nor a code. */
  readonly isBare?: true;
}

/** What the user is told. Never a word of BioTrack's own: its texts were seen to echo what was sent. */
export const ADVICE: Readonly<Record<UpstreamReason, string>> = {
  credentials_rejected:
    'BioTrack refuses the user name or the password. Enter them again; no further login is tried until then.',
  ubi_rejected: 'BioTrack does not know the UBI. Check it, and check that it belongs to the chosen state.',
  privilege_missing:
    'The BioTrack user lacks a privilege. Have your BioTrack administrator grant it, then verify again.',
  upstream_timeout: 'BioTrack takes too long to answer. Nothing was changed; try again later.',
  upstream_unreachable: 'BioTrack cannot be reached at the moment. Nothing was changed; try again later.',
  upstream_invalid_response:
    'BioTrack answers with something that makes no sense. Nothing was changed; try again later.',
  upstream_rejected:
    'BioTrack refuses the request for a reason that is not known here. Nothing was changed; tell the operator.',
  upstream_session_lost:
    'BioTrack ended the session twice. Check that nobody else uses this BioTrack user at the same time.',
  upstream_throttled: 'BioTrack asks to be called less often. Nothing was changed; try again later.',
  list_empty: 'BioTrack lists nothing at all, which is not believed. Nothing was changed; try again later.',
};

/** What rows of the table have in common. */
export const FIXED_BY_USER = { again: 'never', retryable: false, mender: 'user' } as const;
export const RETRY_READS = { again: 'reads', retryable: true, mender: 'state' } as const;
export const RETRY_LATER = { again: 'never', retryable: true, mender: 'state' } as const;
