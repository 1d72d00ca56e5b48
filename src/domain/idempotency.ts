/** A request that shall have its effect once, however often it is sent. */
export interface KeyedRequest {
  /** Whose tenant it is about; undefined for what an operator does beside them all. */
  readonly tenantId: string | undefined;
  /** Who asks. */
  readonly actor: string;
  /** Chosen by the caller. */
  readonly key: string;
  readonly method: string;
  readonly url: string;
  readonly body: unknown;
}

/** An answer as it went out, as far as it has to come again. */
export interface StoredAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The one request of a key that may have an effect. It ends by `keep` or `end`. */
export interface IdempotentRequest {
  /** Runs the work so that its transactions know of the key. */
  run(work: () => void): void;
  /** Keeps the answer for repetitions. */
  keep(answer: StoredAnswer): Promise<void>;
  /** Something broke: what had no effect may be tried again. */
  end(): Promise<void>;
}

export interface IdempotencyStore {
  /** @throws Fault `idempotency_in_progress`, `idempotency_key_reused`, `outcome_unknown` */
  begin(
    request: KeyedRequest,
  ): Promise<
    | { readonly kind: 'attempt'; readonly attempt: IdempotentRequest }
    | { readonly kind: 'repetition'; readonly answer: StoredAnswer }
  >;
}
