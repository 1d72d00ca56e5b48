import { ADVICE } from '../../biotrack/index.js';
import type { FailureReason } from '../../domain/failure-reason.js';
import type { RunWarning } from './plan-result-repository.js';

/** Explains each reason to users: what it means and what to do. */
const DETAILS: Readonly<Record<FailureReason, string>> = {
  ...ADVICE,
  credentials_missing: 'No usable BioTrack login is saved. Save a login, or correct the one that BioTrack rejected.',
  credential_unreadable: 'The stored password cannot be decrypted. Enter it again.',
  unknown_state:
    'The state or its environment is no longer configured in this deployment. Nothing was changed. Ask an operator to configure it.',
  list_shrunk:
    "The state's list is much shorter than before. Nothing was changed. An operator must review it: confirming this run accepts the list.",
  superseded: 'The setup changed during the run. A new run replaces it.',
  storage_unavailable: 'The database was unavailable. Nothing was changed. Try again later.',
  interrupted: 'The run was interrupted too often. Nothing was changed. Start another sync.',
  internal: 'An unexpected error occurred. Nothing was changed. Contact support with the id of this run.',
};

export const toReasonDetail = (reason: FailureReason): string => DETAILS[reason];

/** Explains each warning to users. */
export const WARNING_DETAILS: Readonly<Record<RunWarning['code'], string>> = {
  ubi_turned_blank: 'BioTrack no longer lists a UBI for this license. The license keeps its last known UBI.',
  open_conflicts:
    'Several companies claim the same vendor. They stay separate until an admin decides. Once the run is applied, GET …/conflicts?status=open lists the conflicts.',
  plan_dismissed:
    "The plan for this list was dismissed. Nothing is changed until the state's list or the setup changes.",
  company_represents_another_vendor:
    'The license was sold. After the switch, its company would represent a different vendor. The company keeps its id and its edits. Check that the edits still apply.',
  companies_share_a_name:
    'Several companies would share a name, so that they look the same in LeafLink. The `ambiguous` items of the plan list them.',
};
