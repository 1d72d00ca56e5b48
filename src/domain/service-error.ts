/**
 * Every error that a caller can receive: its HTTP status, and a title that is the same for every occurrence. Callers branch
 * on the codes, so a released code is never renamed.
 */
export const ERRORS = {
  invalid_request: { status: 400, title: 'Invalid request' },
  malformed_json: { status: 400, title: 'Malformed JSON' },
  invalid_cursor: { status: 400, title: 'Invalid page cursor' },
  unauthenticated: { status: 401, title: 'Authentication required' },
  forbidden: { status: 403, title: 'Permission denied' },
  not_found: { status: 404, title: 'Resource not found' },
  setup_incomplete: { status: 409, title: 'Setup is incomplete' },
  credential_exists: { status: 409, title: 'Credential already exists' },
  license_exists: { status: 409, title: 'License already created' },
  idempotency_in_progress: { status: 409, title: 'Request with this Idempotency-Key is in progress' },
  outcome_unknown: { status: 409, title: 'Response to the first request was lost' },
  sync_in_progress: { status: 409, title: 'Sync is being applied' },
  in_use: { status: 409, title: 'Resource is in use' },
  fixed_after_first_sync: { status: 409, title: 'Cannot change after the first sync' },
  not_synced: { status: 409, title: 'First sync has not finished' },
  preview_stale: { status: 409, title: 'Preview is out of date' },
  plan_stale: { status: 409, title: 'Plan is out of date' },
  not_in_review: { status: 409, title: 'Sync run is not in review' },
  license_taken: { status: 409, title: 'License belongs to another company' },
  conflict_closed: { status: 409, title: 'Conflict is closed' },
  preview_required: { status: 409, title: 'Preview required' },
  confirmation_required: { status: 409, title: 'Confirmation required' },
  run_ended: { status: 409, title: 'Sync run has ended' },
  leaflink_customer_taken: { status: 409, title: 'LeafLink customer belongs to another license' },
  feed_rewound: { status: 409, title: 'Change feed was rewound' },
  feed_expired: { status: 410, title: 'Change feed no longer has the next changes' },
  precondition_failed: { status: 412, title: 'Resource has changed' },
  origin_not_allowed: { status: 403, title: 'Origin not allowed' },
  method_not_allowed: { status: 405, title: 'Method not allowed' },
  request_timeout: { status: 408, title: 'Request timed out' },
  payload_too_large: { status: 413, title: 'Request body too large' },
  uri_too_long: { status: 414, title: 'URL too long' },
  unsupported_media_type: { status: 415, title: 'Unsupported media type' },
  precondition_required: { status: 428, title: 'Precondition header required' },
  idempotency_key_reused: { status: 422, title: 'Idempotency-Key already used for another request' },
  unknown_state: { status: 422, title: 'Unknown state or environment' },
  credentials_rejected: { status: 422, title: 'BioTrack rejected the username or password' },
  login_refused: { status: 422, title: 'BioTrack refused the login' },
  ubi_rejected: { status: 422, title: 'BioTrack rejected the UBI' },
  ubi_is_license_number: { status: 422, title: 'License number given instead of a UBI' },
  privilege_missing: { status: 422, title: 'BioTrack user lacks a privilege' },
  license_not_available: { status: 422, title: 'License is not available' },
  license_type_unknown: { status: 422, title: 'Unknown license type' },
  invalid_dates: { status: 422, title: 'Invalid dates' },
  preview_unknown: { status: 422, title: 'Unknown preview' },
  not_one_license: { status: 422, title: 'Company does not have exactly one license' },
  company_unknown: { status: 422, title: 'Company cannot be chosen' },
  license_number_not_used: { status: 422, title: 'License number is not used at login' },
  credential_unknown: { status: 422, title: 'Unknown credential' },
  rate_limited: { status: 429, title: 'Too many requests' },
  logins_held: { status: 429, title: 'Too many rejected logins' },
  internal: { status: 500, title: 'Internal error' },
  list_loading: { status: 503, title: "State's list is loading" },
  upstream_unavailable: { status: 503, title: 'BioTrack is unavailable' },
  identity_unavailable: { status: 503, title: 'Token signing keys are unavailable' },
  storage_unavailable: { status: 503, title: 'Database is unavailable' },
  streams_exhausted: { status: 503, title: 'Too many open event streams' },
  credential_unreadable: { status: 409, title: 'Stored password cannot be decrypted' },
} as const satisfies Record<string, { status: number; title: string }>;

export type ErrorCode = keyof typeof ERRORS;

/** One invalid part of a request. */
export interface FieldError {
  /** A JSON pointer (RFC 6901) into the body, `?name`, `header:name`, or `path:name`. */
  readonly pointer: string;
  readonly detail: string;
}

/** The call to make before the failed one can succeed. */
export interface NextStep {
  readonly step: string;
  readonly operation_id: string;
  readonly method: string;
  readonly path: string;
}

/** What changing the UBI of a tenant affects. */
export interface ChangeEffect {
  /** Created licenses; the state lists them under the old UBI. */
  readonly licenses: number;
  /** Credentials that become unverified. */
  readonly credentials: number;
  /** Companies that start or stop being the tenant's own. */
  readonly companies: number;
}

export interface ServiceErrorExtras {
  readonly errors?: readonly FieldError[];
  readonly next_step?: NextStep;
  /** The object that caused the conflict. */
  readonly conflicting_id?: string;
  /** A more specific reason; each code has its own closed list. */
  readonly reason?: string;
  /** What a change that needs confirmation would affect. */
  readonly effect?: ChangeEffect;
  readonly retryAfterSeconds?: number;
  /** For the log only. */
  readonly cause?: unknown;
}

/** An error for the caller. `code` and `detail` are sent and must not contain secrets or internals; `cause` is only logged. */
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

export const userInactive = (): ServiceError =>
  new ServiceError('forbidden', 'The host application has deactivated this user.', { reason: 'user_inactive' });

/** Also for objects of other tenants, so that a caller cannot find out whether they exist. */
export const notFound = (what: string): ServiceError =>
  new ServiceError('not_found', `The ${what} does not exist, or the caller cannot access it.`);
