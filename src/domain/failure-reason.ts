/** Why reading from BioTrack failed. `biotrack/` maps every failed response to one of these. */
export const UPSTREAM_REASONS = [
  'credentials_rejected',
  'login_refused',
  'ubi_rejected',
  'privilege_missing',
  'upstream_timeout',
  'upstream_unreachable',
  'upstream_invalid_response',
  'upstream_rejected',
  'upstream_session_lost',
  'upstream_throttled',
  'upstream_trouble',
  'list_empty',
] as const;
export type UpstreamReason = (typeof UPSTREAM_REASONS)[number];

/** Why a sync run ended without a result. */
export const FAILURE_REASONS = [
  ...UPSTREAM_REASONS,
  'credentials_missing',
  'credential_unreadable',
  'unknown_state',
  'list_shrunk',
  'superseded',
  'storage_unavailable',
  'interrupted',
  'internal',
] as const;
export type FailureReason = (typeof FAILURE_REASONS)[number];
