import { ADVICE, type BiotrackError } from '../../biotrack/index.js';
import type { FailureReason } from '../../domain/failure-reason.js';
import { createMessage, type Message, type MessageParam } from '../../domain/message.js';
import type { Skip, SkipReason } from '../../domain/vendor.js';
import type { RunWarning } from '../../plans/index.js';
import { ListShrunkError, type Removal } from '../directory/index.js';

/** Explains each reason to users: what it means and what to do. */
const TEXTS: Readonly<Record<FailureReason, string>> = {
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
export const toReasonMessage = (reason: FailureReason, error?: unknown): Message =>
  error instanceof ListShrunkError ? toListMessage(error.refusal.removals) : createMessage(reason, {}, TEXTS[reason]);

function toListMessage(removals: readonly Removal[]): Message {
  const params: Record<string, MessageParam> = {};
  for (const { list, removed, active } of removals) {
    params[`removed_${list}`] = removed;
    params[`active_${list}`] = active;
  }
  const counts = removals.map(({ list, removed, active }) => `${removed} of ${active} ${list}`).join(' and ');
  const text = `The state's list is much shorter than before. It would remove ${counts}. ${TEXTS.list_shrunk}`;
  return createMessage('list_shrunk', params, text);
}

/** The first failure of a call that is retried can be a hiccup. Later ones need the operator if only they can fix it. */
export const mustOperatorAct = ({ fixedBy, retryable }: BiotrackError, attempt: number): boolean =>
  fixedBy === 'operator' && (attempt > 1 || !retryable);

/** What the user reads about a failed call. The evidence is for the operator; it has no text of BioTrack. */
export function toUpstreamMessage(
  { reason, advice, evidence, retryable }: BiotrackError,
  attempt: number,
  needsOperator: boolean,
): Message {
  if (!needsOperator) return createMessage(reason, {}, advice);
  const { action, answer, httpStatus, code } = evidence;
  const attempts = retryable ? attempt : undefined;
  const facts = [action, answer, httpStatus === undefined ? undefined : `HTTP ${httpStatus}`, code];
  const times = attempts === undefined ? 'The' : `After ${attempts} attempts, the`;
  const known = facts.filter((fact) => fact !== undefined).join(', ');
  return createMessage(
    reason,
    { action, answer, http_status: httpStatus, error_code: code, attempts },
    `${advice} ${times} operator of this service must fix the cause (${known}).`,
  );
}

export const toDismissedMessage = (dismissed_by: string): Message =>
  createMessage('run_dismissed', { dismissed_by }, `Dismissed by ${dismissed_by}.`);

/** @param conflicts the number of vendors that several companies claim */
export function toWarningMessage(warning: RunWarning, conflicts: number): Message {
  const { code, licenseNumber: license_number } = warning;
  switch (code) {
    case 'ubi_turned_blank':
      return createMessage(
        code,
        { license_number },
        `BioTrack no longer lists a UBI for the license ${license_number}. It keeps its last known UBI.`,
      );
    case 'open_conflicts':
      return createMessage(
        code,
        { count: conflicts },
        `Vendors that several companies claim: ${conflicts}. These companies stay separate until an admin decides. Once the run is applied, GET …/conflicts?status=open lists the conflicts.`,
      );
    case 'plan_dismissed':
      return createMessage(
        code,
        {},
        "The plan for this list was dismissed. Nothing is changed until the state's list or the setup changes.",
      );
    case 'company_represents_another_vendor': {
      const license = license_number === null ? 'A license' : `The license ${license_number}`;
      return createMessage(
        code,
        { license_number },
        `${license} was sold. After the switch, its company would represent a different vendor. The company keeps its id and its edits. Check that the edits still apply.`,
      );
    }
    case 'companies_share_a_name':
      return createMessage(
        code,
        {},
        'Several companies would share a name, so that they look the same in LeafLink. The `ambiguous` items of the plan list them.',
      );
    case 'row_partly_read': {
      const { field, reason } = warning;
      return createMessage(
        code,
        { license_number, field, reason },
        `BioTrack lists an unreadable value (\`${field}\`, ${reason}) for the license ${license_number}. The license keeps its last known value. A new license is added only if its UBI and its deleted flag are readable; other unreadable values stay empty.`,
      );
    }
    case 'list_not_read': {
      const { action } = warning;
      return createMessage(
        code,
        { action },
        `BioTrack's list \`${action}\` could not be read. Vendors are synced, and what is already known from this list stays. Check that the BioTrack user has the privilege \`${action}\`, and that the state offers this list.`,
      );
    }
    case 'list_dismissed':
      return createMessage(
        code,
        {},
        "The state's list is much shorter than before and was dismissed, so the last accepted list stays in use until the state lists something else. An operator can confirm this run to accept the shorter list.",
      );
    case 'missing_kept': {
      const { licenses: count } = warning;
      return createMessage(
        code,
        { count },
        `The state's list has new rows without a readable license number, so ${count} licenses that it does not list were kept. An operator can confirm this run to accept that they are gone.`,
      );
    }
  }
}

const SKIP_TEXTS: Readonly<Record<SkipReason, string>> = {
  not_an_object: 'The row has no readable fields',
  blank_license_number: 'The row has no license number',
  invalid_text: 'The row has text that cannot be read',
  invalid_value: 'The row has a value that cannot be read',
};

/** Explains a skipped row to users. */
export function toSkipText({ reason, licenseNumber, ubi, name }: Skip): string {
  const known = [licenseNumber && `license ${licenseNumber}`, ubi && `UBI ${ubi}`, name].filter((fact) => fact);
  return `${SKIP_TEXTS[reason]}, so it was skipped${known.length === 0 ? '' : ` (${known.join(', ')})`}.`;
}
