import type { ParamsOption, RequestBodyOption } from 'openapi-fetch';
import type { paths } from './generated/v1.js';

/** Types of requests and responses, by the path of the operation. */

export type Verb = 'get' | 'put' | 'post' | 'patch' | 'delete';

/** The paths that have this method. */
export type PathWith<V extends Verb> = {
  [P in keyof paths]: paths[P] extends { readonly [K in V]: { readonly responses: unknown } } ? P : never;
}[keyof paths];

export type OperationAt<P extends keyof paths, V extends Verb> = V extends keyof paths[P]
  ? NonNullable<paths[P][V]>
  : never;

type SuccessStatus = 200 | 201 | 202 | 204;

/** The body of a success; undefined for 204. */
export type ResultAt<P extends keyof paths, V extends Verb> =
  OperationAt<P, V> extends { readonly responses: infer R }
    ? {
        [S in keyof R & SuccessStatus]: R[S] extends { readonly content: infer C } ? C[keyof C] : undefined;
      }[keyof R & SuccessStatus]
    : never;

/** The JSON body of a request. */
export type BodyAt<P extends keyof paths, V extends Verb> =
  OperationAt<P, V> extends { readonly requestBody?: { readonly content: { readonly 'application/json': infer B } } }
    ? B
    : never;

export interface CommonOptions {
  /** Added to those of the client. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** The time limit of each attempt. Defaults to the client's. */
  readonly timeoutMs?: number;
}

interface VerbOptions {
  readonly get: object;
  readonly post: {
    /** Defaults to a new UUID. Retries of the call send the same key. */
    readonly idempotencyKey?: string;
  };
  readonly put: {
    /** Sent as `If-Match`; null sends `If-None-Match: *`, which creates what does not exist yet. */
    readonly etag?: string | null;
  };
  readonly patch: {
    /** Sent as `If-Match`. */
    readonly etag?: string;
  };
  readonly delete: {
    /** Sent as `If-Match`. */
    readonly etag?: string;
  };
}

/** Headers are options of their own: `etag`, `idempotencyKey` and `headers`. */
type WithoutHeaders<T> = T extends { readonly parameters: infer Params }
  ? Omit<T, 'parameters'> & { parameters: Omit<Params, 'header'> }
  : T;

export type OptionsAt<P extends keyof paths, V extends Verb> = ParamsOption<WithoutHeaders<OperationAt<P, V>>> &
  RequestBodyOption<OperationAt<P, V>> &
  VerbOptions[V] &
  CommonOptions;

/** Makes the options of a call optional if all of them are. */
export type Optional<O> = Partial<O> extends O ? [options?: O] : [options: O];

export interface ApiResponse<T> {
  readonly data: T;
  /** For `If-Match`; of a read also for `If-None-Match`. */
  readonly etag: string | undefined;
  readonly status: number;
  readonly headers: Headers;
}

export type ApiCall<V extends Verb> = <P extends PathWith<V>>(
  path: P,
  ...options: Optional<OptionsAt<P, V>>
) => Promise<ApiResponse<ResultAt<P, V>>>;
