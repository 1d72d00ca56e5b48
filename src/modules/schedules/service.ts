import { type Db, type Tx, withOperator } from '../../db/database.js';
import type { FailureReason } from '../../domain/failure-reason.js';
import { notFound } from '../../domain/service-error.js';
import { inFreeTenant, inLockedTenant, inTenant } from '../tenants/index.js';
import {
  claimDueSchedule,
  countFailure,
  deleteSchedule,
  findSchedule,
  hasCompanyCreatingLicense,
  type Schedule,
  saveDueNow,
  savePaused,
  saveResumed,
  saveScheduled,
  selectDueTenants,
} from './repository.js';

/** Waits for a person: no machine can do better by trying again. */
const FOR_PEOPLE: readonly FailureReason[] = [
  'credentials_missing',
  'credentials_rejected',
  'ubi_rejected',
  'privilege_missing',
  'credential_unreadable',
];

/** So many in a row, and it is tried only once a day. */
const FAILURES_TO_PAUSE = 3;
const PAUSED_SECONDS = 24 * 60 * 60;

/** A run succeeded, or a license wants companies now: what was in the way no longer is. */
export async function scheduleNextRun(tx: Tx, tenantId: string, intervalSeconds: number): Promise<void> {
  if (await hasCompanyCreatingLicense(tx)) await saveScheduled(tx, tenantId, intervalSeconds);
  else await deleteSchedule(tx, tenantId);
}

/** A license wants companies: if it is the first one, the tenant's runs begin, and a first one that fails is not the last. */
export async function beginSchedule(tx: Tx, tenantId: string, intervalSeconds: number): Promise<void> {
  if ((await findSchedule(tx)) === undefined) await scheduleNextRun(tx, tenantId, intervalSeconds);
}

/**
 * A run failed for good.
 * @param canGoOn whether a login stands ready for the next one all the same: it was mended while this one ran, or was
 *   the login of a person who is not needed for it
 */
export async function recordRunFailure(tx: Tx, reason: FailureReason, canGoOn: () => Promise<boolean>): Promise<void> {
  const failures = await countFailure(tx);
  if (failures === undefined) return;
  const isForPeople = FOR_PEOPLE.includes(reason);
  if (isForPeople && !(await canGoOn())) await savePaused(tx, reason, null);
  else if (failures >= FAILURES_TO_PAUSE) await savePaused(tx, reason, PAUSED_SECONDS);
  else if (isForPeople) await saveDueNow(tx);
}

/** A login or the UBI was mended: what waited for that goes on by itself. */
export async function resumeAfterFix(tx: Tx): Promise<void> {
  await saveResumed(tx, FOR_PEOPLE);
}

/** Called for each tenant whose time has come, in a transaction that has locked it. */
export type StartScheduledRun = (tx: Tx, tenantId: string) => Promise<void>;

export interface DueSchedulesOptions {
  readonly intervalSeconds: number;
  /** Told of each tenant whose run could not be started: it stands in nobody's way. */
  readonly onError: (error: unknown) => void;
}

/**
 * Starts what is due. Any number of processes may tick: each turn is taken once, in the transaction that starts its run.
 * A tenant that is being changed at this moment comes the next time.
 * @returns how many were started
 */
export async function startDueSchedules(
  db: Db,
  { intervalSeconds, onError }: DueSchedulesOptions,
  start: StartScheduledRun,
): Promise<number> {
  let started = 0;
  for (const tenantId of await withOperator(db, selectDueTenants)) {
    const isStarted = await inFreeTenant(db, tenantId, async (tx) => {
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

/** Undefined where no license wants companies. */
export const getSchedule = (db: Db, tenantId: string): Promise<Schedule | undefined> =>
  inTenant(db, tenantId, (tx) => findSchedule(tx));

/** Tries again now, whatever it was paused for. */
export const resumeSchedule = (db: Db, tenantId: string): Promise<Schedule> =>
  inLockedTenant(db, tenantId, async (tx) => {
    await saveResumed(tx, undefined);
    const schedule = await findSchedule(tx);
    if (schedule === undefined) throw notFound('schedule: it begins with the first license that creates companies');
    return schedule;
  });

const BY_ITSELF =
  'It is tried once a day; a sync that succeeds, or POST …/schedule/resume, brings the usual pace back.';
const BY_PEOPLE =
  'Mend the login or the UBI, and it goes on by itself; or start a sync, or call POST …/schedule/resume, to try at once.';

/** How a paused schedule goes on; for a person. */
export const toResumeDetail = ({ pausedReason }: Schedule): string | null =>
  pausedReason === null ? null : FOR_PEOPLE.includes(pausedReason) ? BY_PEOPLE : BY_ITSELF;
