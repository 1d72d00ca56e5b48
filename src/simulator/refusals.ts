/** A null text or code is left out of the answer. */
export interface SimulatedRefusal {
  readonly error: string | null;
  readonly errorcode: number | string | null;
}

/** BioTrack's own texts and codes. The same code can mean different things: clients have to read the text. */
export const SIMULATED_REFUSALS = {
  wrongCredentials: { error: 'Invalid username or password.', errorcode: null },
  /** Weak evidence, and all there is: a bare `success:0`. */
  unknownUbi: { error: null, errorcode: null },
  invalidSession: { error: 'Invalid session.', errorcode: 60 },
  sessionExpired: { error: 'Your session has expired.', errorcode: 63 },
  /** Code 63 as well, and no session error. */
  invalidLicenseNumber: { error: 'You provided an invalid location license number.', errorcode: 63 },
  apiVersion: { error: 'Invalid API version.', errorcode: 17 },
  unreadable: { error: 'The request could not be parsed.', errorcode: 602 },
  contentType: { error: 'The content type is not supported.', errorcode: 602 },
  catchAll: { error: 'An error occurred while processing your request.', errorcode: 602 },
  trouble: { error: 'An internal error has occurred. Please try again.', errorcode: 1000 },
} as const satisfies Readonly<Record<string, SimulatedRefusal>>;

/** Also the answer to an action that is misspelt. */
export const privilegeRefusal = (action: string): SimulatedRefusal => ({
  error: `The current session does not possess access to the ${action} privilege.`,
  errorcode: 62,
});

export const credentialRefusal = (outcome: 'unknown_ubi' | 'wrong_credentials'): SimulatedRefusal =>
  outcome === 'unknown_ubi' ? SIMULATED_REFUSALS.unknownUbi : SIMULATED_REFUSALS.wrongCredentials;

export const sessionRefusal = (outcome: 'expired' | 'unknown'): SimulatedRefusal =>
  outcome === 'expired' ? SIMULATED_REFUSALS.sessionExpired : SIMULATED_REFUSALS.invalidSession;
