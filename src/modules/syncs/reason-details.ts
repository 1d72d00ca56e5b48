import { ADVICE, type BiotrackError } from '../../biotrack/index.js';
import type { FailureReason } from '../../domain/failure-reason.js';
import type { RunWarning } from '../../plans/index.js';
import { ListShrunkError } from '../directory/index.js';

/** Explains each reason to users: what it means and what to do. */
const DETAILS: Readonly<Record<FailureReason, string>> = {
  ...ADVICE,
  credentials_missing: 'No usable BioTrack login is saved. Save a login, or correct the one that BioTrack rejected.',
  credential_unreadable: 'The stored password cannot be decrypted. Enter it again.',
  unknown_state:
    'The state or its environment is no longer configured in this deployment. Nothing was changed. Ask an operator to configure it.',
  list_shrunk: 'Nothing was changed. An operator must review the list: confirming this run accepts it.',
  superseded: 'The setup changed during the run. A new run replaces it.',
  storage_unavailable: 'The database was unavailable. Nothing was changed. Try again later.',
  interrupted: 'The run was interrupted too often. Nothing was changed. Start another sync.',
  internal: 'An unexpected error occurred. Nothing was changed. Contact support with the id of this run.',
};

/** @param error what caused the failure */
export const toReasonDetail = (reason: FailureReason, error?: unknown): string =>
  error instanceof ListShrunkError ? `${error.message} ${DETAILS[reason]}` : DETAILS[reason];

/** The first failure of a call that is retried can be a hiccup. Later ones need the operator if only they can fix it. */
export const mustOperatorAct = ({ fixedBy, retryable }: BiotrackError, attempt: number): boolean =>
  fixedBy === 'operator' && (attempt > 1 || !retryable);

/** What the user reads about a failed call. The evidence is for the operator; it has no text of BioTrack. */
export function toUpstreamDetail(
  { advice, evidence, retryable }: BiotrackError,
  attempt: number,
  needsOperator: boolean,
): string {
  if (!needsOperator) return advice;
  const { action, answer, httpStatus, code } = evidence;
  const facts = [action, answer, httpStatus === undefined ? undefined : `HTTP ${httpStatus}`, code];
  const times = retryable ? `After ${attempt} attempts, the` : 'The';
  const known = facts.filter((fact) => fact !== undefined).join(', ');
  return `${advice} ${times} operator of this service must fix the cause (${known}).`;
}

/** Explains a warning to users. */
export function toWarningDetail(warning: RunWarning): string {
  switch (warning.code) {
    case 'ubi_turned_blank':
      return 'BioTrack no longer lists a UBI for this license. The license keeps its last known UBI.';
    case 'open_conflicts':
      return 'Several companies claim the same vendor. They stay separate until an admin decides. Once the run is applied, GET …/conflicts?status=open lists the conflicts.';
    case 'plan_dismissed':
      return "The plan for this list was dismissed. Nothing is changed until the state's list or the setup changes.";
    case 'company_represents_another_vendor':
      return 'The license was sold. After the switch, its company would represent a different vendor. The company keeps its id and its edits. Check that the edits still apply.';
    case 'companies_share_a_name':
      return 'Several companies would share a name, so that they look the same in LeafLink. The `ambiguous` items of the plan list them.';
    case 'row_partly_read':
      return `BioTrack lists an unreadable value (\`${warning.field}\`, ${warning.reason}) for this license. The license keeps its last known value. A new license is added only if its UBI and its deleted flag are readable; other unreadable values stay empty.`;
    case 'list_not_read':
      return `BioTrack's list \`${warning.action}\` could not be read. Vendors are synced, and what is already known from this list stays. Check that the BioTrack user has the privilege \`${warning.action}\`, and that the state offers this list.`;
    case 'list_dismissed':
      return "The state's list is much shorter than before and was dismissed, so the last accepted list stays in use until the state lists something else. An operator can confirm this run to accept the shorter list.";
    case 'missing_kept':
      return `The state's list has new rows without a readable license number, so ${warning.licenses} licenses that it does not list were kept. An operator can confirm this run to accept that they are gone.`;
  }
}
