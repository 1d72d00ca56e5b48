import type { UpstreamReason } from '../domain/failure-reason.js';
import { Secret } from '../domain/secret.js';
import { ADVICE, ANSWERS, type AnswerClass, type FixedBy } from './answers.js';
import type { RefusalText } from './unknown-texts.js';

export interface ErrorContext {
  /** The call to BioTrack that failed. */
  readonly action?: string | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly privilege?: string | undefined;
  /** An error code of Node.js, undici or TLS, such as ECONNREFUSED or CERT_HAS_EXPIRED. */
  readonly code?: string | undefined;
  /** What BioTrack said. */
  readonly refusal?: RefusalText | undefined;
  /** Absent if the headers of the response did not arrive. */
  readonly httpStatus?: number | undefined;
}

const LOGIN_REFUSALS: readonly UpstreamReason[] = ['credentials_rejected', 'login_refused', 'ubi_rejected'];

/** Whether BioTrack refused the login itself, so that it must not be used for further calls. */
export const isLoginRefusal = (reason: UpstreamReason): boolean => LOGIN_REFUSALS.includes(reason);

/** What an operator needs to find the cause. Every member has a closed set of values or is a constant of Node.js. */
export interface Evidence extends Pick<ErrorContext, 'action' | 'code' | 'httpStatus'> {
  /** The id of the answer class. */
  readonly answer: string;
}

/**
 * A call to BioTrack failed. Shows only texts of this service and has no cause: BioTrack's texts can repeat passwords,
 * and parser errors quote the bytes they could not read.
 */
export class BiotrackError extends Error {
  readonly reason: UpstreamReason;
  /** The id of the answer class: one of a closed list, safe for logs and metrics. */
  readonly answer: string;
  /** Whether a machine may try again later without a change by a user or operator. */
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;
  readonly privilege: string | undefined;
  readonly fixedBy: FixedBy;
  /** Whether the call was not sent because of earlier or other calls. */
  readonly isHeldBack: boolean;
  readonly evidence: Evidence;
  /** What happened and what to do, safe to show to users. */
  readonly advice: string;
  /** BioTrack's own text without what was sent. Only for operators, because it may still contain anything. */
  readonly upstreamText: Secret | undefined;
  /** Equal for equal texts, apart from digits and from what was sent. */
  readonly textLabel: string | undefined;

  constructor(answer: AnswerClass, context: ErrorContext = {}) {
    const action = context.action === undefined ? '' : ` at ${context.action}`;
    const code = context.code === undefined ? '' : ` (${context.code})`;
    super(`${answer.reason}: ${answer.id}${action}${code}`);
    this.name = 'BiotrackError';
    this.reason = answer.reason;
    this.answer = answer.id;
    this.retryable = answer.retryable;
    this.retryAfterMs = context.retryAfterMs;
    this.privilege = context.privilege;
    this.fixedBy = answer.fixedBy;
    this.isHeldBack = answer.isHeldBack === true;
    this.evidence = { answer: answer.id, action: context.action, code: context.code, httpStatus: context.httpStatus };
    this.advice = answer.advice ?? ADVICE[answer.reason];
    this.upstreamText = context.refusal && new Secret(context.refusal.text);
    this.textLabel = context.refusal?.label;
  }
}

/** For what this service concludes from several logins, or decides before it sends one. */
export const createLoginError = (
  answer: 'bareLoginRefusal' | 'loginsRefused' | 'loginHeld' | 'loginInProgress',
  context: ErrorContext = {},
): BiotrackError => new BiotrackError(ANSWERS[answer], { action: 'login', ...context });

/**
 * Whether BioTrack may have checked the password of a login that it did not accept. Then another password would be a guess. A
 * server error without a text says nothing.
 */
export const mayHaveCheckedLogin = ({ textLabel, evidence: { httpStatus } }: BiotrackError): boolean =>
  httpStatus !== undefined && httpStatus !== 429 && (httpStatus < 500 || textLabel !== undefined);

/** Whether the error concerns one login, so that a request with another login may succeed. */
export const isOfOneLogin = ({ reason, answer }: BiotrackError): boolean =>
  isLoginRefusal(reason) || reason === 'privilege_missing' || LOGIN_ANSWERS.includes(answer);

const LOGIN_ANSWERS: readonly string[] = [
  ANSWERS.bareLoginRefusal.id,
  ANSWERS.loginHeld.id,
  ANSWERS.loginInProgress.id,
];

/** Whether the login was not sent because BioTrack rejected several logins of the account. */
export const isLoginHeld = ({ answer }: BiotrackError): boolean => answer === ANSWERS.loginHeld.id;

/**
 * The code of the innermost error that has one (a proxy wraps errors of TLS), if it is a plain constant. Any other text
 * might quote the response.
 */
export function toNetworkErrorCode(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const code = 'code' in error ? error.code : undefined;
  const isConstant = typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,60}$/.test(code);
  return toNetworkErrorCode(error.cause) ?? (isConstant ? code : undefined);
}

const TLS_CODES =
  /^(CERT_|CRL_|DEPTH_ZERO_|EPROTO$|ERROR_IN_CERT|ERR_SSL_|ERR_TLS_|HOSTNAME_MISMATCH$|INVALID_CA$|INVALID_PURPOSE$|PATH_LENGTH_EXCEEDED$|SELF_SIGNED_|UNABLE_TO_)/;

/** Whether the code is one of TLS: a certificate that was not accepted, or a handshake that failed. */
export const isTlsCode = (code: string | undefined): boolean => code !== undefined && TLS_CODES.test(code);
