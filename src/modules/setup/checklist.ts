import type { FailureReason } from '../../domain/failure-reason.js';
import { SETUP_STEPS, type SetupActor, type SetupCall, type SetupStep } from '../../domain/setup.js';
import type { CredentialState } from '../credentials/index.js';
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
  readonly isSyncing: boolean;
  readonly lastRun: Pick<SyncRun, 'id' | 'status' | 'reason' | 'reasonDetail' | 'retryAt'> | undefined;
}

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

const isUsable = ({ status }: CredentialState): boolean => status === 'valid' || status === 'unverified';
const toLine = ({ description, detail }: CredentialState): string => `${description}: ${detail}`;

function judgeCredentials({ credentials, upstreamMissing }: Facts): SetupItem {
  const step = 'credentials';
  if (upstreamMissing !== undefined) {
    return todo(step, { status: 'blocked', blockers: [upstreamMissing], who: 'operator', call: undefined });
  }
  const refused = credentials.filter((credential) => !isUsable(credential));
  if (credentials.some(({ status }) => status === 'valid')) return done(step, refused.map(toLine));
  const untried = credentials.find(({ status }) => status === 'unverified');
  if (untried !== undefined) {
    return todo(step, { blockers: [toLine(untried)], warnings: refused.map(toLine), call: toVerify(untried) });
  }
  const [first] = refused;
  if (first === undefined) return todo(step);
  // What the admin can do himself comes before what he has to ask for.
  const mendable = refused.find(({ status }) => status !== 'privilege_missing') ?? first;
  return todo(step, {
    status: 'blocked',
    blockers: refused.map(toLine),
    who: mendable.status === 'privilege_missing' ? 'biotrack_administrator' : 'admin',
    call: toMend(mendable),
  });
}

const toVerify = ({ id }: CredentialState): SetupCall => ({
  operation_id: 'verifyCredential',
  method: 'POST',
  path: `credentials/${id}/verify`,
});

function toMend(credential: CredentialState): SetupCall {
  if (credential.status === 'privilege_missing') return toVerify(credential);
  if (credential.status === 'ubi_rejected') return { operation_id: 'putUbi', method: 'PUT', path: 'ubi' };
  return { operation_id: 'updateCredential', method: 'PATCH', path: `credentials/${credential.id}` };
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

/** Who must act before another sync makes sense; the admin starts another one, where nobody else has to act first. */
const MENDERS: Readonly<Partial<Record<FailureReason, SetupActor>>> = {
  privilege_missing: 'biotrack_administrator',
  upstream_rejected: 'operator',
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

function judgeFirstSync({ isSynced, isSyncing, lastRun }: Facts): SetupItem {
  const step = 'first_sync';
  const trouble = lastRun === undefined ? undefined : toTrouble(lastRun);
  if (isSynced) return done(step, trouble === undefined ? [] : [trouble]);
  if (isSyncing) return todo(step, { blockers: ['A sync is under way.'], who: 'nobody', call: undefined });
  if (lastRun === undefined || trouble === undefined) return todo(step);
  const { id, status, reason, retryAt } = lastRun;
  if (status === 'needs_review') {
    const call = { operation_id: 'confirmSync', method: 'POST', path: `syncs/${id}/confirm` };
    return todo(step, { status: 'blocked', blockers: [trouble], call });
  }
  if (retryAt !== null) return todo(step, { status: 'blocked', blockers: [trouble], who: 'nobody', call: undefined });
  if (OF_CREDENTIALS.includes(reason)) return todo(step, { blockers: [trouble] });
  return todo(step, { status: 'blocked', blockers: [trouble], who: (reason && MENDERS[reason]) ?? 'admin' });
}

function toTrouble({ status, reason, reasonDetail }: NonNullable<Facts['lastRun']>): string | undefined {
  if (status === 'needs_review') return 'The last sync waits for a decision: it would take away much at once.';
  return status === 'failed' ? `The last sync failed (${reason ?? 'internal'}): ${reasonDetail ?? ''}` : undefined;
}
