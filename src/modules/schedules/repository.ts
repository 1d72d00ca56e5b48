import { sql } from 'kysely';
import type { OperatorTx, Tx } from '../../db/database.js';
import type { FailureReason } from '../../domain/failure-reason.js';

export interface Schedule {
  readonly nextAt: Date | null;
  /** Runs that failed since the last one that succeeded. */
  readonly failures: number;
  readonly pausedAt: Date | null;
  readonly pausedReason: FailureReason | null;
}

const COLUMNS = [
  'next_datetime as nextAt',
  'failures',
  'paused_datetime as pausedAt',
  'paused_reason as pausedReason',
] as const;

export const findSchedule = (tx: Tx): Promise<Schedule | undefined> =>
  tx.selectFrom('schedules').select(COLUMNS).$castTo<Schedule>().executeTakeFirst();

/** So many seconds from now, give or take a tenth: tenants that began together do not stay together. */
const fromNow = (seconds: number) => sql<Date>`now() + make_interval(secs => ${seconds} * (0.9 + 0.2 * random()))`;

/** A license of the tenant wants companies made and kept up to date, which is what a schedule is for. */
export async function hasCompanyCreatingLicense(tx: Tx): Promise<boolean> {
  const found = await tx
    .selectFrom('licenses')
    .select('id')
    .where('create_companies', '=', true)
    .where('sync_enabled', '=', true)
    .where('archived_datetime', 'is', null)
    .limit(1)
    .executeTakeFirst();
  return found !== undefined;
}

/** Begins, or goes on as if nothing had ever failed. */
export async function saveScheduled(tx: Tx, tenantId: string, inSeconds: number): Promise<void> {
  const values = { next_datetime: fromNow(inSeconds), failures: 0, paused_datetime: null, paused_reason: null };
  await tx
    .insertInto('schedules')
    .values({ tenant_id: tenantId, ...values })
    .onConflict((conflict) =>
      conflict.column('tenant_id').doUpdateSet({ ...values, updated_datetime: sql<Date>`now()` }),
    )
    .execute();
}

/** The next one may begin at once. */
export async function saveDueNow(tx: Tx): Promise<void> {
  await tx.updateTable('schedules').set({ next_datetime: sql<Date>`now()` }).execute();
}

export async function deleteSchedule(tx: Tx, tenantId: string): Promise<void> {
  await tx.deleteFrom('schedules').where('tenant_id', '=', tenantId).execute();
}

/** One more failure. @returns how many there are now; undefined where there is no schedule */
export async function countFailure(tx: Tx): Promise<number | undefined> {
  const row = await tx
    .updateTable('schedules')
    .set((eb) => ({ failures: eb('failures', '+', 1), updated_datetime: eb.fn<Date>('now') }))
    .returning('failures')
    .executeTakeFirst();
  return row?.failures;
}

/** @param inSeconds when it is tried all the same; null: not before somebody has mended what is in the way */
export async function savePaused(tx: Tx, reason: FailureReason, inSeconds: number | null): Promise<void> {
  await tx
    .updateTable('schedules')
    .set({
      next_datetime: inSeconds === null ? null : fromNow(inSeconds),
      paused_datetime: sql<Date>`coalesce(paused_datetime, now())`,
      paused_reason: reason,
      updated_datetime: sql<Date>`now()`,
    })
    .execute();
}

/** @returns whether there was one to wake */
export async function saveResumed(tx: Tx, reasons: readonly FailureReason[] | undefined): Promise<boolean> {
  const result = await tx
    .updateTable('schedules')
    .set({ next_datetime: sql<Date>`now()`, failures: 0, paused_datetime: null, paused_reason: null })
    .where('paused_datetime', 'is not', null)
    .$if(reasons !== undefined, (query) => query.where('paused_reason', 'in', [...(reasons ?? [])]))
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

/** Takes this turn of the tenant; false: somebody else did, or it has not come. */
export async function claimDueSchedule(tx: Tx, inSeconds: number): Promise<boolean> {
  const result = await tx
    .updateTable('schedules')
    .set({ next_datetime: fromNow(inSeconds) })
    .where('next_datetime', '<=', sql<Date>`now()`)
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

const DUE_AT_ONCE = 100;

/** Tenants whose time has come, those that waited longest first. */
export async function selectDueTenants(tx: OperatorTx): Promise<string[]> {
  const rows = await tx
    .selectFrom('schedules')
    .select('tenant_id as tenantId')
    .where('next_datetime', '<=', sql<Date>`now()`)
    .orderBy('next_datetime')
    .limit(DUE_AT_ONCE)
    .execute();
  return rows.map(({ tenantId }) => tenantId);
}
