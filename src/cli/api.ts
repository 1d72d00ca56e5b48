import { setTimeout as delay } from 'node:timers/promises';
import createClient, { type Client } from 'openapi-fetch';
import { linkSignals } from '../domain/linked-signal.js';
import { CliError, toCliError, toNetworkError } from './cli-error.js';
import type { paths } from './generated/v1.js';
import type { Hidden } from './hidden.js';
import { type RequestAttempt, toRetryDelayMs } from './retry-delay.js';

/** Some requests log in at BioTrack, which can be slow. */
const REQUEST_TIMEOUT_MS = 120_000;

export interface ApiResponse<T> {
  readonly data: T;
  /** Empty for responses without an ETag. */
  readonly etag: string;
}

type Sent<T> = Promise<{ data?: T; error?: unknown; response: Response }>;
type Send<T> = (client: Client<paths>) => Sent<T>;

export interface ApiClient {
  /** Retries according to `toRetryDelayMs`. @throws CliError for everything but success */
  call<T>(send: Send<T>): Promise<ApiResponse<T>>;
  /** Like `call`, but undefined for 404. */
  find<T>(send: Send<T>): Promise<ApiResponse<T> | undefined>;
  /** Opens a stream of server-sent events; undefined if that fails for any reason. Does not retry. */
  listen<T extends ReadableStream | null>(send: Send<T>): Promise<NonNullable<T> | undefined>;
}

export interface ApiClientOptions {
  readonly baseUrl: string;
  readonly apiKey: Hidden;
  /** Total time to wait between the retries of one request. */
  readonly maxRetryMs: number;
  readonly onRetry: (delayMs: number, error: CliError) => void;
  /** Do not retry when there is no connection: the service is probably not running. */
  readonly isFirstContact?: boolean;
}

export function createApiClient({
  baseUrl,
  apiKey,
  maxRetryMs,
  onRetry,
  isFirstContact = false,
}: ApiClientOptions): ApiClient {
  const client = createClient<paths>({
    baseUrl,
    headers: { Authorization: `Bearer ${apiKey.reveal()}` },
    // Following a redirect could send a password to another host.
    redirect: 'manual',
    // Not disposed: the time limit includes the response body, which is read later.
    fetch: (request) => fetch(request, { signal: linkSignals([request.signal], REQUEST_TIMEOUT_MS).signal }),
  });

  const api: ApiClient = {
    async call(send) {
      let waitedMs = 0;
      for (let retries = 0; ; retries += 1) {
        const result = await attempt(send);
        if ('response' in result) return result.response;
        const delayMs = toRetryDelayMs(result.attempt, { retries, waitedMs, maxRetryMs });
        if (delayMs === undefined) throw result.error;
        onRetry(delayMs, result.error);
        await delay(delayMs);
        waitedMs += delayMs;
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
        // An unread body would keep the connection open.
        await response.body?.cancel();
      } catch {
        // The caller polls instead.
      }
      return undefined;
    },
  };
  return api;

  async function attempt<T>(
    send: Send<T>,
  ): Promise<{ response: ApiResponse<T> } | { attempt: RequestAttempt; error: CliError }> {
    let sent: Awaited<Sent<T>>;
    try {
      sent = await send(client);
    } catch (error) {
      // The body is not JSON: another server answered.
      if (error instanceof SyntaxError) throw toCliError(new Response(null), undefined);
      const networkError = toNetworkError(error, baseUrl);
      if (networkError === undefined) throw error;
      // A timeout is not retried, because it took two minutes.
      if (networkError.code === 'timeout' || isFirstContact) throw networkError;
      return { attempt: { kind: 'no_connection' }, error: networkError };
    }
    const { data, error: body, response } = sent;
    if (response.ok && data !== undefined) {
      return { response: { data, etag: toStrongEtag(response.headers.get('etag')) } };
    }
    const error = toCliError(response, body);
    const retryAfter = response.headers.get('retry-after');
    return { attempt: { kind: 'response', status: response.status, code: error.code, retryAfter }, error };
  }
}

/** A proxy that compresses may weaken an ETag, and If-Match never matches a weak one. */
const toStrongEtag = (etag: string | null): string => (etag ?? '').replace(/^W\//, '');
