import type { FailureReason } from '../../domain/failure-reason.js';
import { SETUP_STEPS, type SetupActor, type SetupCall, type SetupStep } from '../../domain/setup.js';
import { type CredentialState, isUsable, toRemediation } from '../credentials/index.js';
import type { LicenseView } from '../licenses/index.js';
import type { SyncRun } from '../syncs/index.js';
import type { Ubi } from '../ubi/index.js';

export interface SetupItem {
  readonly step: SetupStep;
  readonly status: 'done' | 'blocked' | 'todo';
  readonly blockers: readonly string[];
  /** What does not keep the step from being done. */
  readonly warnings: readonly string[];
  readonly who: SetupActor;
  /** The call that comes next, where it is not the step's own. */
  readonly call: SetupCall | 'own' | undefined;
}

/** All that the checklist is made of, as it is at one moment. */
export interface Facts {
  /** Why no login can be tried at all: this deployment has no address for the tenant's state. */
  readonly upstreamMissing: string | undefined;
  readonly ubi: Pick<Ubi, 'status'> | undefined;
  readonly hasPreference: boolean;
  readonly credentials: readonly CredentialState[];
  /** Those that are not archived. */
  readonly licenses: readonly LicenseView[];
  readonly isSynced: boolean;
  /** The one that is queued, at work, or put off. */
  readonly activeRun: RunState | undefined;
  readonly lastRun: RunState | undefined;
}

type RunState = Pick<SyncRun, 'id' | 'status' | 'reason' | 'reasonDetail' | 'retryAt'>;

/** What a step needs of the earlier ones. */
const NEEDS: Readonly<Record<SetupStep, readonly SetupStep[]>> = {
  ubi: [],
  company_creation_preference: ['ubi'],
  credentials: ['ubi'],
  licenses: ['ubi', 'company_creation_preference', 'credentials'],
  first_sync: ['ubi', 'company_creation_preference', 'credentials'],
};

/** The steps in their order, each with what is in its way and who must act. */
export function toChecklist(facts: Facts): SetupItem[] {
  const passable: Readonly<Record<SetupStep, boolean>> = {
    ubi: facts.ubi !== undefined,
    company_creation_preference: facts.hasPreference,
    // One that was never tried is tried by whoever needs it first.
    credentials: facts.upstreamMissing === undefined && facts.credentials.some(isUsable),
    licenses: true,
    first_sync: true,
  };
  const items = new Map<SetupStep, SetupItem>();
  for (const step of SETUP_STEPS) {
    const own = JUDGES[step](facts);
    const missing = NEEDS[step].filter((earlier) => !passable[earlier]);
    const [first] = missing;
    const isInTheWay = own.status !== 'done' && first !== undefined;
    items.set(step, isInTheWay ? toBlocked(step, missing, items.get(first)) : own);
  }
  return [...items.values()];
}

const toBlocked = (step: SetupStep, missing: readonly SetupStep[], first: SetupItem | undefined): SetupItem => ({
  step,
  status: 'blocked',
  blockers: missing.map((earlier) => `The step ${earlier} comes first.`),
  warnings: [],
  who: first?.who ?? 'admin',
  call: first?.call === 'own' ? undefined : first?.call,
});

const JUDGES: Readonly<Record<SetupStep, (facts: Facts) => SetupItem>> = {
  ubi: judgeUbi,
  company_creation_preference: ({ hasPreference }) =>
    hasPreference ? done('company_creation_preference') : todo('company_creation_preference'),
  credentials: judgeCredentials,
  licenses: judgeLicenses,
  first_sync: judgeFirstSync,
};

const done = (step: SetupStep, warnings: readonly string[] = []): SetupItem => ({
  step,
  status: 'done',
  blockers: [],
  warnings,
  who: 'nobody',
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

function judgeUbi({ ubi }: Facts): SetupItem {
  if (ubi === undefined) return todo('ubi');
  if (ubi.status !== 'rejected') return done('ubi');
  return todo('ubi', {
    status: 'blocked',
    blockers: ['BioTrack does not know the UBI. Check it, and check that it belongs to the chosen state.'],
  });
}

const toLine = ({ description, detail }: CredentialState): string => `${description}: ${detail}`;

function judgeCredentials({ credentials, upstreamMissing }: Facts): SetupItem {
  const step = 'credentials';
  if (upstreamMissing !== undefined) {
    return todo(step, { status: 'blocked', blockers: [upstreamMissing], who: 'operator', call: undefined });
  }
  const refused = credentials.filter((credential) => !isUsable(credential));
  if (credentials.some(({ status }) => status === 'valid')) return done(step, refused.map(toLine));
  const mending = toRemediation(credentials);
  const more = { who: mending.who, call: mending.call ?? 'own' } as const;
  const untried = credentials.find(({ status }) => status === 'unverified');
  if (untried !== undefined) return todo(step, { ...more, blockers: [toLine(untried)], warnings: refused.map(toLine) });
  return todo(step, { ...more, status: refused.length === 0 ? 'todo' : 'blocked', blockers: refused.map(toLine) });
}

function judgeLicenses({ licenses }: Facts): SetupItem {
  const lines = licenses.flatMap(({ license, conflict }) =>
    conflict === undefined ? [] : [`${license.license_number}: ${conflict.detail}`],
  );
  if (licenses.length > lines.length) return done('licenses', lines);
  if (lines.length === 0) return todo('licenses');
  return todo('licenses', {
    status: 'blocked',
    blockers: lines,
    call: { operation_id: 'listAvailableLicenses', method: 'GET', path: 'available-licenses' },
  });
}

/** Who must act before another sync makes sense, or decide; the admin starts another one, where nobody else has to act first. */
const MENDERS: Readonly<Partial<Record<FailureReason, SetupActor>>> = {
  privilege_missing: 'biotrack_administrator',
  upstream_rejected: 'operator',
  unknown_state: 'operator',
  list_shrunk: 'operator',
  storage_unavailable: 'operator',
  internal: 'operator',
};

/** What failed of the login is judged by the step `credentials`, as it is now. */
const OF_CREDENTIALS: readonly (FailureReason | null)[] = [
  'credentials_missing',
  'credentials_rejected',
  'credential_unreadable',
  'ubi_rejected',
  'privilege_missing',
];

function judgeFirstSync({ isSynced, activeRun, lastRun }: Facts): SetupItem {
  const step = 'first_sync';
  const putOff = toPutOff(activeRun);
  const trouble = putOff ?? (lastRun && toTrouble(lastRun));
  if (isSynced) return done(step, trouble === undefined ? [] : [trouble]);
  if (activeRun !== undefined) {
    const blockers = [putOff ?? 'A sync is under way.'];
    return todo(step, {
      status: putOff === undefined ? 'todo' : 'blocked',
      blockers,
      who: 'nobody',
      call: undefined,
    });
  }
  if (lastRun === undefined || trouble === undefined) return todo(step);
  const { id, status, reason } = lastRun;
  const who = (reason && MENDERS[reason]) ?? 'admin';
  if (status === 'needs_review') {
    const call = { operation_id: 'confirmSync', method: 'POST', path: `syncs/${id}/confirm` };
    return todo(step, { status: 'blocked', blockers: [trouble], who, call });
  }
  if (OF_CREDENTIALS.includes(reason)) return todo(step, { blockers: [trouble] });
  return todo(step, { status: 'blocked', blockers: [trouble], who });
}

function toTrouble({ status, reason, reasonDetail }: RunState): string | undefined {
  if (status === 'needs_review') return `The last sync waits for a decision. ${reasonDetail ?? ''}`;
  return status === 'failed' ? `The last sync failed (${reason ?? 'internal'}): ${reasonDetail ?? ''}` : undefined;
}

/** What befell a run that is tried again by itself; without a reason it only makes way for others. */
function toPutOff(run: RunState | undefined): string | undefined {
  if (run === undefined || run.retryAt === null || run.reason === null) return undefined;
  const { reason, reasonDetail, retryAt } = run;
  const why = `The sync failed (${reason}): ${reasonDetail ?? ''}`;
  return `${why} It is tried again by itself at ${retryAt.toISOString()}.`;
}
