/** A null text or code is omitted from the response. */
export interface SimulatedRefusal {
  readonly error: string | null;
  readonly errorcode: number | string | null;
}

/**
 * BioTrack's texts and codes. The same code can have different meanings, so clients must read the text. README.md says
 * which texts are observed and which are inferred.
 */
export const SIMULATED_REFUSALS = {
  wrongCredentials: { error: 'Invalid username or password.', errorcode: null },
  /** A bare `success:0`, on weak evidence: one mock. */
  unknownUbi: { error: null, errorcode: null },
  accountLocked: { error: 'Your account has been locked.', errorcode: null },
  invalidLogin: { error: 'Invalid login.', errorcode: null },
  passwordExpired: { error: 'Your password has expired.', errorcode: null },
  userInactive: { error: 'User is not active.', errorcode: null },
  maintenance: { error: 'The system is down for maintenance.', errorcode: null },
  busy: { error: 'The server is busy.', errorcode: null },
  tryAgainLater: { error: 'Please try again later.', errorcode: null },
  invalidSession: { error: 'Invalid session.', errorcode: 60 },
  sessionExpired: { error: 'Your session has expired.', errorcode: 63 },
  /** Also code 63, but not a session error. */
  invalidLicenseNumber: { error: 'You provided an invalid location license number.', errorcode: 63 },
  apiVersion: { error: 'Invalid API version.', errorcode: 17 },
  unreadable: { error: 'The request could not be parsed.', errorcode: 602 },
  contentType: { error: 'The content type is not supported.', errorcode: 602 },
  catchAll: { error: 'An error occurred while processing your request.', errorcode: 602 },
  internalError: { error: 'An internal error has occurred. Please try again.', errorcode: 1000 },
} as const satisfies Readonly<Record<string, SimulatedRefusal>>;

export type RefusalName = keyof typeof SIMULATED_REFUSALS;
export const REFUSAL_NAMES = Object.keys(SIMULATED_REFUSALS) as readonly RefusalName[];

/** Also sent for an unknown action. */
export const toPrivilegeRefusal = (action: string): SimulatedRefusal => ({
  error: `The current session does not possess access to the ${action} privilege.`,
  errorcode: 62,
});

export const toCredentialRefusal = (outcome: 'unknown_ubi' | 'wrong_credentials'): SimulatedRefusal =>
  outcome === 'unknown_ubi' ? SIMULATED_REFUSALS.unknownUbi : SIMULATED_REFUSALS.wrongCredentials;

export const toSessionRefusal = (outcome: 'expired' | 'unknown'): SimulatedRefusal =>
  outcome === 'expired' ? SIMULATED_REFUSALS.sessionExpired : SIMULATED_REFUSALS.invalidSession;
