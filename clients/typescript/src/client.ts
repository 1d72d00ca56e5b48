import { UnexpectedResponseError } from './errors.js';
import { newIdempotencyKey } from './idempotency-key.js';
import type {
  ApiCall,
  ApiResponse,
  CommonOptions,
  Optional,
  OptionsAt,
  PathWith,
  ResultAt,
  Verb,
} from './operations.js';
import { type ItemAt, type ListPath, listPages, type PageAt, type PageOptions } from './pages.js';
import { DEFAULT_RETRY_POLICY, type RetryPolicy } from './retry-policy.js';
import { DEFAULT_MAX_RACES, type SaveCall, type SaveOptions, type SettingPath, saveSetting } from './save.js';
import { type SyncEvent, type SyncEventOptions, type SyncRun, streamSyncEvents } from './sync-events.js';
import { createTransport, type OutgoingRequest, type Retry } from './transport.js';
import { type WaitForSyncOptions, waitForSync } from './wait-for-sync.js';

export interface ClientOptions {
  /** For example `https://connect.example.com`. */
  readonly baseUrl: string;
  /** An API key or a JWT. A function is called for each attempt of each request, so that it can renew the token. */
  readonly token: string | (() => string | Promise<string>);
  /** Defaults to the global `fetch`. */
  readonly fetch?: (request: Request, init: { readonly signal: AbortSignal }) => Promise<Response>;
  /** A number is `maxRetries`. */
  readonly retries?: number | Partial<RetryPolicy>;
  /** Called before the delay of each retry. */
  readonly onRetry?: (retry: Retry) => void;
  /** The time limit of each attempt. Defaults to 120,000: some requests log in at BioTrack, which can be slow. */
  readonly timeoutMs?: number;
  /**
   * Accepts a `next_page` of another origin, for a service whose public URL is not `baseUrl`. Requests go to `baseUrl` in
   * either case. Defaults to false.
   */
  readonly ignorePageOrigin?: boolean;
}

export interface Client {
  readonly GET: ApiCall<'get'>;
  readonly PUT: ApiCall<'put'>;
  readonly POST: ApiCall<'post'>;
  readonly PATCH: ApiCall<'patch'>;
  readonly DELETE: ApiCall<'delete'>;
  /** Reads what has changed since `etag`. Undefined if nothing has. */
  getIfChanged<P extends PathWith<'get'>>(
    path: P,
    options: OptionsAt<P, 'get'> & { readonly etag: string },
  ): Promise<ApiResponse<ResultAt<P, 'get'>> | undefined>;
  /** Yields the items of all pages of a list. */
  paginate<P extends ListPath>(path: P, ...options: Optional<PageOptions<P>>): AsyncGenerator<ItemAt<P>, void>;
  /** Yields the pages of a list. */
  pages<P extends ListPath>(path: P, ...options: Optional<PageOptions<P>>): AsyncGenerator<PageAt<P>, void>;
  /** Reads a setting, then creates or replaces it. Repeats both if another caller changes it in between (412). */
  readonly save: SaveCall;
  /** Yields the events of a run until it ends. Resumes a stream that breaks. */
  streamSyncEvents(tenantId: string, runId: string, options?: SyncEventOptions): AsyncGenerator<SyncEvent, void>;
  /** Waits for the end of a run and returns it, whatever its status is. Uses events, or polls if there are none. */
  waitForSync(tenantId: string, runId: string, options?: WaitForSyncOptions): Promise<SyncRun>;
}

/** The options of any call, without the types of its operation. */
interface AnyOptions extends CommonOptions {
  readonly params?: OutgoingRequest['params'];
  readonly body?: unknown;
  readonly idempotencyKey?: string;
  readonly etag?: string | null;
}

/** @throws TypeError if the base URL is invalid */
export function createClient(options: ClientOptions): Client {
  const { token, retries, onRetry = () => {}, timeoutMs = 120_000, ignorePageOrigin = false } = options;
  const baseUrl = toBaseUrl(options.baseUrl);
  const transport = createTransport({
    baseUrl,
    getToken: typeof token === 'function' ? token : () => token,
    fetch: options.fetch ?? ((request, init) => globalThis.fetch(request, init)),
    timeoutMs,
    retries: { ...DEFAULT_RETRY_POLICY, ...(typeof retries === 'number' ? { maxRetries: retries } : retries) },
    onRetry,
  });

  const call = <V extends Verb>(verb: V): ApiCall<V> =>
    // The types of the operation describe what the service returns for its path.
    (async (path: string, given: AnyOptions = {}) =>
      transport.send(toOutgoingRequest(verb, path, given))) as unknown as ApiCall<V>;

  async function* listAllPages<P extends ListPath>(
    path: P,
    ...[given]: Optional<PageOptions<P>>
  ): AsyncGenerator<PageAt<P>, void> {
    const request = toOutgoingRequest('get', path, (given ?? {}) as AnyOptions);
    const fetchPage = async (search: string | undefined): Promise<PageAt<P>> => {
      const { data } = await transport.send(search === undefined ? request : { ...request, search });
      return data as PageAt<P>;
    };
    yield* listPages(fetchPage as () => Promise<never>, baseUrl, ignorePageOrigin);
  }

  return {
    GET: call('get'),
    PUT: call('put'),
    POST: call('post'),
    PATCH: call('patch'),
    DELETE: call('delete'),
    async getIfChanged(path, given) {
      const { etag, ...rest } = given as AnyOptions & { readonly etag: string };
      const headers = { ...rest.headers, 'if-none-match': etag };
      try {
        return (await transport.send(toOutgoingRequest('get', path, { ...rest, headers }))) as never;
      } catch (error) {
        if (error instanceof UnexpectedResponseError && error.status === 304) return undefined;
        throw error;
      }
    },
    async *paginate(path, ...given) {
      for await (const page of listAllPages(path, ...given)) {
        yield* (page as { readonly data: readonly never[] }).data;
      }
    },
    pages: listAllPages,
    save: (async (path: SettingPath, given: SaveOptions<SettingPath> & AnyOptions) => {
      const { toBody, maxRaces = DEFAULT_MAX_RACES, ...rest } = given;
      // The query belongs to the PUT.
      const { params, ...common } = rest;
      const read = { ...common, params: params?.path === undefined ? {} : { path: params.path } };
      return saveSetting<unknown, unknown, unknown>({
        read: () => transport.send(toOutgoingRequest('get', path, read)),
        toBody: toBody as (present: unknown) => unknown,
        write: (body, etag) => transport.send(toOutgoingRequest('put', path, { ...rest, body, etag })),
        maxRaces,
      });
    }) as unknown as SaveCall,
    streamSyncEvents: (tenantId, runId, given) => streamSyncEvents(transport, tenantId, runId, given),
    waitForSync: (tenantId, runId, given) => waitForSync(transport, tenantId, runId, given),
  };
}

function toBaseUrl(baseUrl: string): string {
  const { protocol, search, hash, href } = new URL(baseUrl);
  if (!/^https?:$/.test(protocol) || search !== '' || hash !== '') {
    throw new TypeError('baseUrl must start with http:// or https://, without a query or fragment');
  }
  return href.replace(/\/+$/, '');
}

function toOutgoingRequest(verb: Verb, path: string, options: AnyOptions): OutgoingRequest {
  const { params, body, headers = {}, signal, timeoutMs, idempotencyKey, etag } = options;
  const given = new Set(
    [...Object.keys(headers), ...Object.keys(params?.header ?? {})].map((name) => name.toLowerCase()),
  );
  const added: Record<string, string> = {};
  if (verb === 'post' && !given.has('idempotency-key')) {
    added['idempotency-key'] = idempotencyKey ?? newIdempotencyKey();
  }
  if (etag === null) added['if-none-match'] = '*';
  else if (etag !== undefined) added['if-match'] = etag;
  return {
    verb,
    path,
    ...(params === undefined ? {} : { params }),
    body,
    headers: { ...headers, ...added },
    signal,
    timeoutMs,
  };
}
