import type { Dispatcher } from 'undici';
import { ANSWERS, type AnswerClass } from './answers.js';
import type { Deadline } from './deadline.js';
import { BiotrackError, isTlsCode, toNetworkErrorCode } from './errors.js';

/** Some gateways refuse requests without them. */
export const COMMON_HEADERS = { 'user-agent': 'biotrack-connect', accept: 'application/json' } as const;

export interface HttpRequest {
  /** For error messages only. */
  readonly action: string;
  readonly origin: string;
  readonly path: string;
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

export interface HttpResponse {
  readonly status: number;
  readonly body: Buffer;
  readonly retryAfter: string | undefined;
}

export interface HttpLimits {
  /** Until there is a connection, including the wait for a free one in the pool. */
  readonly connectMs: number;
  /** From the request to the response headers. */
  readonly headersMs: number;
  readonly maxBodyBytes: number;
}

type Headers = Parameters<NonNullable<Dispatcher.DispatchHandler['onResponseStart']>>[2];

/**
 * Sends one request and resolves with the complete response; rejects by the deadline at the latest. Redirects are
 * returned, not followed. Uses undici's `dispatch` because only that reports when a connection is made, and allows to
 * stop reading a body above the limit.
 */
export function sendRequest(
  dispatcher: Dispatcher,
  request: HttpRequest,
  limits: HttpLimits,
  deadline: Deadline,
): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    const { signal } = deadline;
    const { action } = request;
    let phase: 'connect' | 'headers' | 'body' | 'done' = 'connect';
    let controller: Dispatcher.DispatchController | undefined;
    let status = 0;
    let headers: Headers = {};
    let received = 0;
    const chunks: Buffer[] = [];
    // A body of known length is copied into one buffer as it arrives, to never hold it in memory twice.
    let whole: Buffer | undefined;

    const settle = (apply: () => void): void => {
      if (phase === 'done') return;
      phase = 'done';
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      apply();
    };
    const cancel = (error: unknown): void => {
      settle(() => reject(error));
      controller?.abort(new Error('canceled'));
    };
    const onAbort = (): void =>
      cancel(deadline.isExceeded ? new BiotrackError(ANSWERS.deadlineExceeded, { action }) : signal.reason);
    let timer = setTimeout(
      () => cancel(new BiotrackError(ANSWERS.noConnection, { action, code: 'CONNECT_DEADLINE' })),
      limits.connectMs,
    );

    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) return onAbort();

    dispatcher.dispatch(
      {
        origin: request.origin,
        path: request.path,
        method: request.method,
        headers: { ...request.headers },
        body: request.body ?? null,
        // undici silently repeats requests that it considers idempotent. Retries are decided in upstream.ts.
        idempotent: false,
        headersTimeout: 0,
        bodyTimeout: 0,
      },
      {
        onRequestStart(startedController) {
          controller = startedController;
          if (phase === 'done') return startedController.abort(new Error('canceled'));
          phase = 'headers';
          clearTimeout(timer);
          timer = setTimeout(() => cancel(new BiotrackError(ANSWERS.headersTimeout, { action })), limits.headersMs);
        },
        onResponseStart(_, responseStatus, responseHeaders) {
          if (responseStatus < 200 || phase === 'done') return;
          phase = 'body';
          clearTimeout(timer);
          status = responseStatus;
          headers = responseHeaders;
          const contentLength = Number(toFirst(headers['content-length']) ?? 0);
          if (contentLength > limits.maxBodyBytes) return cancel(new BiotrackError(ANSWERS.bodyTooLarge, { action }));
          if (contentLength > 0) whole = Buffer.allocUnsafeSlow(contentLength);
        },
        onResponseData(_, chunk) {
          if (phase === 'done') return;
          if (whole === undefined) chunks.push(chunk);
          else chunk.copy(whole, received);
          received += chunk.length;
          if (received > limits.maxBodyBytes) return cancel(new BiotrackError(ANSWERS.bodyTooLarge, { action }));
        },
        onResponseEnd() {
          const contentLength = toFirst(headers['content-length']);
          if (contentLength !== undefined && Number(contentLength) !== received) {
            return cancel(new BiotrackError(ANSWERS.truncatedBody, { action }));
          }
          const retryAfter = toFirst(headers['retry-after']);
          settle(() => resolve({ status, body: whole ?? Buffer.concat(chunks, received), retryAfter }));
        },
        onResponseError(_, error) {
          const code = toNetworkErrorCode(error);
          settle(() =>
            reject(new BiotrackError(toAnswer(toFailedPhase(status, controller), error, code), { action, code })),
          );
        },
      },
    );
  });
}

const toFailedPhase = (status: number, controller: Dispatcher.DispatchController | undefined) =>
  status > 0 ? 'body' : controller === undefined ? 'connect' : 'headers';

const INVALID_HTTP_CODES: ReadonlySet<string | undefined> = new Set([
  'UND_ERR_HEADERS_OVERFLOW',
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
]);

function toAnswer(phase: 'connect' | 'headers' | 'body', error: Error, code: string | undefined): AnswerClass {
  if (phase === 'body') return ANSWERS.truncatedBody;
  if (isTlsCode(code)) return ANSWERS.tlsFailure;
  if (error.name === 'HTTPParserError' || INVALID_HTTP_CODES.has(code)) return ANSWERS.invalidHttp;
  return phase === 'headers' ? ANSWERS.connectionLost : ANSWERS.noConnection;
}

const toFirst = (value: string | string[] | undefined): string | undefined => (Array.isArray(value) ? value[0] : value);
