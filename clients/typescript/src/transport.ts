import createOpenapiClient from 'openapi-fetch';
import { type Deadline, sleep, startDeadline } from './deadline.js';
import {
  ConnectionError,
  type FailedRequest,
  type ProblemError,
  toProblemError,
  UnexpectedResponseError,
} from './errors.js';
import type { ApiResponse, Verb } from './operations.js';
import { type RetryPolicy, toRetryDelayMs } from './retry-policy.js';

/** A failed attempt that will be repeated. */
export interface Retry {
  readonly error: ProblemError | ConnectionError;
  readonly delayMs: number;
  /** 1 for the first retry. */
  readonly retry: number;
}

export interface TransportOptions {
  readonly baseUrl: string;
  readonly getToken: () => string | Promise<string>;
  readonly fetch: (request: Request, init: { readonly signal: AbortSignal }) => Promise<Response>;
  readonly timeoutMs: number;
  readonly retries: RetryPolicy;
  readonly onRetry: (retry: Retry) => void;
}

export interface OutgoingRequest {
  readonly verb: Verb;
  readonly path: string;
  readonly params?: { readonly path?: object; readonly query?: object; readonly header?: object };
  /** The query, already serialized. */
  readonly search?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number | undefined;
}

/** Sends requests with the token, time limits and retries. */
export interface Transport {
  /** @throws ProblemError, ConnectionError, or the reason of the signal */
  send(request: OutgoingRequest): Promise<ApiResponse<unknown>>;
  /**
   * Sends once and opens the body of the response as a stream; undefined for 204. The deadline aborts the stream, and its
   * time also limits the wait for the response.
   */
  openStream(request: OutgoingRequest, deadline: Deadline): Promise<ReadableStream<Uint8Array> | undefined>;
}

/** What openapi-fetch does, without the types of the operations. */
type SendUntyped = (
  method: string,
  path: string,
  init: object,
) => Promise<{ readonly data?: unknown; readonly error?: unknown; readonly response: Response }>;

export function createTransport(options: TransportOptions): Transport {
  const { baseUrl, getToken, timeoutMs, retries: policy, onRetry } = options;
  // Following a redirect could send a password to another host.
  const client = createOpenapiClient({ baseUrl, redirect: 'manual' });
  const sendUntyped = client.request as unknown as SendUntyped;

  return {
    async send(request) {
      const isRepeatable = isRepeatableRequest(request);
      let waitedMs = 0;
      for (let retries = 0; ; retries += 1) {
        const result = await attempt(request, retries + 1);
        if ('response' in result) return result.response;
        const { error } = result;
        const delayMs = toRetryDelayMs({ error, retries, waitedMs, isRepeatable }, policy);
        if (delayMs === undefined) throw error;
        onRetry({ error, delayMs, retry: retries + 1 });
        await sleep(delayMs, request.signal);
        waitedMs += delayMs;
      }
    },

    async openStream(request, deadline) {
      const failed = toFailedRequest(request, 1);
      const { data, error, response } = await sendUntyped('GET', request.path, {
        ...toInit(request, deadline.signal),
        parseAs: 'stream',
        fetch: (built: Request) => fetchOnce(built, request, deadline, failed, 'stream'),
      });
      if (response.status === 204) return undefined;
      if (!response.ok) throw toProblemError(response, error, failed);
      if (data instanceof ReadableStream && isEventStream(response)) return data;
      throw new UnexpectedResponseError({ ...toErrorOptions(response), request: failed });
    },
  };

  async function attempt(
    request: OutgoingRequest,
    attempts: number,
  ): Promise<{ readonly response: ApiResponse<unknown> } | { readonly error: ProblemError | ConnectionError }> {
    const failed = toFailedRequest(request, attempts);
    const deadline = startDeadline(request.signal, request.timeoutMs ?? timeoutMs);
    let received: Response | undefined;
    try {
      const { data, error, response } = await sendUntyped(request.verb.toUpperCase(), request.path, {
        ...toInit(request, deadline.signal),
        fetch: async (built: Request) => {
          received = await fetchOnce(built, request, deadline, failed, 'text');
          return received;
        },
      });
      if (!response.ok) return { error: toProblemError(response, error, failed) };
      if (data === undefined && response.status !== 204) {
        return { error: new UnexpectedResponseError({ ...toErrorOptions(response), request: failed }) };
      }
      const { status, headers } = response;
      return { response: { data, etag: toEtag(data, headers), status, headers } };
    } catch (error) {
      if (error instanceof ConnectionError) return { error };
      // The body is not JSON.
      if (error instanceof SyntaxError && received !== undefined) {
        return { error: new UnexpectedResponseError({ ...toErrorOptions(received), request: failed }, error) };
      }
      throw error;
    } finally {
      deadline.dispose();
    }
  }

  /** Sends one request. As `text`, also receives the whole body, so that a later failure is not one of the network. */
  async function fetchOnce(
    built: Request,
    { signal }: OutgoingRequest,
    deadline: Deadline,
    failed: FailedRequest,
    as: 'text' | 'stream',
  ): Promise<Response> {
    built.headers.set('authorization', `Bearer ${await getToken()}`);
    try {
      const response = await options.fetch(built, { signal: deadline.signal });
      if (as === 'stream' && isEventStream(response)) return response;
      const text = await response.text();
      const { status, statusText, headers } = response;
      // A Response cannot be constructed with the status of an opaque redirect.
      if (status === 0) throw new UnexpectedResponseError({ ...toErrorOptions(response), request: failed });
      return new Response(text === '' ? null : text, { status, statusText, headers });
    } catch (error) {
      if (error instanceof UnexpectedResponseError) throw error;
      if (signal?.aborted === true) throw signal.reason;
      throw new ConnectionError(deadline.isTimedOut ? 'timeout' : 'network', failed, error);
    }
  }
}

function toInit({ params, search, body, headers }: OutgoingRequest, signal: AbortSignal): object {
  return {
    params,
    headers,
    signal,
    ...(body === undefined ? {} : { body }),
    ...(search === undefined ? {} : { querySerializer: () => search }),
  };
}

const isEventStream = ({ ok, headers }: Response): boolean =>
  ok && headers.get('content-type')?.startsWith('text/event-stream') === true;

const toFailedRequest = ({ verb, path }: OutgoingRequest, attempts: number): FailedRequest => ({
  method: verb.toUpperCase(),
  path,
  attempts,
});

const toErrorOptions = ({ status, headers }: Response) => ({
  status,
  requestId: headers.get('x-request-id') ?? undefined,
  retryAfterMs: undefined,
});

/** POST takes effect once for each key; PATCH at most once for each ETag. */
function isRepeatableRequest({ verb, params, headers }: OutgoingRequest): boolean {
  const names = [params?.header, headers].flatMap((each) => Object.keys(each ?? {})).map((name) => name.toLowerCase());
  if (verb === 'post') return names.includes('idempotency-key');
  if (verb === 'patch') return names.includes('if-match');
  return true;
}

/** Of the header, which of a read also identifies the content; a browser may not see it. */
function toEtag(data: unknown, headers: Headers): string | undefined {
  const { etag } = (data ?? {}) as { readonly etag?: unknown };
  // A proxy that compresses may weaken an ETag.
  return headers.get('etag')?.replace(/^W\//, '') ?? (typeof etag === 'string' ? etag : undefined);
}
