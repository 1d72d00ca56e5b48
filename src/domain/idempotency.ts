/** A request with an Idempotency-Key. */
export interface KeyedRequest {
  /** Undefined for operator requests that concern no tenant. */
  readonly tenantId: string | undefined;
  readonly actor: string;
  /** Chosen by the caller. */
  readonly key: string;
  readonly method: string;
  readonly url: string;
  readonly body: unknown;
}

/** The parts of a response that a replay repeats. */
export interface StoredResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The one attempt of a key that may commit. It must end with `saveResponse` or `abandon`. */
export interface IdempotentRequest {
  /** Runs `work` so that each of its transactions records its effect under the key. */
  run(work: () => void): void;
  /** Stores the response for replays. */
  saveResponse(response: StoredResponse): Promise<void>;
  /** The request failed: frees the key if nothing was committed under it. */
  abandon(): Promise<void>;
}

export interface IdempotencyStore {
  /** @throws ServiceError `idempotency_in_progress`, `idempotency_key_reused`, `outcome_unknown` */
  begin(
    request: KeyedRequest,
  ): Promise<
    | { readonly kind: 'attempt'; readonly attempt: IdempotentRequest }
    | { readonly kind: 'replay'; readonly response: StoredResponse }
  >;
}
