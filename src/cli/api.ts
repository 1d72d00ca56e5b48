import { setTimeout as pause } from 'node:timers/promises';
import createClient, { type Client } from 'openapi-fetch';
import { CliError, toCliError, toNetworkError } from './failure.js';
import type { paths } from './generated/v1.js';
import type { Hidden } from './hidden.js';
import { type RequestAttempt, toPauseMs } from './patience.js';

/** A login at BioTrack may be part of an answer, and BioTrack takes its time. */
const REQUEST_TIMEOUT_MS = 120_000;

export interface ApiResponse<T> {
  readonly data: T;
  /** The version to change it by; empty for what has none. */
  readonly etag: string;
}

type Sent<T> = Promise<{ data?: T; error?: unknown; response: Response }>;
type Send<T> = (client: Client<paths>) => Sent<T>;

/** The service, as one tenant's steps talk to it. */
export interface ApiClient {
  /** @throws Failure for every answer that is not the one that was hoped for */
  call<T>(send: Send<T>): Promise<ApiResponse<T>>;
  /** The same, but what does not exist is an answer too. */
  find<T>(send: Send<T>): Promise<ApiResponse<T> | undefined>;
  /** What the service tells as it happens; undefined where it does not, for whatever reason: nothing is repeated. */
  listen<T extends ReadableStream | null>(send: Send<T>): Promise<NonNullable<T> | undefined>;
}

export interface ApiClientOptions {
  readonly baseUrl: string;
  readonly apiKey: Hidden;
  /** How long to wait, in all, for a service that asks for patience. */
  readonly patienceMs: number;
  readonly onWait: (pauseMs: number, failure: CliError) => void;
  /** A service that has not answered yet is not there, rather than about to come back. */
  readonly isFirstContact?: boolean;
}

export function createApiClient({
  baseUrl,
  apiKey,
  patienceMs,
  onWait,
  isFirstContact = false,
}: ApiClientOptions): ApiClient {
  const client = createClient<paths>({
    baseUrl,
    headers: { Authorization: `Bearer ${apiKey.reveal()}` },
    // Followed, a redirect would carry a password to wherever it points.
    redirect: 'manual',
    fetch: (request) =>
      fetch(request, { signal: AbortSignal.any([request.signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]) }),
  });

  const api: ApiClient = {
    async call(send) {
      let waitedMs = 0;
      for (let repeats = 0; ; repeats += 1) {
        const result = await attempt(send);
        if ('answer' in result) return result.answer;
        const pauseMs = toPauseMs(result.attempt, repeats, waitedMs, patienceMs);
        if (pauseMs === undefined) throw result.failure;
        onWait(pauseMs, result.failure);
        await pause(pauseMs);
        waitedMs += pauseMs;
      }
    },
    async find(send) {
      try {
        return await api.call(send);
      } catch (error) {
        if (error instanceof CliError && error.code === 'not_found') return undefined;
        throw error;
      }
    },
    async listen(send) {
      try {
        const { data, response } = await send(client);
        const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') === true;
        if (response.ok && isStream) return data ?? undefined;
        // It is read by nobody, and would keep its connection.
        await response.body?.cancel();
      } catch {
        // As if there were none.
      }
      return undefined;
    },
  };
  return api;

  async function attempt<T>(
    send: Send<T>,
  ): Promise<{ answer: ApiResponse<T> } | { attempt: RequestAttempt; failure: CliError }> {
    let sent: Awaited<Sent<T>>;
    try {
      sent = await send(client);
    } catch (error) {
      // A body that is no JSON: some other server answered.
      if (error instanceof SyntaxError) throw toCliError(new Response(null), undefined);
      const failure = toNetworkError(error, baseUrl);
      if (failure === undefined) throw error;
      // Two minutes were patience enough.
      if (failure.code === 'timeout' || isFirstContact) throw failure;
      return { attempt: { kind: 'no_connection' }, failure };
    }
    const { data, error, response } = sent;
    if (response.ok && data !== undefined) return { answer: { data, etag: toStrong(response.headers.get('etag')) } };
    const failure = toCliError(response, error);
    const retryAfter = response.headers.get('retry-after');
    return { attempt: { kind: 'answer', status: response.status, code: failure.code, retryAfter }, failure };
  }
}

/** A proxy that compresses may weaken an ETag, and a weak one never matches. */
const toStrong = (etag: string | null): string => (etag ?? '').replace(/^W\//, '');
