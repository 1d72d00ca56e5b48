import type { ProblemCode } from './generated/problem-codes.js';
import type { components } from './generated/v1.js';

type Problem = components['schemas']['Problem'];

export interface FailedRequest {
  readonly method: string;
  /** The path of the operation, with its placeholders: `/v1/tenants/{tenant_id}`. */
  readonly path: string;
  /** How often the request was sent. */
  readonly attempts: number;
}

interface ProblemErrorOptions {
  readonly request: FailedRequest;
  readonly status: number;
  readonly problem: Problem | undefined;
  readonly requestId: string | undefined;
  readonly retryAfterMs: number | undefined;
}

/** Every response that is not a success. Branch on `code`. */
export class ProblemError extends Error {
  /** The HTTP status; 0 for a redirect in a browser. */
  readonly status: number;
  /** Stable. Known codes are in `PROBLEM_CODES`; later versions of the service can return others. */
  readonly code: ProblemCode | (string & {});
  readonly title: string;
  /** For humans; not stable. */
  readonly detail: string;
  /** The invalid parts of the request. */
  readonly errors: readonly components['schemas']['FieldError'][];
  /** The call to make before this one can succeed. */
  readonly nextStep: components['schemas']['NextStep'] | undefined;
  /** The ID of the object that caused a conflict. */
  readonly conflictingId: string | undefined;
  /** A more specific reason for some codes. */
  readonly reason: string | undefined;
  /** Include it when you contact support. */
  readonly requestId: string | undefined;
  /** How long the service asks to wait (`Retry-After`). */
  readonly retryAfterMs: number | undefined;
  /** The body; undefined if it is no problem document. */
  readonly problem: Problem | undefined;
  readonly request: FailedRequest;

  constructor({ request, status, problem, requestId, retryAfterMs }: ProblemErrorOptions) {
    const title = problem?.title ?? 'Response is not from biotrack-connect';
    const detail =
      problem?.detail ?? `${request.method} ${request.path} returned HTTP ${status} without a problem document.`;
    super(`${title}: ${detail}`);
    this.name = 'ProblemError';
    this.status = status;
    this.code = problem?.code ?? 'unexpected_response';
    this.title = title;
    this.detail = detail;
    this.errors = problem?.errors ?? [];
    this.nextStep = problem?.next_step;
    this.conflictingId = problem?.conflicting_id;
    this.reason = problem?.reason ?? undefined;
    this.requestId = problem?.request_id ?? requestId;
    this.retryAfterMs = retryAfterMs;
    this.problem = problem;
    this.request = request;
  }
}

/**
 * A response that the service does not send, usually from a proxy: an error without a problem document, or a success without
 * the expected JSON. Its `code` is `unexpected_response`.
 */
export class UnexpectedResponseError extends ProblemError {
  constructor(options: Omit<ProblemErrorOptions, 'problem'>, cause?: unknown) {
    super({ ...options, problem: undefined });
    this.name = 'UnexpectedResponseError';
    if (cause !== undefined) this.cause = cause;
  }
}

/** No complete response was received. The service may have processed the request. `cause` is the error of fetch. */
export class ConnectionError extends Error {
  /** `timeout`: no complete response within `timeoutMs`. */
  readonly reason: 'network' | 'timeout';
  readonly request: FailedRequest;

  constructor(reason: ConnectionError['reason'], request: FailedRequest, cause: unknown) {
    const what = reason === 'timeout' ? 'No response in time' : 'No connection';
    super(`${what}: ${request.method} ${request.path}`, { cause });
    this.name = 'ConnectionError';
    this.reason = reason;
    this.request = request;
  }
}

/** A `next_page` that is not followed. */
export class PageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'PageError';
  }
}

/** A sync did not end within `timeoutMs`. It continues in the service. */
export class SyncTimeoutError extends Error {
  /** The run as it was last read; undefined if it was never read. */
  readonly run: components['schemas']['SyncRun'] | undefined;

  constructor(timeoutMs: number, run: components['schemas']['SyncRun'] | undefined) {
    super(`The sync did not end within ${timeoutMs} ms.`);
    this.name = 'SyncTimeoutError';
    this.run = run;
  }
}

/** Whether the service answered with a problem, and with this code if one is given. */
export function isProblem<Code extends ProblemCode>(
  error: unknown,
  code?: Code,
): error is ProblemError & { readonly code: Code; readonly problem: Problem } {
  return error instanceof ProblemError && error.problem !== undefined && (code === undefined || error.code === code);
}

/** Converts the response to a failed request. @param body parsed, if it is JSON */
export function toProblemError(response: Response, body: unknown, request: FailedRequest): ProblemError {
  const options = {
    request,
    status: response.status,
    requestId: response.headers.get('x-request-id') ?? undefined,
    retryAfterMs: toRetryAfterMs(response.headers.get('retry-after')),
  };
  return isProblemDocument(body)
    ? new ProblemError({ ...options, problem: body })
    : new UnexpectedResponseError(options);
}

function isProblemDocument(body: unknown): body is Problem {
  if (typeof body !== 'object' || body === null) return false;
  const { code, title, detail } = body as Partial<Record<keyof Problem, unknown>>;
  return typeof code === 'string' && typeof title === 'string' && typeof detail === 'string';
}

/** Parses `Retry-After`: seconds or a date. Undefined if it is missing or invalid. */
export function toRetryAfterMs(header: string | null, now: () => number = Date.now): number | undefined {
  if (header === null || header.trim() === '') return undefined;
  const seconds = Number(header);
  const delayMs = Number.isFinite(seconds) ? seconds * 1_000 : Date.parse(header) - now();
  return Number.isFinite(delayMs) ? Math.max(delayMs, 0) : undefined;
}
