import http from 'node:http';
import https from 'node:https';
import { Dispatcher, errors } from 'undici';

type Headers = Parameters<NonNullable<Dispatcher.DispatchHandler['onResponseStart']>>[2];

/**
 * Carries undici's requests over node:http, where nock sees them. Everything above the socket stays as it is in
 * production. It serves handlers of undici 7 only (`onRequestStart` and so on), and makes an error of what they throw.
 */
export class NockDispatcher extends Dispatcher {
  readonly #open = new Set<http.ClientRequest>();
  #isDestroyed = false;

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    let reason: Error | null = null;
    let isOver = false;
    let request: http.ClientRequest | undefined;
    const abort = (why: Error): void => {
      reason ??= why;
      request?.destroy(why);
      fail(why);
    };
    const controller: Dispatcher.DispatchController = {
      get aborted() {
        return reason !== null;
      },
      get reason() {
        return reason;
      },
      get paused() {
        return false;
      },
      abort,
      pause: () => {},
      resume: () => {},
    };
    const fail = (error: Error): void => {
      if (isOver) return;
      isOver = true;
      handler.onResponseError?.(controller, error);
    };
    /** What a handler throws must end the request, and not the process. */
    const guard = (work: () => void): void => {
      if (isOver) return;
      try {
        work();
      } catch (error) {
        abort(error instanceof Error ? error : new Error(String(error)));
      }
    };

    if (handler.onRequestStart === undefined) throw new TypeError('only handlers with onRequestStart are served');
    if (this.#isDestroyed) {
      fail(new errors.ClientDestroyedError());
      return false;
    }
    guard(() => handler.onRequestStart?.(controller, {}));
    if (reason !== null) return true;

    const url = new URL(options.path, String(options.origin));
    const { request: start } = url.protocol === 'https:' ? https : http;
    request = start(url, { method: options.method, headers: toHeaders(options.headers) });
    const opened = request;
    this.#open.add(opened);
    opened.on('close', () => this.#open.delete(opened));
    opened.on('error', fail);
    opened.on('response', (response) => {
      response.on('data', (chunk: Buffer) => guard(() => handler.onResponseData?.(controller, Buffer.from(chunk))));
      response.on('aborted', () => fail(new errors.SocketError('other side closed')));
      response.on('error', fail);
      response.on('end', () => {
        guard(() => handler.onResponseEnd?.(controller, response.trailers as Headers));
        isOver = true;
      });
      guard(() =>
        handler.onResponseStart?.(controller, response.statusCode ?? 0, response.headers, response.statusMessage),
      );
    });
    opened.end(options.body ?? undefined);
    return true;
  }

  override close(): Promise<void>;
  override close(callback: () => void): void;
  override close(callback?: () => void): Promise<void> | void {
    return this.#destroy(callback);
  }

  override destroy(...given: unknown[]): Promise<void> & undefined {
    const callback = given.find((each): each is () => void => typeof each === 'function');
    return this.#destroy(callback) as Promise<void> & undefined;
  }

  #destroy(callback: (() => void) | undefined): Promise<void> | undefined {
    this.#isDestroyed = true;
    for (const request of this.#open) request.destroy(new errors.ClientDestroyedError());
    if (callback === undefined) return Promise.resolve();
    queueMicrotask(callback);
    return undefined;
  }
}

function toHeaders(headers: Dispatcher.DispatchOptions['headers']): http.OutgoingHttpHeaders {
  if (headers === undefined || headers === null) return {};
  if (Array.isArray(headers)) throw new TypeError('headers are given as an object here');
  return Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined));
}
