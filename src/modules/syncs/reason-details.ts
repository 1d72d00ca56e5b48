import type { FailureReason } from '../../domain/failure-reason.js';

/** What each reason means and what to do, for a person. */
const DETAILS: Readonly<Record<FailureReason, string>> = {
  credentials_missing: 'No BioTrack login is saved that may be used. Save one, or mend the one that BioTrack refused.',
  credentials_rejected:
    'BioTrack refuses the user name or the password. It is not tried again until the password is entered again.',
  ubi_rejected: "BioTrack seems not to know the UBI. Compare the tenant's UBI with the one on the state's papers.",
  privilege_missing: 'The BioTrack user may not read the vendor list. Whoever manages users in BioTrack can grant it.',
  credential_unreadable: 'The stored password cannot be opened. Enter it again.',
  upstream_timeout: 'BioTrack did not answer in time. Nothing was changed; try again later.',
  upstream_unreachable: 'BioTrack cannot be reached. Nothing was changed; try again later.',
  upstream_invalid_response:
    'BioTrack answered with something that is no complete, valid list. Nothing was changed; try again later.',
  upstream_rejected:
    'BioTrack refused the request. Nothing was changed; if it happens again, ask for help with the id of this run.',
  upstream_session_lost: 'BioTrack ended the session twice. Nothing was changed; try again later.',
  upstream_throttled: 'BioTrack asks to be asked less often. Nothing was changed; try again later.',
  list_empty: 'BioTrack sent no list, or an empty one. Nothing was changed; try again later.',
  list_shrunk:
    'The list is much shorter than before. Nothing was changed. An operator has to look at it; if it is true, GUARD_REMOVAL_PERCENT lets it pass.',
  superseded: 'The set-up changed during the run; another run takes its place.',
  storage_unavailable: 'The database could not be used. Nothing was changed; try again later.',
  interrupted: 'The run was interrupted too often. Nothing was changed; start another one.',
  internal: 'This is our fault. Nothing was changed; ask for help with the id of this run.',
};

export const toReasonDetail = (reason: FailureReason | null): string | null =>
  reason === null ? null : DETAILS[reason];
