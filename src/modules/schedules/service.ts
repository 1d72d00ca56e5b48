import { type Db, type Tx, withOperator, withTenant } from '../../db/database.js';
import type { FailureReason } from '../../domain/failure-reason.js';
import { createMessage, type Message } from '../../domain/message.js';
import { ServiceError } from '../../domain/service-error.js';
import { inLockedTenant, inTenant, lockTenantRowIfFree } from '../tenants/index.js';
import {
  claimDueSchedule,
  countFailure,
  deleteSchedule,
  findSchedule,
  hasCompanyCreatingLicense,
  type Schedule,
  type StateKey,
  saveDelayed,
  saveDueNow,
  saveNextRun,
  savePaused,
  saveResumed,
  selectDueTenants,
} from './repository.js';

/** Failures that only a user can fix, so that retrying automatically is pointless. */
const NEEDS_USER_ACTION: readonly FailureReason[] = [
  'credentials_missing',
  'credentials_rejected',
  'login_refused',
  'ubi_rejected',
  'privilege_missing',
  'credential_unreadable',
];

/**
 * After a problem of the state, the schedule is not paused: the problem ends without a user. Syncs only become less frequent,
 * because each of them logs in.
 */
const TROUBLE: FailureReason = 'upstream_trouble';
const TROUBLE_SECONDS = 15 * 60;

/** After this many consecutive failures, the schedule is paused and tries only once a day. */
const FAILURES_TO_PAUSE = 3;
const PAUSED_SECONDS = 24 * 60 * 60;

/** Creates the schedule when the tenant's first license that creates companies is added. */
export async function ensureSchedule(tx: Tx, tenantId: string, intervalSeconds: number): Promise<void> {
  if ((await findSchedule(tx)) === undefined) await saveNextRun(tx, tenantId, intervalSeconds, { wasSynced: false });
}

/** Records that the tenant was synced, and schedules its next run. */
export const scheduleNextRun = (tx: Tx, tenantId: string, intervalSeconds: number): Promise<void> =>
  saveNextRun(tx, tenantId, intervalSeconds, { wasSynced: true });

/**
 * Records that a run failed for good, and pauses the schedule if necessary.
 * @param hasOtherLogin whether the next scheduled run has a login other than the one that failed: it was fixed meanwhile,
 *   it belongs to a user and scheduled runs use the company's, or the company has several
 */
export async function recordRunFailure(
  tx: Tx,
  reason: FailureReason,
  hasOtherLogin: () => Promise<boolean>,
): Promise<void> {
  const failures = await countFailure(tx);
  if (failures === undefined) return;
  const needsUserAction = NEEDS_USER_ACTION.includes(reason);
  if (reason === TROUBLE) {
    await saveDelayed(tx, Math.min(TROUBLE_SECONDS * 2 ** (failures - 1), PAUSED_SECONDS));
    return;
  }
  if (needsUserAction && !(await hasOtherLogin())) await savePaused(tx, reason, null);
  else if (failures >= FAILURES_TO_PAUSE) await savePaused(tx, reason, PAUSED_SECONDS);
  else if (needsUserAction) await saveDueNow(tx);
}

/** Resumes a schedule that was paused until a user fixes the login or the UBI. */
export async function resumeAfterFix(tx: Tx): Promise<void> {
  await saveResumed(tx, NEEDS_USER_ACTION);
}

/** Called for each due tenant, in a transaction that has locked it. */
export type StartScheduledRun = (tx: Tx, tenantId: string) => Promise<void>;

export interface DueSchedulesOptions {
  readonly intervalSeconds: number;
  /** Called for each tenant whose run could not be started. The other tenants' runs are still started. */
  readonly onError: (error: unknown) => void;
}

/**
 * Starts the due runs of a state. Any number of processes can call this at the same time: each due run is claimed once, in the
 * transaction that starts it. Tenants that are locked at the moment are left for the next call.
 * @returns the number of started runs
 */
export async function startDueSchedules(
  db: Db,
  target: StateKey,
  { intervalSeconds, onError }: DueSchedulesOptions,
  start: StartScheduledRun,
): Promise<number> {
  let started = 0;
  for (const tenantId of await withOperator(db, (tx) => selectDueTenants(tx, target))) {
    const isStarted = await withTenant(db, tenantId, async (tx) => {
      if ((await lockTenantRowIfFree(tx)) === undefined) return false;
      if (!(await claimDueSchedule(tx, intervalSeconds))) return false;
      if (!(await hasCompanyCreatingLicense(tx))) {
        await deleteSchedule(tx, tenantId);
        return false;
      }
      await start(tx, tenantId);
      return true;
    }).catch(onError);
    if (isStarted === true) started += 1;
  }
  return started;
}

/** Undefined if no license creates companies. */
export const getSchedule = (db: Db, tenantId: string): Promise<Schedule | undefined> =>
  inTenant(db, tenantId, (tx) => findSchedule(tx));

/** Makes a paused schedule due now, whatever the reason. */
export const resumeSchedule = (db: Db, tenantId: string): Promise<Schedule> =>
  inLockedTenant(db, tenantId, async (tx) => {
    await saveResumed(tx, undefined);
    const schedule = await findSchedule(tx);
    if (schedule === undefined)
      throw new ServiceError('not_found', 'The tenant has no schedule because none of its licenses creates companies.');
    return schedule;
  });

const RETRIED_DAILY = createMessage(
  'schedule_retried_daily',
  {},
  'Scheduled syncs are paused. The sync is retried once a day. The regular interval resumes after a successful sync or POST …/schedule/resume.',
);
const RESUMES_AFTER_FIX = createMessage(
  'schedule_resumes_after_fix',
  {},
  'Scheduled syncs are paused. Correct the login or the UBI, and the schedule resumes automatically. To retry now, start a sync or call POST …/schedule/resume.',
);

/** How a paused schedule resumes; null if it is not paused. */
export const toResumeMessage = ({ pausedReason }: Schedule): Message | null =>
  pausedReason === null ? null : NEEDS_USER_ACTION.includes(pausedReason) ? RESUMES_AFTER_FIX : RETRIED_DAILY;
