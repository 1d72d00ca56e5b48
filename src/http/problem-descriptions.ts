import type { ErrorCode } from '../domain/service-error.js';

/** What each error means and what to do, for the problem pages and the examples. `detail` of a problem is more specific. */
export const PROBLEM_DESCRIPTIONS: Readonly<Record<ErrorCode, string>> = {
  invalid_request: 'Part of the request is invalid. Fix the parts listed in "errors".',
  malformed_json: 'The body is not valid JSON, has a duplicate key, or is nested too deeply.',
  invalid_cursor: 'The value of page[after] is not a cursor of this list. Restart from the first page.',
  unauthenticated: 'Send the header "Authorization: Bearer …" with a valid API key or token.',
  forbidden: 'The caller is not allowed to do this. Use an API key or a user with another role.',
  not_found: 'The object does not exist, or the caller cannot access it. Objects of other tenants return 404, too.',
  setup_incomplete: 'A setup step must be done first. "next_step" is the call to make.',
  credential_exists: 'The owner already has such a credential. Update the one in "conflicting_id" instead.',
  license_exists: 'The license was already created. "conflicting_id" is its id. An archived license can be restored.',
  idempotency_in_progress: 'The first request with this Idempotency-Key has not finished. Retry in a moment.',
  outcome_unknown:
    'A request with this Idempotency-Key changed data, but its response was lost. Read the current state; to repeat the change, send a new key.',
  sync_in_progress:
    'A sync or another change of the companies is being applied. Retry after the number of seconds in Retry-After.',
  in_use: 'Another object still uses this one. "conflicting_id" is its id.',
  fixed_after_first_sync: 'State and environment cannot change after the first sync. Use another tenant.',
  not_synced: 'A preview requires a finished first sync. Before that, set the preference without a preview.',
  preview_stale: "The state's list, the companies or the setup changed since the preview. Create another preview.",
  plan_stale: "The state's list, the companies or the setup changed since the plan was made. Start another sync.",
  not_in_review: 'Only runs with the status "needs_review" can be confirmed or dismissed.',
  license_taken: 'Another active company holds one of the licenses. "conflicting_id" is its id.',
  conflict_closed: 'The companies have changed, so there is nothing left to decide.',
  preview_required: 'After the first sync, changes that move licenses or archive companies require "preview_id".',
  confirmation_required: 'Send "confirm" to confirm the change. "effect" shows what it would affect.',
  run_ended: 'A run that has ended cannot be canceled.',
  leaflink_customer_taken:
    'Another license of the tenant has this LeafLink customer. "conflicting_id" is the company that holds it.',
  feed_rewound:
    'A backup was restored, so changes that you have read are no longer part of the feed. Replace what you have stored: read the feed from the beginning, without page[after].',
  feed_expired:
    'The feed no longer has the changes after this cursor: they are too old, or the first sync has run since. Replace what you have stored: read the feed from the beginning, without page[after].',
  precondition_failed:
    'The resource changed since it was last read. Read it again, then send the new ETag in If-Match.',
  origin_not_allowed:
    'A browser asked whether a page of this origin may call the API. An operator can add the origin to `CORS_ORIGINS`.',
  method_not_allowed: 'Use one of the methods in the Allow header.',
  request_timeout: 'Retry. The headers must arrive within 10 seconds, the whole request within 30 seconds.',
  payload_too_large: 'The limit is 64 KiB, except where an operation documents a higher one. Split the request.',
  uri_too_long: 'The limit is 8,000 characters for a URL and 200 characters for a path segment.',
  unsupported_media_type: 'Send the body with the header "Content-Type: application/json".',
  precondition_required: 'Send If-Match with the current ETag, or "If-None-Match: *" for the first PUT.',
  idempotency_key_reused: 'Use a new key for each request; reuse a key only to retry the same one.',
  unknown_state: 'GET /v1/states lists the states and environments that this deployment supports.',
  credentials_rejected: 'Correct the username and the password, then try again.',
  login_refused:
    'BioTrack refused the login for another reason than a wrong password, for example because the account is locked or inactive. Ask the administrator of the BioTrack account.',
  ubi_rejected: 'BioTrack does not recognize the UBI of the tenant. Correct the UBI.',
  ubi_is_license_number: 'Send the UBI of the business that holds the license.',
  privilege_missing: 'An administrator of the BioTrack account must grant the privilege in "reason".',
  license_not_available: 'GET …/available-licenses lists the licenses that can be created.',
  license_type_unknown: 'GET /v1/states lists the license types of the state.',
  invalid_dates: 'A license must expire after its issue date.',
  preview_unknown: 'Create a preview with POST …/company-creation-preference/preview and send its id.',
  not_one_license:
    'A LeafLink customer has exactly one license, so it can only be set for a company with exactly one active license.',
  company_unknown: 'Choose one of the companies that the conflict lists in "company_ids".',
  license_number_not_used:
    'Only states with the BioTrack REST API use the license number of a credential. Leave it out.',
  credential_unknown: 'GET …/credentials lists the credentials. Licenses can only use company credentials.',
  rate_limited: 'Wait for the number of seconds in Retry-After before you retry.',
  logins_held:
    'BioTrack rejected several logins of this BioTrack user, so no other password is sent for now. Wait for the number of seconds in Retry-After.',
  internal:
    'An unexpected error occurred. Include the request_id when you contact support. Requests with an Idempotency-Key can be retried safely.',
  list_loading:
    'BioTrack needs more than a few seconds for the list of the state, and no earlier list is available. The list is fetched in the background. Retry after the time in `Retry-After`: the next call returns the list, or why it could not be fetched.',
  upstream_unavailable:
    'BioTrack did not return a usable answer; see "reason". Retry after the number of seconds in Retry-After.',
  identity_unavailable: 'The token could not be verified. Retry after the number of seconds in Retry-After.',
  storage_unavailable: 'Retry after the number of seconds in Retry-After.',
  streams_exhausted: 'Retry after the number of seconds in Retry-After, or poll the sync run instead.',
  credential_unreadable: 'Enter the password of the credential again.',
};
