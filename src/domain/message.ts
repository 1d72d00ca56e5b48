import { FAILURE_REASONS, UPSTREAM_REASONS } from './failure-reason.js';

const toEntries = <const K extends string, const P extends readonly string[]>(codes: readonly K[], params: P) =>
  Object.fromEntries(codes.map((code) => [code, params])) as Readonly<Record<K, P>>;

/** What is known of a failed call, if only the operator can fix its cause. */
const EVIDENCE = ['action', 'answer', 'http_status', 'error_code', 'attempts'] as const;
const REMOVALS = ['removed_licenses', 'active_licenses', 'removed_laboratories', 'active_laboratories'] as const;
const IMPACT = [
  'removed_licenses',
  'moved_licenses',
  'active_licenses',
  'renamed_companies',
  'renamed_licenses',
] as const;

/**
 * The params of each message for users. A message has those of its params that apply to it: one about a credential in the
 * setup checklist names the credential, the `message` of a verification does not.
 */
export const MESSAGES = {
  // The setup checklist
  step_required: ['step'],
  ubi_not_recognized: [],
  state_not_supported: ['state'],
  state_left: ['state_name'],
  address_missing: ['state_name', 'environment'],
  sync_active: [],
  sync_failed: ['reason', ...EVIDENCE],
  sync_retry_scheduled: ['reason', 'retry_datetime', ...EVIDENCE],
  sync_needs_review: ['reason', ...new Set([...REMOVALS, ...IMPACT])],

  // Credentials
  credential_valid: [],
  credential_lacks_laboratories: ['missing_privilege'],
  credential_unverified: ['credential'],
  credential_rejected: ['credential'],
  credential_refused: ['credential'],
  credential_ubi_rejected: ['credential'],
  credential_privilege_missing: ['credential', 'missing_privilege'],
  credential_not_decryptable: ['credential'],
  credential_state_unknown: ['credential'],
  login_unavailable: [],

  // Licenses, and the state's list of them
  license_archived: ['license_number'],
  license_missing: ['license_number'],
  license_deleted: ['license_number'],
  license_of_other_ubi: ['license_number'],
  license_not_creatable: ['license_number'],
  none_listed: [],
  all_deleted: [],

  // The schedule
  schedule_retried_daily: [],
  schedule_resumes_after_fix: [],

  // Sync runs: the code is the run's reason, if it has one
  ...toEntries(FAILURE_REASONS, []),
  ...toEntries(UPSTREAM_REASONS, EVIDENCE),
  list_shrunk: REMOVALS,
  too_many_changes: IMPACT,
  run_dismissed: ['dismissed_by'],

  // Warnings of sync runs
  ubi_turned_blank: ['license_number'],
  open_conflicts: ['count'],
  plan_dismissed: [],
  company_represents_another_vendor: ['license_number'],
  companies_share_a_name: [],
  row_partly_read: ['license_number', 'field', 'reason'],
  list_not_read: ['action'],
  missing_kept: ['count'],
  list_dismissed: [],

  // Differences of a configuration
  credential_needs_password: [],
  credential_needs_verification: [],
  credential_kept: [],
  license_needs_login: [],
  license_needs_new_list: [],
} as const satisfies Readonly<Record<string, readonly string[]>>;

export type MessageCode = keyof typeof MESSAGES;
export const MESSAGE_CODES = Object.keys(MESSAGES) as MessageCode[];

export type MessageParam = string | number | readonly string[];
export type ParamsOf<C extends MessageCode> = Readonly<
  Partial<Record<(typeof MESSAGES)[C][number], MessageParam | null | undefined>>
>;

/** A message for users: `text` in English for developers, `code` and `params` for a translation. As in the API. */
export interface Message {
  readonly code: MessageCode;
  readonly params: Readonly<Record<string, MessageParam>>;
  /** Contains every value of `params`. */
  readonly text: string;
}

/** @param params null and undefined values are left out */
export const createMessage = <C extends MessageCode>(code: C, params: ParamsOf<C>, text: string): Message => ({
  code,
  params: Object.fromEntries(
    Object.entries<MessageParam | null | undefined>(params).flatMap(([name, value]) =>
      value === undefined || value === null ? [] : [[name, value]],
    ),
  ),
  text,
});

/** The same message with what it is about, for a list of messages about several objects. */
export const toMessageAbout = (
  name: 'credential' | 'license_number',
  value: string,
  { code, params, text }: Message,
): Message => ({ code, params: { [name]: value, ...params }, text: `${value}: ${text}` });
