import { sql } from 'kysely';
import type { OperatorTx, Tx } from '../../db/database.js';
import type { FailureReason } from '../../domain/failure-reason.js';

export interface Schedule {
  readonly nextAt: Date | null;
  /** Failed runs since the last success. */
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

/** With 10% jitter, so that tenants that start at the same time do not stay synchronized. */
const fromNow = (seconds: number) => sql<Date>`now() + make_interval(secs => ${seconds} * (0.9 + 0.2 * random()))`;

/** Whether the tenant has a license that creates companies. Only such tenants are synced on a schedule. */
export const hasCompanyCreatingLicense = async (tx: Tx): Promise<boolean> =>
  (await selectCompanyCreatingLicense(tx).executeTakeFirst()) !== undefined;

const selectCompanyCreatingLicense = (tx: Tx) =>
  tx
    .selectFrom('licenses')
    .select('id')
    .where('create_companies', '=', true)
    .where('sync_enabled', '=', true)
    .where('archived_datetime', 'is', null)
    .limit(1);

/**
 * Creates the schedule, or schedules the next run and clears failures. Deletes the schedule if the tenant has no license that
 * creates companies: only tenants with one are synced on a schedule.
 */
export async function scheduleNextRun(tx: Tx, tenantId: string, inSeconds: number): Promise<void> {
  await tx
    .with('deleted', (builder) =>
      builder
        .deleteFrom('schedules')
        .where('tenant_id', '=', tenantId)
        .where((eb) => eb.not(eb.exists(selectCompanyCreatingLicense(tx))))
        .returning('tenant_id'),
    )
    .insertInto('schedules')
    .columns(['tenant_id', 'next_datetime', 'failures'])
    .expression(
      tx
        .selectNoFrom([
          sql<string>`${tenantId}::uuid`.as('tenant_id'),
          fromNow(inSeconds).as('next_datetime'),
          sql<number>`0`.as('failures'),
        ])
        .where((eb) => eb.exists(selectCompanyCreatingLicense(tx))),
    )
    .onConflict((conflict) =>
      conflict.column('tenant_id').doUpdateSet((eb) => ({
        next_datetime: eb.ref('excluded.next_datetime'),
        failures: 0,
        paused_datetime: null,
        paused_reason: null,
        updated_datetime: sql<Date>`now()`,
      })),
    )
    .execute();
}

/** Makes the next run due now. */
export async function saveDueNow(tx: Tx): Promise<void> {
  await tx.updateTable('schedules').set({ next_datetime: sql<Date>`now()` }).execute();
}

/** Delays the next run, unless it is due even later. */
export async function saveDelayed(tx: Tx, seconds: number): Promise<void> {
  await tx
    .updateTable('schedules')
    .set({ next_datetime: sql<Date>`greatest(next_datetime, ${fromNow(seconds)})` })
    .execute();
}

export async function deleteSchedule(tx: Tx, tenantId: string): Promise<void> {
  await tx.deleteFrom('schedules').where('tenant_id', '=', tenantId).execute();
}

/** Increments the number of failures and returns it. Undefined if there is no schedule. */
export async function countFailure(tx: Tx): Promise<number | undefined> {
  const row = await tx
    .updateTable('schedules')
    .set((eb) => ({ failures: eb('failures', '+', 1), updated_datetime: eb.fn<Date>('now') }))
    .returning('failures')
    .executeTakeFirst();
  return row?.failures;
}

/** @param inSeconds delay until the next attempt; null waits until a user fixes the cause */
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

/** Resumes a schedule paused for one of these reasons, or for any. Returns false if none was paused. */
export async function saveResumed(tx: Tx, reasons: readonly FailureReason[] | undefined): Promise<boolean> {
  const result = await tx
    .updateTable('schedules')
    .set({ next_datetime: sql<Date>`now()`, failures: 0, paused_datetime: null, paused_reason: null })
    .where('paused_datetime', 'is not', null)
    .$if(reasons !== undefined, (query) => query.where('paused_reason', 'in', [...(reasons ?? [])]))
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

/** Claims the due run and schedules the next one. Returns false if no run is due, or another process claimed it. */
export async function claimDueSchedule(tx: Tx, inSeconds: number): Promise<boolean> {
  const result = await tx
    .updateTable('schedules')
    .set({ next_datetime: fromNow(inSeconds) })
    .where('next_datetime', '<=', sql<Date>`now()`)
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

const MAX_DUE_TENANTS = 100;

/** Tenants with a due run, longest overdue first. */
export async function selectDueTenants(tx: OperatorTx): Promise<string[]> {
  const rows = await tx
    .selectFrom('schedules')
    .select('tenant_id as tenantId')
    .where('next_datetime', '<=', sql<Date>`now()`)
    .orderBy('next_datetime')
    .limit(MAX_DUE_TENANTS)
    .execute();
  return rows.map(({ tenantId }) => tenantId);
}
