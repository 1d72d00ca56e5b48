import { sql } from 'kysely';
import type { OperatorTx, Tx } from '../../db/database.js';
import type { Environment } from '../../domain/environment.js';
import type { FailureReason } from '../../domain/failure-reason.js';

export interface Schedule {
  readonly nextAt: Date | null;
  /** Failed runs since the last success. */
  readonly failures: number;
  readonly pausedAt: Date | null;
  readonly pausedReason: FailureReason | null;
  /** When the tenant was last known to be up to date with its state. */
  readonly syncedAt: Date | null;
}

const COLUMNS = [
  'next_datetime as nextAt',
  'failures',
  'paused_datetime as pausedAt',
  'paused_reason as pausedReason',
  'synced_datetime as syncedAt',
] as const;

export const findSchedule = (tx: Tx): Promise<Schedule | undefined> =>
  tx.selectFrom('schedules').select(COLUMNS).$castTo<Schedule>().executeTakeFirst();

/** With 10% jitter, so that states that were checked at the same time do not stay synchronized. */
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
export async function saveNextRun(
  tx: Tx,
  tenantId: string,
  inSeconds: number,
  { wasSynced }: { readonly wasSynced: boolean },
): Promise<void> {
  await tx
    .with('deleted', (builder) =>
      builder
        .deleteFrom('schedules')
        .where('tenant_id', '=', tenantId)
        .where((eb) => eb.not(eb.exists(selectCompanyCreatingLicense(tx))))
        .returning('tenant_id'),
    )
    .insertInto('schedules')
    .columns(['tenant_id', 'next_datetime', 'failures', 'synced_datetime'])
    .expression(
      tx
        .selectNoFrom([
          sql<string>`${tenantId}::uuid`.as('tenant_id'),
          fromNow(inSeconds).as('next_datetime'),
          sql<number>`0`.as('failures'),
          sql<Date | null>`${wasSynced ? sql`now()` : sql`null::timestamptz`}`.as('synced_datetime'),
        ])
        .where((eb) => eb.exists(selectCompanyCreatingLicense(tx))),
    )
    .onConflict((conflict) =>
      conflict.column('tenant_id').doUpdateSet((eb) => ({
        next_datetime: eb.ref('excluded.next_datetime'),
        failures: 0,
        paused_datetime: null,
        paused_reason: null,
        synced_datetime: sql<Date | null>`coalesce(excluded.synced_datetime, schedules.synced_datetime)`,
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

const isDue = sql<boolean>`next_datetime <= now()`;

/** Tenants of a state with a due run, longest overdue first. */
export async function selectDueTenants(tx: OperatorTx, { state, environment }: StateKey): Promise<string[]> {
  const rows = await tx
    .selectFrom('schedules')
    .innerJoin('tenants', 'tenants.tenant_id', 'schedules.tenant_id')
    .select('schedules.tenant_id as tenantId')
    .where(isDue)
    .where('state', '=', state)
    .where('environment', '=', environment)
    .orderBy('next_datetime')
    .limit(MAX_DUE_TENANTS)
    .execute();
  return rows.map(({ tenantId }) => tenantId);
}

export interface StateKey {
  readonly state: string;
  readonly environment: Environment;
}

/** States in which a tenant has a due run. */
export const selectDueStates = (tx: OperatorTx): Promise<StateKey[]> =>
  tx
    .selectFrom('schedules')
    .innerJoin('tenants', 'tenants.tenant_id', 'schedules.tenant_id')
    .select(['state', 'environment'])
    .distinct()
    .where(isDue)
    .$castTo<StateKey>()
    .execute();

/** A company credential that can check a state. */
export interface Leader {
  readonly tenantId: string;
  readonly credentialId: string;
}

export interface Leaders {
  /** The least recently used ones first. */
  readonly leaders: readonly Leader[];
  /** Whether a tenant of the state includes laboratories. */
  readonly includeLabs: boolean;
}

/** More than the logins that could be unusable without their status saying so. */
const MAX_LEADERS = 10;

/** Valid company credentials of tenants that are synced on a schedule and have been synced before. */
export async function selectLeaders(tx: OperatorTx, { state, environment }: StateKey): Promise<Leaders> {
  const rows = await tx
    .selectFrom('credentials')
    .innerJoin('schedules', 'schedules.tenant_id', 'credentials.tenant_id')
    .innerJoin('tenants', 'tenants.tenant_id', 'credentials.tenant_id')
    .innerJoin('sync_states', 'sync_states.tenant_id', 'credentials.tenant_id')
    .select([
      'credentials.tenant_id as tenantId',
      'credentials.id as credentialId',
      sql<boolean>`bool_or((sync_states.input_versions->>'includeLabs')::boolean) over ()`.as('includeLabs'),
    ])
    .where('state', '=', state)
    .where('environment', '=', environment)
    .where('credentials.owner', '=', 'company')
    .where('credentials.status', '=', 'valid')
    .where('paused_datetime', 'is', null)
    .orderBy(sql`credentials.last_used_datetime nulls first`)
    .limit(MAX_LEADERS)
    .execute();
  return { leaders: rows, includeLabs: rows[0]?.includeLabs ?? false };
}

export interface StateCheck extends StateKey {
  readonly mappingVersion: number;
  /** A tenant whose login was checked before that needs a run. */
  readonly loginSeconds: number;
  /** A tenant whose companies were last compared completely before that needs a run. */
  readonly fullPlanSeconds: number;
  readonly intervalSeconds: number;
}

/**
 * Marks the tenants of a state that have nothing to sync as up to date, in one statement: their last sync had the present list and
 * inputs, it is their last run, and their login works. Their next runs are due at the same time.
 * @returns the number of tenants
 */
export async function saveStateCheck(
  tx: OperatorTx,
  { state, environment, mappingVersion, loginSeconds, fullPlanSeconds, intervalSeconds }: StateCheck,
): Promise<number> {
  const { numAffectedRows } = await sql`
    update schedules
       set next_datetime = (select ${fromNow(intervalSeconds)}), synced_datetime = now()
      from tenants
      join directories using (state, environment)
      join sync_states using (tenant_id)
     where schedules.tenant_id = tenants.tenant_id
       and tenants.state = ${state} and tenants.environment = ${environment}
       and schedules.next_datetime is not null and schedules.paused_datetime is null and schedules.failures = 0
       and (sync_states.input_versions->>'directoryVersion')::bigint = directories.version
       and (sync_states.input_versions->>'mappingVersion')::bigint = ${mappingVersion}
       and (sync_states.input_versions->>'revision')::bigint = tenants.inputs_revision
       and sync_states.compared_datetime > now() - make_interval(secs => ${fullPlanSeconds})
       and exists (
             select from credentials
              where credentials.tenant_id = tenants.tenant_id and owner = 'company' and status = 'valid'
                and checked_datetime > now() - make_interval(secs => ${loginSeconds}))
       and exists (
             select from licenses
              where licenses.tenant_id = tenants.tenant_id and create_companies and sync_enabled
                and archived_datetime is null)
       and (select status from sync_runs
             where sync_runs.tenant_id = tenants.tenant_id and mode = 'full'
             order by id desc limit 1) like 'succeeded%'`.execute(tx);
  return Number(numAffectedRows ?? 0n);
}
