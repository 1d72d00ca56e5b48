import type { FailureReason } from '../../domain/failure-reason.js';
import { type Message, toMessageAbout } from '../../domain/message.js';
import { SETUP_STEPS, type SetupActor, type SetupCall, type SetupStep, STEP_CALLS } from '../../domain/setup.js';
import { type CredentialState, isUsable, toRemediation } from '../credentials/index.js';
import type { OwnLicense, OwnList } from '../licenses/index.js';
import { type Schedule, toResumeMessage } from '../schedules/index.js';
import type { SyncRun } from '../syncs/index.js';
import type { Ubi } from '../ubi/index.js';
import {
  toConflictsMessage,
  toFailedMessage,
  toRetryMessage,
  toReviewMessage,
  toStepMessage,
  toSyncActiveMessage,
  toUbiMessage,
} from './messages.js';

export interface SetupItem {
  readonly step: SetupStep;
  readonly status: 'done' | 'blocked' | 'todo';
  readonly blockers: readonly Message[];
  /** Problems that do not block the step. */
  readonly warnings: readonly Message[];
  readonly who: SetupActor;
  /** The next call; `own` is the call of the step itself. */
  readonly call: SetupCall | 'own' | undefined;
}

/** The state of a tenant from which the checklist is derived. */
export interface SetupFacts {
  /** Why this deployment cannot reach the tenant's state; undefined if it can. */
  readonly upstreamMissing: Message | undefined;
  readonly ubi: Pick<Ubi, 'status'> | undefined;
  readonly hasPreference: boolean;
  readonly credentials: readonly CredentialState[];
  /** Undefined without a UBI. */
  readonly list: OwnList | undefined;
  readonly isSynced: boolean;
  /** The run that is queued, running or scheduled for a retry. */
  readonly activeRun: RunState | undefined;
  readonly lastRun: RunState | undefined;
  /** The digest of the state's list that was refused last, because it is much shorter. */
  readonly refusedDigest: string | null;
  readonly schedule: Schedule | undefined;
  readonly openConflicts: number;
}

type RunState = Pick<
  SyncRun,
  'id' | 'status' | 'reason' | 'reasonMessage' | 'needsOperator' | 'retryAt' | 'listDigest'
>;

/** The earlier steps that each step requires. */
const REQUIRED_STEPS: Readonly<Record<SetupStep, readonly SetupStep[]>> = {
  ubi: [],
  company_creation_preference: ['ubi'],
  credentials: ['ubi'],
  licenses: ['ubi', 'company_creation_preference', 'credentials'],
  first_sync: ['ubi', 'company_creation_preference', 'credentials'],
};

export function toChecklist(facts: SetupFacts): SetupItem[] {
  const isSatisfied: Readonly<Record<SetupStep, boolean>> = {
    ubi: facts.ubi !== undefined,
    company_creation_preference: facts.hasPreference,
    // An unverified credential is enough: its first use verifies it.
    credentials: facts.upstreamMissing === undefined && facts.credentials.some(isUsable),
    licenses: true,
    first_sync: true,
  };
  const items = new Map<SetupStep, SetupItem>();
  for (const step of SETUP_STEPS) {
    const item = TO_ITEM[step](facts);
    const missing = REQUIRED_STEPS[step].filter((earlier) => !isSatisfied[earlier]);
    const [first] = missing;
    const isBlocked = item.status !== 'done' && first !== undefined;
    items.set(step, isBlocked ? toBlocked(step, missing, items.get(first)) : item);
  }
  return [...items.values()];
}

const toBlocked = (step: SetupStep, missing: readonly SetupStep[], first: SetupItem | undefined): SetupItem => ({
  step,
  status: 'blocked',
  blockers: missing.map(toStepMessage),
  warnings: [],
  who: first?.who ?? 'admin',
  call: first?.call === 'own' ? undefined : first?.call,
});

const TO_ITEM: Readonly<Record<SetupStep, (facts: SetupFacts) => SetupItem>> = {
  ubi: toUbiItem,
  company_creation_preference: ({ hasPreference }) =>
    hasPreference ? done('company_creation_preference') : todo('company_creation_preference'),
  credentials: toCredentialsItem,
  licenses: toLicensesItem,
  first_sync: toFirstSyncItem,
};

const done = (step: SetupStep, warnings: readonly Message[] = []): SetupItem => ({
  step,
  status: 'done',
  blockers: [],
  warnings,
  who: 'none',
  call: undefined,
});

const todo = (step: SetupStep, more: Partial<SetupItem> = {}): SetupItem => ({
  step,
  status: 'todo',
  blockers: [],
  warnings: [],
  who: 'admin',
  call: 'own',
  ...more,
});

function toUbiItem({ ubi }: SetupFacts): SetupItem {
  if (ubi === undefined) return todo('ubi');
  if (ubi.status !== 'rejected') return done('ubi');
  return todo('ubi', { status: 'blocked', blockers: [toUbiMessage()] });
}

const toCredentialMessages = (states: readonly CredentialState[]): Message[] =>
  states.flatMap(({ description, message }) =>
    message === null ? [] : [toMessageAbout('credential', description, message)],
  );

function toCredentialsItem({ credentials, upstreamMissing }: SetupFacts): SetupItem {
  const step = 'credentials';
  if (upstreamMissing !== undefined) {
    return todo(step, { status: 'blocked', blockers: [upstreamMissing], who: 'operator', call: undefined });
  }
  const unusable = credentials.filter((credential) => !isUsable(credential));
  if (credentials.some(({ status }) => status === 'valid')) return done(step, toCredentialMessages(unusable));
  const remediation = toRemediation(credentials);
  const more = { who: remediation.who, call: remediation.call ?? 'own' } as const;
  const unverified = credentials.find(({ status }) => status === 'unverified');
  if (unverified !== undefined) {
    return todo(step, {
      ...more,
      blockers: toCredentialMessages([unverified]),
      warnings: toCredentialMessages(unusable),
    });
  }
  return todo(step, {
    ...more,
    status: unusable.length === 0 ? 'todo' : 'blocked',
    blockers: toCredentialMessages(unusable),
  });
}

const LIST_LICENSES: SetupCall = {
  operation_id: 'listAvailableLicenses',
  method: 'GET',
  path: 'available-licenses',
};

function toLicensesItem({ list }: SetupFacts): SetupItem {
  const step = 'licenses';
  if (list === undefined) return todo(step);
  const created = list.licenses.filter(({ licenseId, problem }) => licenseId !== undefined && !isArchived(problem));
  const problems = created.flatMap(toLicenseMessages);
  if (created.length > problems.length) return done(step, problems);
  if (problems.length > 0) return todo(step, { status: 'blocked', blockers: problems, call: LIST_LICENSES });
  if (list.ageSeconds === null) return todo(step, { call: LIST_LICENSES });
  if (list.problem !== undefined) {
    const call = list.problem.reason === 'none_listed' ? STEP_CALLS.ubi : LIST_LICENSES;
    return todo(step, { status: 'blocked', blockers: [list.problem.message], call });
  }
  const offered = list.licenses.filter(({ isOffered }) => isOffered);
  const archived = offered.find(({ licenseId }) => licenseId !== undefined);
  if (archived === undefined || offered.some(({ licenseId }) => licenseId === undefined)) return todo(step);
  // All offered licenses are archived.
  const call = { operation_id: 'updateLicense', method: 'PATCH', path: `licenses/${archived.licenseId}` };
  return todo(step, { status: 'blocked', blockers: offered.flatMap(toLicenseMessages), call });
}

const isArchived = (problem: OwnLicense['problem']): boolean => problem?.reason === 'archived';

const toLicenseMessages = ({ listed, problem }: OwnLicense): Message[] =>
  problem === undefined ? [] : [toMessageAbout('license_number', listed.licenseNumber, problem.message)];

/** Who must act after a run failed for this reason; an admin for all other reasons. */
const ACTORS: Readonly<Partial<Record<FailureReason, SetupActor>>> = {
  privilege_missing: 'biotrack_administrator',
  upstream_rejected: 'operator',
  unknown_state: 'operator',
  list_shrunk: 'operator',
  storage_unavailable: 'operator',
  internal: 'operator',
};

/** The step `credentials` reports the current state of these, which may be fixed since the run failed. */
const CREDENTIAL_REASONS: readonly (FailureReason | null)[] = [
  'credentials_missing',
  'credentials_rejected',
  'login_refused',
  'credential_unreadable',
  'ubi_rejected',
  'privilege_missing',
];

function toFirstSyncItem(facts: SetupFacts): SetupItem {
  const { isSynced, activeRun, lastRun } = facts;
  const step = 'first_sync';
  const retry = findRetry(activeRun);
  const problem = retry ?? findProblem(facts);
  if (isSynced) return done(step, [...(problem === undefined ? [] : [problem]), ...toLaterMessages(facts)]);
  if (activeRun !== undefined) {
    return todo(step, {
      status: retry === undefined ? 'todo' : 'blocked',
      blockers: [retry ?? toSyncActiveMessage()],
      who: activeRun.needsOperator ? 'operator' : 'none',
      call: undefined,
    });
  }
  if (lastRun === undefined || problem === undefined) return todo(step);
  const { id, status, reason } = lastRun;
  const who = lastRun.needsOperator ? 'operator' : ((reason && ACTORS[reason]) ?? 'admin');
  if (status === 'needs_review') {
    const call = { operation_id: 'confirmSync', method: 'POST', path: `syncs/${id}/confirm` };
    return todo(step, { status: 'blocked', blockers: [problem], who, call });
  }
  if (CREDENTIAL_REASONS.includes(reason)) return todo(step, { blockers: [problem] });
  return todo(step, { status: 'blocked', blockers: [problem], who });
}

/** Warnings after the first sync that do not come from the last run. */
function toLaterMessages({ schedule, openConflicts }: SetupFacts): Message[] {
  const resume = (schedule && toResumeMessage(schedule)) ?? undefined;
  return [...(resume === undefined ? [] : [resume]), ...(openConflicts > 0 ? [toConflictsMessage(openConflicts)] : [])];
}

function findProblem({ lastRun, refusedDigest }: SetupFacts): Message | undefined {
  if (lastRun === undefined) return undefined;
  const { status, reason, reasonMessage, listDigest } = lastRun;
  // The list that the run would accept was accepted or replaced since, so the run cannot be confirmed any more.
  if (status === 'needs_review' && reason === 'list_shrunk' && listDigest !== refusedDigest) return undefined;
  if (status === 'needs_review') return toReviewMessage(reasonMessage);
  return status === 'failed' ? toFailedMessage(reasonMessage) : undefined;
}

/** Undefined also for a run that was rescheduled without a failure, because its directory was busy. */
const findRetry = (run: RunState | undefined): Message | undefined =>
  run === undefined || run.retryAt === null || run.reason === null
    ? undefined
    : toRetryMessage(run.reasonMessage, run.retryAt);
