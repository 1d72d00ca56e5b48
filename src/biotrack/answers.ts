import type { UpstreamReason } from '../domain/failure-reason.js';

/** Who can mend it. `nobody`: it is as it is, there is nothing to mend. */
export type Mender = 'user' | 'operator' | 'state' | 'nobody';

/** One way in which asking BioTrack can end without what was asked for. */
export interface Answer {
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
  readonly mender: Mender;
  /** What to do, where it is something else than what the reason says. */
  readonly advice?: string;
}

/** A refusal that BioTrack put in words. Judged by text first, code second, the rest third, in this order. */
export interface Refusal extends Answer {
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
  upstream_timeout: 'BioTrack takes too long to answer. It is tried again by itself.',
  upstream_unreachable: 'BioTrack cannot be reached at the moment. It is tried again by itself.',
  upstream_invalid_response:
    'BioTrack answers with something that makes no sense. Nothing was changed; it is tried again by itself.',
  upstream_rejected:
    'BioTrack refuses the request for a reason that is not known here. Nothing was changed; tell the operator.',
  upstream_session_lost:
    'BioTrack ended the session twice. Check that nobody else uses this BioTrack user at the same time.',
  upstream_throttled: 'BioTrack asks to be called less often. It is tried again by itself after the time it asks for.',
  list_empty: 'BioTrack lists nothing at all, which is not believed. Nothing was changed; it is tried again by itself.',
};

const userMends = { again: 'never', retryable: false, mender: 'user' } as const;
const readAgain = { again: 'reads', retryable: true, mender: 'state' } as const;
const laterAgain = { again: 'never', retryable: true, mender: 'state' } as const;

/** BioTrack's refusals, in the order in which they are looked for. */
export const REFUSALS = {
  wrongCredentials: {
    id: 'wrong_credentials',
    answer: '"Invalid username or password.", at any call',
    source: 'seen',
    reason: 'credentials_rejected',
    ...userMends,
    text: /\binvalid user ?name (?:or|and) password\b/i,
  },
  privilegeText: {
    id: 'privilege_missing',
    answer: '"The current session does not possess access to the … privilege."',
    source: 'seen',
    reason: 'privilege_missing',
    ...userMends,
    text: /\bdoes not possess access to the (?<privilege>\S{1,64}) privilege\b/i,
  },
  sessionExpired: {
    id: 'session_expired',
    answer: '"Your session has expired." or "Invalid session.", after one new login',
    source: 'seen',
    reason: 'upstream_session_lost',
    again: 'never',
    retryable: true,
    mender: 'user',
    text: /\bsession (?:has|is) expired\b|\binvalid session\b/i,
  },
  invalidLocation: {
    id: 'invalid_location',
    answer: '"You provided an invalid location license number." (code 63 as well, and no session error)',
    source: 'seen',
    reason: 'upstream_rejected',
    again: 'never',
    retryable: false,
    mender: 'operator',
    text: /\binvalid location license number\b/i,
  },
  tooManyRequests: {
    id: 'throttled_text',
    answer: 'a text that says "too many requests" or "rate limit"',
    source: 'inferred',
    reason: 'upstream_throttled',
    again: 'always',
    retryable: true,
    mender: 'nobody',
    text: /\btoo many requests\b|\brate limit\b/i,
  },
  apiVersion: {
    id: 'api_version',
    answer: 'code 17: the API version',
    source: 'seen',
    reason: 'upstream_rejected',
    again: 'never',
    retryable: false,
    mender: 'operator',
    code: '17',
  },
  invalidSession: {
    id: 'session_code_60',
    answer: 'code 60 with no known text, except at login; after one new login',
    source: 'seen',
    reason: 'upstream_session_lost',
    again: 'never',
    retryable: true,
    mender: 'user',
    code: '60',
    at: 'elsewhere',
  },
  sessionCode: {
    id: 'session_code_63',
    answer: 'code 63 with no known text, except at login; after one new login',
    source: 'inferred',
    reason: 'upstream_session_lost',
    again: 'never',
    retryable: true,
    mender: 'user',
    code: '63',
    at: 'elsewhere',
  },
  privilegeCode: {
    id: 'privilege_code_62',
    answer: 'code 62 with no known text: the privilege of the call',
    source: 'seen',
    reason: 'privilege_missing',
    ...userMends,
    code: '62',
  },
  trouble: {
    id: 'trouble_1000',
    answer: 'code 1000: trouble at BioTrack',
    source: 'seen',
    reason: 'upstream_rejected',
    ...readAgain,
    advice: 'BioTrack reports trouble of its own. Nothing was changed; it is tried again by itself.',
    code: '1000',
  },
  unauthorized: {
    id: 'unauthorized',
    answer: 'HTTP 401 with no known text (`rest`), except at login; after one new login',
    source: 'inferred',
    reason: 'upstream_session_lost',
    again: 'never',
    retryable: true,
    mender: 'user',
    status: 401,
    at: 'elsewhere',
  },
  unknownUbi: {
    id: 'unknown_ubi',
    answer: 'a bare refusal of a login, without text and code',
    source: 'seen',
    reason: 'ubi_rejected',
    ...userMends,
    at: 'login',
    isBare: true,
  },
  bare: {
    id: 'bare_refusal',
    answer: 'a bare refusal of anything else',
    source: 'inferred',
    reason: 'upstream_rejected',
    again: 'never',
    retryable: false,
    mender: 'state',
    at: 'elsewhere',
    isBare: true,
  },
  unknown: {
    id: 'unknown_text',
    answer: 'any other text or code, such as the catch-all 602: counted',
    source: 'ours',
    reason: 'upstream_rejected',
    again: 'never',
    retryable: false,
    mender: 'operator',
  },
} as const satisfies Record<string, Refusal>;

/** What can go wrong outside BioTrack's words: on the way, or with the shape of what came. */
export const TROUBLES = {
  noConnection: {
    id: 'no_connection',
    answer: 'no connection, or none within the connect deadline',
    source: 'ours',
    reason: 'upstream_unreachable',
    again: 'always',
    retryable: true,
    mender: 'state',
  },
  lostBeforeHead: {
    id: 'lost_before_head',
    answer: 'the connection ends before the head of the answer',
    source: 'ours',
    reason: 'upstream_unreachable',
    ...readAgain,
  },
  noHead: {
    id: 'no_head',
    answer: 'no head within its deadline',
    source: 'ours',
    reason: 'upstream_timeout',
    ...readAgain,
  },
  tooSlow: {
    id: 'too_slow',
    answer: 'the whole is not there within its deadline: a drip, or too many attempts',
    source: 'ours',
    reason: 'upstream_timeout',
    ...laterAgain,
  },
  notHttp: {
    id: 'not_http',
    answer: 'something that is not HTTP',
    source: 'ours',
    reason: 'upstream_invalid_response',
    ...readAgain,
  },
  cutBody: {
    id: 'cut_body',
    answer: 'the connection ends inside the body, or the body is shorter than announced',
    source: 'inferred',
    reason: 'upstream_invalid_response',
    ...readAgain,
  },
  tooLarge: {
    id: 'too_large',
    answer: "a body above the state's cap (128 MiB unless configured)",
    source: 'ours',
    reason: 'upstream_invalid_response',
    again: 'never',
    retryable: false,
    mender: 'operator',
    advice: 'BioTrack sends more than is taken from this state. Nothing was changed; tell the operator.',
  },
  notUtf8: {
    id: 'not_utf8',
    answer: "bytes that are not in the state's charset (UTF-8 unless configured; a byte order mark is fine)",
    source: 'ours',
    reason: 'upstream_invalid_response',
    ...readAgain,
  },
  notJson: {
    id: 'not_json',
    answer: 'an empty body, HTML, cut JSON, two documents: anything that is not one JSON document',
    source: 'seen',
    reason: 'upstream_invalid_response',
    ...readAgain,
  },
  noAnswer: {
    id: 'no_answer',
    answer: 'JSON that is no answer: `null`, `[]`, without `success`, a login without a session',
    source: 'inferred',
    reason: 'upstream_invalid_response',
    ...readAgain,
  },
  throttled: {
    id: 'throttled',
    answer: 'HTTP 429; `Retry-After` is kept to, up to five minutes',
    source: 'inferred',
    reason: 'upstream_throttled',
    again: 'always',
    retryable: true,
    mender: 'nobody',
  },
  redirect: {
    id: 'redirect',
    answer: 'HTTP 3xx: never followed, since a login would go where it points',
    source: 'inferred',
    reason: 'upstream_invalid_response',
    again: 'never',
    retryable: true,
    mender: 'operator',
    advice: 'BioTrack points to another address, which is not followed. Nothing was changed; tell the operator.',
  },
  serverError: {
    id: 'server_error',
    answer: 'HTTP 5xx without a known text',
    source: 'seen',
    reason: 'upstream_unreachable',
    ...readAgain,
  },
  clientError: {
    id: 'client_error',
    answer: 'any other HTTP 4xx without a refusal in it',
    source: 'inferred',
    reason: 'upstream_rejected',
    again: 'never',
    retryable: false,
    mender: 'operator',
  },
  oddStatus: {
    id: 'odd_status',
    answer: 'any other HTTP status than 200',
    source: 'ours',
    reason: 'upstream_invalid_response',
    ...laterAgain,
  },
  listMissing: {
    id: 'list_missing',
    answer: '`{"success":1}` without a list, or with an empty list of vendors',
    source: 'seen',
    reason: 'list_empty',
    ...laterAgain,
  },
  listNoArray: {
    id: 'list_no_array',
    answer: 'a list that is no array',
    source: 'ours',
    reason: 'upstream_invalid_response',
    ...laterAgain,
  },
  listImplausible: {
    id: 'list_implausible',
    answer: 'a list without any valid record, or with more than 5 % invalid ones',
    source: 'ours',
    reason: 'upstream_invalid_response',
    ...laterAgain,
  },
  pagesBroken: {
    id: 'pages_broken',
    answer: 'pages that do not end, repeat their cursor, or stop being lists (`rest`)',
    source: 'ours',
    reason: 'upstream_invalid_response',
    ...laterAgain,
  },
  notSendable: {
    id: 'not_sendable',
    answer: 'a UBI that cannot stand in an HTTP header (`rest`): not sent at all',
    source: 'ours',
    reason: 'ubi_rejected',
    ...userMends,
  },
  circuitOpen: {
    id: 'circuit_open',
    answer: 'not asked at all: the last calls to this host failed in a row',
    source: 'ours',
    reason: 'upstream_unreachable',
    ...laterAgain,
  },
  throttledBefore: {
    id: 'throttled_before',
    answer: 'not asked at all: the time of an earlier `Retry-After` is not over',
    source: 'ours',
    reason: 'upstream_throttled',
    again: 'always',
    retryable: true,
    mender: 'nobody',
  },
  noAddress: {
    id: 'no_address',
    answer: 'not asked at all: the states file has no address for the state and environment',
    source: 'ours',
    reason: 'upstream_unreachable',
    again: 'never',
    retryable: false,
    mender: 'operator',
    advice: 'This deployment has no BioTrack address for the state and environment. Tell the operator.',
  },
  stateLeft: {
    id: 'state_left',
    answer: 'not asked at all: the state no longer uses BioTrack',
    source: 'ours',
    reason: 'upstream_unreachable',
    again: 'never',
    retryable: false,
    mender: 'nobody',
    advice: 'The state no longer uses BioTrack. What was synchronized stays as it is.',
  },
} as const satisfies Record<string, Answer>;
