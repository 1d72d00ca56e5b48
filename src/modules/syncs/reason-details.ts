import { ADVICE } from '../../biotrack/index.js';
import type { FailureReason } from '../../domain/failure-reason.js';
import type { RunWarning } from './plan-result-repository.js';

/** What each reason means and what to do, for a person. */
const DETAILS: Readonly<Record<FailureReason, string>> = {
  ...ADVICE,
  credentials_missing: 'No BioTrack login is saved that may be used. Save one, or mend the one that BioTrack refused.',
  credential_unreadable: 'The stored password cannot be opened. Enter it again.',
  unknown_state:
    'This deployment no longer knows the state or its environment. Nothing was changed; an operator has to configure it.',
  list_shrunk:
    'The list is much shorter than before. Nothing was changed. An operator has to look at it: confirming this run accepts that very list.',
  superseded: 'The set-up changed during the run; another run takes its place.',
  storage_unavailable: 'The database could not be used. Nothing was changed; try again later.',
  interrupted: 'The run was interrupted too often. Nothing was changed; start another one.',
  internal: 'This is our fault. Nothing was changed; ask for help with the id of this run.',
};

export const toReasonDetail = (reason: FailureReason): string => DETAILS[reason];

/** What a warning means, for a person. */
export const WARNING_DETAILS: Readonly<Record<RunWarning['code'], string>> = {
  ubi_turned_blank:
    'BioTrack no longer says whose this license is. It stays with the vendor that it was last said to be of.',
  plan_dismissed:
    'The plan for this list was dismissed: nothing is changed before the state lists something else or the set-up changes.',
  company_means_another_vendor:
    'The company that would hold this license stands for another vendor now: the license was sold, and one company can mean the vendor under one strategy and the sold site under the other. It keeps its id and its edits; see whether they are still meant.',
  companies_share_a_name:
    'Several companies would have one name, and LeafLink, which shows a customer by its name, could not tell them apart. The items `ambiguous` of the plan say which.',
};
