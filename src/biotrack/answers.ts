import type { UpstreamReason } from '../domain/failure-reason.js';

/** Who has to act. `none`: waiting, or nothing at all. */
export type FixedBy = 'user' | 'operator' | 'state' | 'none';

/** A response body as the dialect understands it. */
export type ResponseBody =
  | { readonly kind: 'accepted' | 'invalid_charset' | 'invalid_json' | 'unexpected_json' }
  /** BioTrack refused the call. The text and the code may both be absent. */
  | { readonly kind: 'refused'; readonly text: string | undefined; readonly code: string | undefined };

/** What a response must look like to belong to a class. All members that are present must match. */
export interface AnswerMatch {
  /** Inclusive range of HTTP statuses. */
  readonly status?: readonly [from: number, to: number];
  /** Implied by `text`, `code` and `isBare`, which only refusals have. */
  readonly body?: ResponseBody['kind'];
  readonly text?: RegExp;
  readonly code?: string;
  /** Only responses to a login, or only responses to other calls. */
  readonly at?: 'login' | 'other';
  /** A refusal with neither text nor code. */
  readonly isBare?: true;
}

/** One way in which a call to BioTrack fails. */
export interface AnswerClass {
  /** The value of `answer` in logs and metrics. */
  readonly id: string;
  /** What happened, for the table in the documentation. */
  readonly description: string;
  /** `observed` in public adapters and mocks, `inferred` from them, or a `policy` of this service. */
  readonly source: 'observed' | 'inferred' | 'policy';
  readonly reason: UpstreamReason;
  /** Whether the call is repeated within its deadline. `always` only where BioTrack certainly did not process it. */
  readonly immediateRetry: 'always' | 'reads' | 'never';
  /** Whether a machine may try again later without a change by a user or operator. */
  readonly retryable: boolean;
  readonly fixedBy: FixedBy;
  /** The call was not sent because of earlier calls. A retry of it does not count as an attempt. */
  readonly isHeldBack?: true;
  /** Replaces the advice for the reason. */
  readonly advice?: string;
  /** Absent: the code that detects the failure names the class. */
  readonly match?: AnswerMatch;
}

/**
 * What the user reads about each reason. Never contains BioTrack's own text: some of its errors repeat what was sent,
 * passwords included.
 */
export const ADVICE: Readonly<Record<UpstreamReason, string>> = {
  credentials_rejected:
    'BioTrack rejected the username or password. Enter them again. Syncs do not use them until they are changed or verified successfully.',
  login_refused:
    'BioTrack refused this login, for example because the account is locked or inactive, the password has expired or the license number is wrong. Ask the administrator of the BioTrack account. Syncs do not use the login until it is changed or verified successfully.',
  ubi_rejected: 'BioTrack does not recognize the UBI. Check that the UBI is correct and belongs to the selected state.',
  privilege_missing:
    'The BioTrack user lacks a required privilege. Ask your BioTrack administrator to grant it, then verify the login again.',
  upstream_timeout: 'BioTrack did not respond in time. Nothing was changed. Try again later.',
  upstream_unreachable:
    'BioTrack could not be reached or returned a server error. Nothing was changed. Try again later.',
  upstream_invalid_response:
    'BioTrack sent a response that cannot be used. Nothing was changed. Try again later. If it happens again, contact the operator of this service.',
  upstream_rejected:
    'BioTrack rejected the request for a reason that this service does not recognize. Nothing was changed. Contact the operator of this service.',
  upstream_session_lost:
    'BioTrack ended the session twice. Nothing was changed. Make sure that nothing else uses the same BioTrack user at the same time, then try again.',
  upstream_throttled: 'BioTrack is limiting the number of requests. Nothing was changed. Try again later.',
  upstream_trouble:
    'BioTrack reported a problem of its own. Nothing was changed. The login is not the cause. Try again later.',
  list_empty: 'BioTrack returned no licenses at all, so its list was ignored. Nothing was changed. Try again later.',
};

/** The names of what a login consists of. */
const LOGIN_PART = '(?:account|user(?: ?name)?|password|credential|log-?in|sign-?in)s?';
const REFUSED =
  "(?:lock(?:ed)?|disabled|deactivated|inactive|suspended|blocked|banned|revoked|terminated|frozen|on hold|expired|invalid|incorrect|wrong|bad|unknown|mismatch|(?:not|n't) (?:active|activated|match|valid|correct|recognized|found|exist|approved|enabled|verify|verified))";

/**
 * Texts about the login, although some also contain "temporarily", "too many requests" or "try again later". A login that is
 * disabled for maintenance is not refused.
 */
const LOGIN_REFUSED = new RegExp(
  [
    String.raw`^(?!.*\bmaintenance\b)(?:.*`,
    [
      String.raw`\b${LOGIN_PART}\b[^.;!?]{0,60}\b${REFUSED}\b`,
      String.raw`\b(?:${REFUSED}|change|reset)\b[^.;!?]{0,40}\b${LOGIN_PART}\b`,
      String.raw`\b(?:attempts|number of tries|(?:log-?in|sign-?in) limit|lock-?out|temporarily locked)\b`,
    ].join('|.*'),
    ')',
  ].join(''),
  'i',
);

/** Whether a text says that BioTrack refuses the login itself. */
export const isLoginRefusedText = (text: string): boolean => LOGIN_REFUSED.test(text);

const STATE_TROUBLE =
  /\bmaintenance\b|\bbusy\b|\bunavailable\b|\btemporar(?:y|ily)\b|\boverload|\b(?:try|retry)(?: again)? (?:later|in )|\bout of service\b|\b(?:server|internal) error\b|\btimed? ?out\b/i;

const CANNOT_BE_REACHED = 'BioTrack cannot be reached. Nothing was changed. Try again later.';

const FIXED_BY_USER = { immediateRetry: 'never', retryable: false, fixedBy: 'user' } as const;
const FIXED_BY_OPERATOR = { immediateRetry: 'never', retryable: false, fixedBy: 'operator' } as const;
const LOGIN_AGAIN = { immediateRetry: 'never', retryable: true, fixedBy: 'user' } as const;
/** Retried, because the first failure can be a hiccup; from the second attempt of a run on, the operator must act. */
const RETRY_LATER_BY_OPERATOR = { immediateRetry: 'never', retryable: true, fixedBy: 'operator' } as const;
const RETRY_READS = { immediateRetry: 'reads', retryable: true, fixedBy: 'state' } as const;
const RETRY_LATER = { immediateRetry: 'never', retryable: true, fixedBy: 'state' } as const;
const WAIT = { immediateRetry: 'always', retryable: true, fixedBy: 'none' } as const;

/**
 * Every way in which a call to BioTrack fails. Responses are matched from the top and the first match wins
 * (`classify.ts`). Refusals are matched by text first and by code second, because the same code has several meanings; codes with one meaning come
 * earlier.
 */
export const ANSWERS = {
  redirect: {
    id: 'redirect',
    description: 'HTTP 3xx. Never followed: a login would be sent to the new address',
    source: 'inferred',
    reason: 'upstream_invalid_response',
    immediateRetry: 'never',
    retryable: true,
    fixedBy: 'operator',
    advice:
      'BioTrack redirected the request to another address. Redirects are never followed. Nothing was changed. Ask the operator of this service to check the address configured for the state.',
    match: { status: [300, 399] },
  },
  wrongCredentials: {
    id: 'wrong_credentials',
    description: '"Invalid username or password.", in response to any call',
    source: 'observed',
    reason: 'credentials_rejected',
    ...FIXED_BY_USER,
    match: { text: /\binvalid user ?name (?:or|and) password\b/i },
  },
  missingPrivilege: {
    id: 'privilege_missing',
    description: '"The current session does not possess access to the … privilege."',
    source: 'observed',
    reason: 'privilege_missing',
    ...FIXED_BY_USER,
    match: { text: /\bdoes not possess access to the (?<privilege>\S{1,64}) privilege\b/i },
  },
  sessionExpired: {
    id: 'session_expired',
    description:
      '"Your session has expired.", "Invalid session." or another text about an expired session, after one new login',
    source: 'observed',
    reason: 'upstream_session_lost',
    ...LOGIN_AGAIN,
    match: { text: /\bsession.+expired\b|\binvalid session\b/i },
  },
  invalidLoginLocation: {
    id: 'invalid_login_location',
    description:
      '"You provided an invalid location license number." at login: the `license_number` of the credential is wrong (`rest`)',
    source: 'inferred',
    reason: 'login_refused',
    ...FIXED_BY_USER,
    match: { text: /\binvalid location license number\b/i, at: 'login' },
  },
  invalidLocation: {
    id: 'invalid_location',
    description:
      '"You provided an invalid location license number." at another call (also code 63, but not a session error)',
    source: 'observed',
    reason: 'upstream_rejected',
    ...FIXED_BY_USER,
    advice:
      'BioTrack rejected the license number that was sent with the login. Nothing was changed. Correct the `license_number` of the credential.',
    match: { text: /\binvalid location license number\b/i },
  },
  apiVersion: {
    id: 'api_version',
    description: 'Code 17: unsupported API version',
    source: 'observed',
    reason: 'upstream_rejected',
    ...FIXED_BY_OPERATOR,
    advice:
      'BioTrack no longer supports the API version that this service uses. Nothing was changed. Contact the operator of this service.',
    match: { code: '17' },
  },
  internalError1000: {
    id: 'internal_error_1000',
    description: 'Code 1000: internal error of BioTrack',
    source: 'observed',
    reason: 'upstream_trouble',
    ...RETRY_READS,
    advice: 'BioTrack reported an internal error. Nothing was changed. Try again later.',
    match: { code: '1000' },
  },
  loginRefusedText: {
    id: 'login_refused_text',
    description:
      'The response to a login says that the account, username or password is refused, such as "Your account has been locked. Please try again later."',
    source: 'inferred',
    reason: 'login_refused',
    ...FIXED_BY_USER,
    match: { text: LOGIN_REFUSED, at: 'login' },
  },
  throttledText: {
    id: 'throttled_text',
    description: 'A text with "too many requests" or "rate limit"',
    source: 'inferred',
    reason: 'upstream_throttled',
    // The wording is a guess, and a refused login must not be repeated because of a guess.
    immediateRetry: 'reads',
    retryable: true,
    fixedBy: 'none',
    match: { text: /\btoo many requests\b|\brate limit\b/i },
  },
  troubleText: {
    id: 'trouble_text',
    description: 'A text about maintenance, an overload or a temporary outage, such as "Please try again later."',
    source: 'inferred',
    reason: 'upstream_trouble',
    ...RETRY_READS,
    match: { text: STATE_TROUBLE },
  },
  sessionCode60: {
    id: 'session_code_60',
    description: 'Code 60 with an unknown text, except at login, after one new login',
    source: 'observed',
    reason: 'upstream_session_lost',
    ...LOGIN_AGAIN,
    match: { code: '60', at: 'other' },
  },
  sessionCode63: {
    id: 'session_code_63',
    description: 'Code 63 with an unknown text, except at login, after one new login',
    source: 'inferred',
    reason: 'upstream_session_lost',
    ...LOGIN_AGAIN,
    match: { code: '63', at: 'other' },
  },
  privilegeCode62: {
    id: 'privilege_code_62',
    description: 'Code 62 with an unknown text: the user lacks the privilege for the call',
    source: 'observed',
    reason: 'privilege_missing',
    ...FIXED_BY_USER,
    match: { code: '62' },
  },
  unauthorized: {
    id: 'unauthorized',
    description: 'HTTP 401 with an unknown text (`rest`), except at login, after one new login',
    source: 'inferred',
    reason: 'upstream_session_lost',
    ...LOGIN_AGAIN,
    match: { body: 'refused', status: [401, 401], at: 'other' },
  },
  throttled: {
    id: 'throttled',
    description: 'HTTP 429. `Retry-After` is respected, up to five minutes',
    source: 'inferred',
    reason: 'upstream_throttled',
    ...WAIT,
    match: { status: [429, 429] },
  },
  serverError: {
    id: 'server_error',
    description: 'HTTP 5xx without one of the texts or codes above',
    source: 'observed',
    reason: 'upstream_unreachable',
    ...RETRY_READS,
    advice: 'BioTrack returned a server error. Nothing was changed. Try again later.',
    match: { status: [500, 999] },
  },
  unknownUbi: {
    id: 'unknown_ubi',
    description: 'A refused login with neither text nor code, for a UBI that BioTrack never accepted',
    source: 'observed',
    reason: 'ubi_rejected',
    ...FIXED_BY_USER,
    match: { isBare: true, at: 'login' },
  },
  bareRefusal: {
    id: 'bare_refusal',
    description: 'Any other refusal with neither text nor code',
    source: 'inferred',
    reason: 'upstream_rejected',
    immediateRetry: 'never',
    retryable: false,
    fixedBy: 'state',
    advice:
      'BioTrack rejected the request without giving a reason. Nothing was changed. Contact the operator of this service.',
    match: { isBare: true, at: 'other' },
  },
  loginRefused: {
    id: 'login_refused',
    description: 'A login that is refused with any other text or code. Counted in the metrics',
    source: 'inferred',
    reason: 'login_refused',
    ...FIXED_BY_USER,
    match: { body: 'refused', at: 'login' },
  },
  unknownText: {
    id: 'unknown_text',
    description: 'Any other text or code, such as the catch-all code 602, except at login. Counted in the metrics',
    source: 'policy',
    reason: 'upstream_rejected',
    ...FIXED_BY_OPERATOR,
    match: { body: 'refused' },
  },
  clientError: {
    id: 'client_error',
    description: 'Any other HTTP 4xx that is not a refusal of the dialect, such as 404 for a wrong path',
    source: 'inferred',
    reason: 'upstream_rejected',
    ...FIXED_BY_OPERATOR,
    advice:
      "BioTrack does not accept requests at the address configured for the state. Nothing was changed. Ask the operator of this service to check the state's URL.",
    match: { status: [400, 499] },
  },
  unexpectedStatus: {
    id: 'unexpected_status',
    description: 'Any other HTTP status than 200',
    source: 'policy',
    reason: 'upstream_invalid_response',
    ...RETRY_LATER,
    match: { status: [201, 299] },
  },
  invalidCharset: {
    id: 'invalid_charset',
    description: "Bytes that are not in the state's charset (UTF-8 by default; a byte order mark is allowed)",
    source: 'policy',
    reason: 'upstream_invalid_response',
    ...RETRY_READS,
    fixedBy: 'operator',
    advice:
      'BioTrack sent text in another character encoding than the one configured for the state. Nothing was changed. Try again later. If it happens again, contact the operator of this service.',
    match: { body: 'invalid_charset' },
  },
  invalidJson: {
    id: 'invalid_json',
    description: 'Anything that is not one JSON document: an empty body, HTML, truncated JSON, two documents',
    source: 'observed',
    reason: 'upstream_invalid_response',
    ...RETRY_READS,
    match: { body: 'invalid_json' },
  },
  unexpectedJson: {
    id: 'unexpected_json',
    description: 'JSON of another kind: `null`, `[]`, an object without `success`, a login without a session',
    source: 'inferred',
    reason: 'upstream_invalid_response',
    ...RETRY_READS,
    match: { body: 'unexpected_json' },
  },
  noConnection: {
    id: 'no_connection',
    description: 'No connection, or none before the connect deadline',
    source: 'policy',
    reason: 'upstream_unreachable',
    immediateRetry: 'always',
    retryable: true,
    fixedBy: 'state',
    advice: CANNOT_BE_REACHED,
  },
  tlsFailure: {
    id: 'tls_failure',
    description: 'No secure connection: an expired, self-signed or wrong certificate, or no common TLS version',
    source: 'policy',
    reason: 'upstream_unreachable',
    ...RETRY_LATER_BY_OPERATOR,
    advice:
      'The secure connection to BioTrack could not be established. Nothing was changed. Try again later. If it happens again, contact the operator of this service.',
  },
  connectionLost: {
    id: 'connection_lost',
    description: 'The connection ended before the response headers',
    source: 'policy',
    reason: 'upstream_unreachable',
    ...RETRY_READS,
    advice: CANNOT_BE_REACHED,
  },
  headersTimeout: {
    id: 'headers_timeout',
    description: 'No response headers before their deadline',
    source: 'policy',
    reason: 'upstream_timeout',
    ...RETRY_READS,
  },
  deadlineExceeded: {
    id: 'deadline_exceeded',
    description: 'The call as a whole, with all attempts and waits, exceeded its deadline',
    source: 'policy',
    reason: 'upstream_timeout',
    ...RETRY_LATER,
  },
  invalidHttp: {
    id: 'invalid_http',
    description: 'A response that is not HTTP',
    source: 'policy',
    reason: 'upstream_invalid_response',
    ...RETRY_READS,
  },
  truncatedBody: {
    id: 'truncated_body',
    description: 'The connection ended inside the body, or the body is shorter than its `Content-Length`',
    source: 'inferred',
    reason: 'upstream_invalid_response',
    ...RETRY_READS,
  },
  bodyTooLarge: {
    id: 'body_too_large',
    description: 'A body above the limit of the state (128 MiB by default)',
    source: 'policy',
    reason: 'upstream_invalid_response',
    ...FIXED_BY_OPERATOR,
    advice:
      'BioTrack sent more data than the limit for the state allows. Nothing was changed. Ask the operator of this service to raise the limit.',
  },
  listMissing: {
    id: 'list_missing',
    description: '`{"success":1}` without a list, or with an empty list',
    source: 'observed',
    reason: 'list_empty',
    ...RETRY_LATER,
  },
  listNotArray: {
    id: 'list_not_array',
    description: 'A list that is not an array',
    source: 'policy',
    reason: 'upstream_invalid_response',
    ...RETRY_LATER,
  },
  listImplausible: {
    id: 'list_implausible',
    description: 'A list in which more than 5 % of the rows have no readable license number',
    source: 'policy',
    reason: 'upstream_invalid_response',
    ...RETRY_LATER,
  },
  invalidPagination: {
    id: 'invalid_pagination',
    description: 'Pages that never end, repeat a cursor, or contain no list (`rest`). Often a wrong `cursor_parameter`',
    source: 'policy',
    reason: 'upstream_invalid_response',
    ...RETRY_LATER_BY_OPERATOR,
  },
  listMoved: {
    id: 'list_moved',
    description: 'A list that changed during each of three reads of its pages (`rest`)',
    source: 'policy',
    reason: 'upstream_invalid_response',
    ...RETRY_LATER,
    advice: 'The state changed its list while it was being read. Nothing was changed. Try again later.',
  },
  bareLoginRefusal: {
    id: 'bare_login_refusal',
    description:
      'A login with neither text nor code in its refusal, although BioTrack accepted this login and UBI before',
    source: 'policy',
    reason: 'upstream_trouble',
    ...RETRY_LATER,
    advice:
      'BioTrack refused a login that it accepted before, without giving a reason. Nothing was changed. Try again later.',
  },
  loginsRefused: {
    id: 'logins_refused',
    description:
      'A login refused with the same unknown text as that of another username of the state within 10 minutes',
    source: 'policy',
    reason: 'upstream_trouble',
    ...RETRY_LATER,
    advice:
      'BioTrack currently refuses several logins of this state for the same reason. Nothing was changed. Try again later.',
  },
  loginHeld: {
    id: 'login_held',
    description: 'Not sent: BioTrack did not accept several logins with this UBI and username',
    source: 'policy',
    reason: 'upstream_throttled',
    ...RETRY_LATER,
    fixedBy: 'user',
    isHeldBack: true,
    advice:
      'BioTrack did not accept several logins with this username, so no other login is sent for now, because BioTrack might lock the account. Nothing was changed. Check the username and password, and wait for the time in Retry-After.',
  },
  loginInProgress: {
    id: 'login_in_progress',
    description: 'Not sent: another login with this UBI and username still waits for its answer',
    source: 'policy',
    reason: 'upstream_timeout',
    ...RETRY_LATER,
    isHeldBack: true,
    advice:
      'Another login with this username still waits for BioTrack to answer. Nothing was changed. Try again in a few seconds.',
  },
  unsendableUbi: {
    id: 'unsendable_ubi',
    description: 'Not sent: the UBI cannot be part of an HTTP header (`rest`)',
    source: 'policy',
    reason: 'ubi_rejected',
    ...FIXED_BY_USER,
    advice: 'The UBI contains characters that cannot be sent to BioTrack. Correct the UBI.',
  },
  circuitOpen: {
    id: 'circuit_open',
    description: 'Not sent: the last calls to the host failed one after the other',
    source: 'policy',
    reason: 'upstream_unreachable',
    ...RETRY_LATER,
    isHeldBack: true,
    advice:
      'The last requests to BioTrack failed, so this one was not sent. Nothing was changed. Try again in a minute.',
  },
  retryAfterPending: {
    id: 'retry_after_pending',
    description: 'Not sent: the time of an earlier `Retry-After` has not passed',
    source: 'policy',
    reason: 'upstream_throttled',
    ...WAIT,
    isHeldBack: true,
  },
  stateNotConfigured: {
    id: 'state_not_configured',
    description: 'Not sent: the states file has no address for the state and environment',
    source: 'policy',
    reason: 'upstream_unreachable',
    ...FIXED_BY_OPERATOR,
    advice:
      'This deployment has no BioTrack address for the state and environment. Ask the operator of this service to configure it.',
  },
  stateLeft: {
    id: 'state_left',
    description: 'Not sent: the state no longer uses BioTrack',
    source: 'policy',
    reason: 'upstream_unreachable',
    immediateRetry: 'never',
    retryable: false,
    fixedBy: 'none',
    advice: 'The state no longer uses BioTrack. Companies and licenses that are already synced stay as they are.',
  },
} as const satisfies Record<string, AnswerClass>;
