/**
 * The closed list of what can go wrong for a caller. `status` is HTTP's; `title` is the same for every occurrence.
 * A code is a promise: callers branch on it, so it is never renamed.
 */
export const ERRORS = {
  invalid_request: { status: 400, title: 'The request does not fit its schema' },
  malformed_json: { status: 400, title: 'The body is not JSON' },
  invalid_cursor: { status: 400, title: 'The page cursor is not one of ours, or belongs to another list' },
  unauthenticated: { status: 401, title: 'Who is calling could not be established' },
  forbidden: { status: 403, title: 'The caller may not do this' },
  not_found: { status: 404, title: 'There is no such thing' },
  setup_incomplete: { status: 409, title: 'An earlier step of the set-up is missing' },
  credential_exists: { status: 409, title: 'There is such a credential already' },
  license_exists: { status: 409, title: 'The license is created already' },
  idempotency_in_progress: { status: 409, title: 'A request with this Idempotency-Key is still being carried out' },
  outcome_unknown: { status: 409, title: 'A request with this Idempotency-Key had an effect, but its answer was lost' },
  in_use: { status: 409, title: 'Something else still needs this' },
  fixed_after_first_sync: { status: 409, title: 'This cannot change after the first sync' },
  not_synced: { status: 409, title: 'There are no companies yet' },
  preview_stale: { status: 409, title: 'Something moved since the preview' },
  plan_stale: { status: 409, title: 'Something moved since the plan was made' },
  not_in_review: { status: 409, title: 'The run does not wait for a decision' },
  license_taken: { status: 409, title: 'An active company holds the license' },
  conflict_decided: { status: 409, title: 'The conflict is gone' },
  preview_required: { status: 409, title: 'A switch of the strategy needs a preview first' },
  confirmation_required: { status: 409, title: 'This change needs to be confirmed' },
  run_ended: { status: 409, title: 'The run has ended already' },
  precondition_failed: { status: 412, title: 'The resource is not as the caller believes' },
  method_not_allowed: { status: 405, title: 'The path does not take this method' },
  request_timeout: { status: 408, title: 'The request did not come to its end in time' },
  payload_too_large: { status: 413, title: 'The body is too large' },
  uri_too_long: { status: 414, title: 'The URL is too long' },
  unsupported_media_type: { status: 415, title: 'The body is of a type that is not read here' },
  precondition_required: { status: 428, title: 'The request must say which version it is about' },
  idempotency_key_reused: { status: 422, title: 'The Idempotency-Key was used for another request' },
  unknown_state: { status: 422, title: 'This deployment does not know the state or its environment' },
  credentials_rejected: { status: 422, title: 'BioTrack refuses the user name or the password' },
  ubi_rejected: { status: 422, title: 'BioTrack does not know the UBI' },
  ubi_is_license_number: { status: 422, title: 'This is the number of a license, and not a UBI' },
  privilege_missing: { status: 422, title: 'The BioTrack user lacks a privilege' },
  license_not_available: { status: 422, title: 'BioTrack lists no such license for this UBI' },
  license_type_unknown: { status: 422, title: 'The state has no such license type' },
  invalid_dates: { status: 422, title: 'The dates contradict each other' },
  preview_unknown: { status: 422, title: 'There is no such preview' },
  company_unknown: { status: 422, title: 'The company is not one of those that can be chosen' },
  credential_unknown: { status: 422, title: 'There is no such credential' },
  rate_limited: { status: 429, title: 'The caller asks too often' },
  internal: { status: 500, title: 'Something is broken here' },
  upstream_unavailable: { status: 503, title: 'BioTrack cannot be reached or does not make sense at the moment' },
  identity_unavailable: { status: 503, title: 'The keys of the host application cannot be had at the moment' },
  storage_unavailable: { status: 503, title: 'The database cannot be reached at the moment' },
  streams_exhausted: { status: 503, title: 'This process follows as many runs as it can at the moment' },
  credential_unreadable: { status: 409, title: 'The stored password cannot be opened and must be given again' },
} as const satisfies Record<string, { status: number; title: string }>;

export type ErrorCode = keyof typeof ERRORS;

/** One part of a request that does not fit. */
export interface FieldError {
  /** JSON pointer (RFC 6901) into the body, or `?name` of a query parameter, or `header:name`. */
  readonly pointer: string;
  readonly detail: string;
}

/** The call that the caller has to make first. */
export interface NextStep {
  readonly step: string;
  readonly operation_id: string;
  readonly method: string;
  readonly path: string;
}

/** How much of a tenant another UBI touches. */
export interface ChangeEffect {
  /** Created licenses, which are then another vendor's. */
  readonly licenses: number;
  /** Credentials, which are unverified from then on. */
  readonly credentials: number;
  /** Companies that are the tenant's own now, or then. */
  readonly companies: number;
}

export interface ServiceErrorExtras {
  readonly errors?: readonly FieldError[];
  readonly next_step?: NextStep;
  /** The object that is in the way. */
  readonly conflicting_id?: string;
  /** A finer reason under the code, from a closed list of its own. */
  readonly reason?: string;
  /** What a change that has to be confirmed would touch. */
  readonly effect?: ChangeEffect;
  readonly retryAfterSeconds?: number;
  /** For the log only. */
  readonly cause?: unknown;
}

/**
 * A fault with its two voices: `code` and `detail` are for the caller and hold nothing that he may not see; `cause` is
 * for the log.
 */
export class ServiceError extends Error {
  readonly code: ErrorCode;
  readonly extras: ServiceErrorExtras;

  constructor(code: ErrorCode, detail: string, extras: ServiceErrorExtras = {}) {
    super(detail, { cause: extras.cause });
    this.name = 'ServiceError';
    this.code = code;
    this.extras = extras;
  }
}

export const notFound = (what: string): ServiceError => new ServiceError('not_found', `There is no such ${what}.`);
