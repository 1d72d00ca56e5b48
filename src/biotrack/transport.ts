import type { Dispatcher } from 'undici';
import type { Deadline } from './deadline.js';
import { BiotrackError, toNetworkErrorCode } from './errors.js';
import { TROUBLE_CLASSES } from './troubles.js';

export interface HttpRequest {
  /** What it is about, for the messages of errors. */
  readonly action: string;
  readonly origin: string;
  readonly path: string;
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

export interface HttpAnswer {
  readonly status: number;
  readonly body: Buffer;
  readonly retryAfter: string | undefined;
}

export interface HttpLimits {
  /** Until there is a connection; waiting for a free one counts. */
  readonly connectMs: number;
  /** From the request to the head of the answer. */
  readonly headMs: number;
  readonly maxBodyBytes: number;
}

type Headers = Parameters<NonNullable<Dispatcher.DispatchHandler['onResponseStart']>>[2];

/**
 * One request, one whole answer, or an error by the deadline. It takes undici's dispatch as it is, since only there one
 * sees when the connection stands, and counts the body as it comes. A redirect is an answer like any other.
 */
export function exchange(
  dispatcher: Dispatcher,
  request: HttpRequest,
  limits: HttpLimits,
  deadline: Deadline,
): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const { signal } = deadline;
    const { action } = request;
    let phase: 'connect' | 'head' | 'body' | 'over' = 'connect';
    let controller: Dispatcher.DispatchController | undefined;
    let status = 0;
    let headers: Headers = {};
    let received = 0;
    const chunks: Buffer[] = [];
    // A body of known length is put together as it comes, and never lies in memory twice.
    let whole: Buffer | undefined;

    const finish = (settle: () => void): void => {
      if (phase === 'over') return;
      phase = 'over';
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      settle();
    };
    const giveUp = (error: unknown): void => {
      finish(() => reject(error));
      controller?.abort(new Error('given up'));
    };
    const onAbort = (): void =>
      giveUp(deadline.isTimeUp ? new BiotrackError(TROUBLE_CLASSES.tooSlow, { action }) : signal.reason);
    let timer = setTimeout(
      () => giveUp(new BiotrackError(TROUBLE_CLASSES.noConnection, { action, code: 'CONNECT_DEADLINE' })),
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
        // undici repeats what it takes for idempotent by itself, unseen; when to repeat is decided above.
        idempotent: false,
        headersTimeout: 0,
        bodyTimeout: 0,
      },
      {
        onRequestStart(given) {
          controller = given;
          if (phase === 'over') return given.abort(new Error('given up'));
          phase = 'head';
          clearTimeout(timer);
          timer = setTimeout(() => giveUp(new BiotrackError(TROUBLE_CLASSES.noHead, { action })), limits.headMs);
        },
        onResponseStart(_, givenStatus, givenHeaders) {
          if (givenStatus < 200 || phase === 'over') return;
          phase = 'body';
          clearTimeout(timer);
          status = givenStatus;
          headers = givenHeaders;
          const announced = Number(one(headers['content-length']) ?? 0);
          if (announced > limits.maxBodyBytes) return giveUp(new BiotrackError(TROUBLE_CLASSES.tooLarge, { action }));
          if (announced > 0) whole = Buffer.allocUnsafeSlow(announced);
        },
        onResponseData(_, chunk) {
          if (phase === 'over') return;
          if (whole === undefined) chunks.push(chunk);
          else chunk.copy(whole, received);
          received += chunk.length;
          if (received > limits.maxBodyBytes) return giveUp(new BiotrackError(TROUBLE_CLASSES.tooLarge, { action }));
        },
        onResponseEnd() {
          const announced = one(headers['content-length']);
          if (announced !== undefined && Number(announced) !== received) {
            return giveUp(new BiotrackError(TROUBLE_CLASSES.cutBody, { action }));
          }
          const retryAfter = one(headers['retry-after']);
          finish(() => resolve({ status, body: whole ?? Buffer.concat(chunks, received), retryAfter }));
        },
        onResponseError(_, error) {
          const code = toNetworkErrorCode(error);
          finish(() =>
            reject(new BiotrackError(toTrouble(phaseOf(status, controller), error, code), { action, code })),
          );
        },
      },
    );
  });
}

const phaseOf = (status: number, controller: Dispatcher.DispatchController | undefined) =>
  status > 0 ? 'body' : controller === undefined ? 'connect' : 'head';

const NOT_HTTP: ReadonlySet<string | undefined> = new Set([
  'UND_ERR_HEADERS_OVERFLOW',
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
]);

function toTrouble(phase: 'connect' | 'head' | 'body', error: Error, code: string | undefined) {
  if (phase !== 'body' && (error.name === 'HTTPParserError' || NOT_HTTP.has(code))) return TROUBLE_CLASSES.notHttp;
  if (phase === 'body') return TROUBLE_CLASSES.cutBody;
  return phase === 'head' ? TROUBLE_CLASSES.lostBeforeHead : TROUBLE_CLASSES.noConnection;
}

const one = (value: string | string[] | undefined): string | undefined => (Array.isArray(value) ? value[0] : value);
