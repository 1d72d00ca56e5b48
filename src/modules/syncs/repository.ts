import { sql } from 'kysely';
import type { OperatorTx, Tx } from '../../db/database.js';
import type { CredentialChoice } from '../../domain/credential-choice.js';
import type { FailureReason } from '../../domain/failure-reason.js';
import type { Message } from '../../domain/message.js';
import { ServiceError } from '../../domain/service-error.js';
import type { Strategy } from '../../domain/strategy.js';
import type { RUN_TRIGGERS, RunStatus, RunStep, SyncCounts, SyncRows } from '../../domain/sync-run.js';
import type { Skip } from '../../domain/vendor.js';
import {
  deletePlanItems,
  type InputVersions,
  MAX_NOTES_STORED,
  type PlanNotes,
  type RunResult,
  type RunWarning,
} from '../../plans/index.js';
import { deleteTicketsOf } from './event-ticket-repository.js';

export type RunTrigger = (typeof RUN_TRIGGERS)[number];

/** Which runs a list contains. */
export interface RunFilters {
  readonly statuses?: readonly RunStatus[] | undefined;
  readonly trigger?: RunTrigger | undefined;
  readonly mode?: SyncRun['mode'] | undefined;
}

export interface SyncRun {
  readonly id: string;
  readonly status: RunStatus;
  readonly reason: FailureReason | null;
  readonly reasonMessage: Message | null;
  /** BioTrack's own text. For operators only. */
  readonly operatorDetail: string | null;
  /** Whether only the operator of this service can fix the failure. */
  readonly needsOperator: boolean;
  readonly trigger: RunTrigger;
  readonly mode: 'full' | 'preview';
  readonly refresh: 'auto' | 'force';
  readonly strategy: Strategy;
  readonly counts: SyncCounts | null;
  readonly rows: SyncRows | null;
  readonly warnings: readonly RunWarning[];
  readonly skips: readonly Skip[];
  readonly step: RunStep;
  readonly directoryVersion: number | null;
  /** The login that the run uses. Null until one is chosen. */
  readonly credentialId: string | null;
  readonly credentialOwner: 'company' | 'user' | null;
  readonly credentialReason: CredentialChoice | null;
  /** The previewed value for a switch. Null uses the preference's value. */
  readonly includeLabs: boolean | null;
  readonly plannedAt: Date | null;
  /** The input versions of a stored plan, of a preview or a run in review. */
  readonly inputVersions: InputVersions | null;
  readonly planDigest: string | null;
  /** The digest of the state's list that was rejected because it was much shorter. */
  readonly listDigest: string | null;
  /** When the preview was applied. */
  readonly appliedAt: Date | null;
  readonly firstChangeSeq: number | null;
  readonly lastChangeSeq: number | null;
  readonly notes: PlanNotes;
  readonly attempt: number;
  readonly fence: number;
  readonly requestedBy: string;
  readonly requestedAt: Date;
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
  readonly retryAt: Date | null;
}

export const RUN_COLUMNS = [
  'id',
  'status',
  'reason',
  'reason_message as reasonMessage',
  'operator_detail as operatorDetail',
  'needs_operator as needsOperator',
  'trigger',
  'mode',
  'refresh',
  'strategy',
  'counts',
  'row_counts as rows',
  'warnings',
  'skips',
  'step',
  'directory_version as directoryVersion',
  'credential_id as credentialId',
  'credential_owner as credentialOwner',
  'credential_reason as credentialReason',
  'include_labs as includeLabs',
  'planned_datetime as plannedAt',
  'input_versions as inputVersions',
  'plan_digest as planDigest',
  'list_digest as listDigest',
  'applied_datetime as appliedAt',
  'first_change_seq as firstChangeSeq',
  'last_change_seq as lastChangeSeq',
  'notes',
  'attempt',
  'fence',
  'requested_by as requestedBy',
  'requested_datetime as requestedAt',
  'started_datetime as startedAt',
  'finished_datetime as finishedAt',
  'retry_datetime as retryAt',
] as const;

const ACTIVE: RunStatus[] = ['queued', 'running'];

const select = (tx: Tx) => tx.selectFrom('sync_runs').select(RUN_COLUMNS).$castTo<SyncRun>();

export const findRun = (tx: Tx, id: string): Promise<SyncRun | undefined> =>
  select(tx).where('id', '=', id).executeTakeFirst();

/** The queued or running run that is not a preview. */
export const findActiveRun = (tx: Tx): Promise<SyncRun | undefined> =>
  select(tx).where('mode', '=', 'full').where('status', 'in', ACTIVE).executeTakeFirst();

/** Newest first. Retention bounds how many runs a tenant has. */
export const selectRuns = (
  tx: Tx,
  { statuses, trigger, mode }: RunFilters,
  size: number,
  after: string | undefined,
): Promise<SyncRun[]> =>
  select(tx)
    .$if(statuses !== undefined, (query) => query.where('status', 'in', [...(statuses ?? [])]))
    .$if(trigger !== undefined, (query) => query.where('trigger', '=', trigger as RunTrigger))
    .$if(mode !== undefined, (query) => query.where('mode', '=', mode as SyncRun['mode']))
    .$if(after !== undefined, (query) => query.where('id', '<', after as string))
    .orderBy('id', 'desc')
    .limit(size + 1)
    .execute();

export type NewRun = Pick<SyncRun, 'id' | 'trigger' | 'mode' | 'refresh' | 'strategy' | 'includeLabs' | 'requestedBy'>;

/** Inserts a queued run and its job in the same transaction. */
export async function insertRun(tx: Tx, tenantId: string, run: NewRun): Promise<SyncRun> {
  const inserted = await insertRow(tx, tenantId, run, { status: 'queued', step: 'queued' });
  await enqueueRun(tx, tenantId, run.id);
  return inserted;
}

/** Seconds until this long has passed since the last forced refresh ended. One that has not ended yet ends now at the earliest. */
export async function secondsUntilForceable(tx: Tx, distanceSeconds: number): Promise<number> {
  if (distanceSeconds === 0) return 0;
  // Not `now()`: the transaction may have waited for the run that it sees as ended.
  const last = sql<Date>`max(coalesce(finished_datetime, clock_timestamp()))`;
  const { wait } = await tx
    .selectFrom('sync_runs')
    .where('refresh', '=', 'force')
    .select(
      sql<number | null>`ceil(extract(epoch from ${last} - clock_timestamp()) + ${distanceSeconds})::float8`.as('wait'),
    )
    .executeTakeFirstOrThrow();
  return Math.min(wait ?? 0, distanceSeconds);
}

export async function countOpenPreviews(tx: Tx): Promise<number> {
  const { open } = await tx
    .selectFrom('sync_runs')
    .where('mode', '=', 'preview')
    .where('status', 'in', ['queued', 'running'])
    .select((eb) => eb.fn.countAll<number>().as('open'))
    .executeTakeFirstOrThrow();
  return open;
}

/** Inserts a run that this transaction executes itself, without a worker. */
export const insertRunningRun = (tx: Tx, tenantId: string, run: NewRun): Promise<SyncRun> =>
  insertRow(tx, tenantId, run, { status: 'running', step: 'planning' });

function insertRow(
  tx: Tx,
  tenantId: string,
  { id, trigger, mode, refresh, strategy, includeLabs, requestedBy }: NewRun,
  state: Pick<SyncRun, 'status' | 'step'>,
): Promise<SyncRun> {
  return tx
    .insertInto('sync_runs')
    .values({
      tenant_id: tenantId,
      id,
      ...state,
      mode,
      trigger,
      refresh,
      strategy,
      include_labs: includeLabs,
      requested_by: requestedBy,
      ...(state.status === 'running' ? { started_datetime: sql<Date>`clock_timestamp()` } : {}),
    })
    .returning(RUN_COLUMNS)
    .$castTo<SyncRun>()
    .executeTakeFirstOrThrow();
}

/** Marks runs in review as superseded by a newer run and deletes their plans. */
export async function supersedeReviews(tx: Tx, reasonMessage: Message): Promise<void> {
  const superseded = await tx
    .updateTable('sync_runs')
    .set({ status: 'superseded', reason: 'superseded', reason_message: JSON.stringify(reasonMessage), ...NO_PLAN })
    .where('status', '=', 'needs_review')
    .returning('id')
    .execute();
  await deletePlanItems(
    tx,
    superseded.map(({ id }) => id),
  );
}

const NO_PLAN = { input_versions: null, plan_digest: null } as const;

/**
 * Adds the job of a run. Each preview gets a lower priority the more previews of its tenant are already waiting, so
 * that one tenant's previews do not delay other tenants.
 */
export async function enqueueRun(tx: Tx, tenantId: string, id: string): Promise<void> {
  await sql`
    select enqueue_sync_run(${tenantId}::uuid, run.id, (
      select count(*)::int from sync_runs as earlier
       where run.mode = 'preview' and earlier.mode = 'preview' and earlier.status in ('queued', 'running')
         and earlier.id < run.id))
      from sync_runs as run where run.id = ${id}`.execute(tx);
}

/** Makes a run that waits for a retry due now. */
export async function retryNow(tx: Tx, tenantId: string, id: string): Promise<void> {
  const result = await tx
    .updateTable('sync_runs')
    .set({ retry_datetime: null })
    .where('id', '=', id)
    .where('status', '=', 'queued')
    .where('retry_datetime', 'is not', null)
    .executeTakeFirst();
  if (result.numUpdatedRows > 0n) await enqueueRun(tx, tenantId, id);
}

/** Returns false if the run has ended or is in review. */
export async function cancelRun(tx: Tx, id: string): Promise<boolean> {
  const result = await tx
    .updateTable('sync_runs')
    .set({ ...toResultColumns({ status: 'canceled' }), retry_datetime: null })
    .where('id', '=', id)
    .where('status', 'in', ACTIVE)
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

/** The run that ended last, without previews, canceled and superseded runs. */
export const findLastEndedRun = (tx: Tx): Promise<SyncRun | undefined> =>
  select(tx)
    .where('mode', '=', 'full')
    .where('status', 'not in', [...ACTIVE, 'superseded', 'canceled'])
    .orderBy('finished_datetime', 'desc')
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst();

export async function forceRefresh(tx: Tx, id: string): Promise<void> {
  await tx
    .updateTable('sync_runs')
    .set({ refresh: 'force' })
    .where('id', '=', id)
    .where('status', '=', 'queued')
    .execute();
}

export function toResultColumns({ status, reason, reasonMessage, warnings = [], skips = [], ...result }: RunResult) {
  const toJson = (value: unknown): string | null => (value === undefined ? null : JSON.stringify(value));
  return {
    status,
    step: 'done' as const,
    reason: reason ?? null,
    reason_message: toJson(reasonMessage),
    operator_detail: result.operatorDetail ?? null,
    needs_operator: result.needsOperator ?? false,
    counts: toJson(result.counts),
    row_counts: toJson(result.rows),
    warnings: JSON.stringify(warnings.slice(0, MAX_NOTES_STORED)),
    skips: JSON.stringify(skips.slice(0, MAX_NOTES_STORED)),
    directory_version: result.directoryVersion ?? null,
    planned_datetime: result.plannedAt ?? null,
    input_versions: toJson(result.inputVersions),
    plan_digest: result.planDigest ?? null,
    list_digest: result.listDigest ?? null,
    first_change_seq: result.changes?.first ?? null,
    last_change_seq: result.changes?.last ?? null,
    ...(result.notes === undefined ? {} : { notes: JSON.stringify(result.notes) }),
    leased_until_datetime: null,
    finished_datetime: sql<Date>`clock_timestamp()`,
  };
}

/** Finishes a run in review whose plan was applied. The transaction must have locked the tenant. */
export const finishReview = (tx: Tx, id: string, result: RunResult): Promise<SyncRun> =>
  tx
    .updateTable('sync_runs')
    .set(toResultColumns(result))
    .where('id', '=', id)
    .where('status', '=', 'needs_review')
    .returning(RUN_COLUMNS)
    .$castTo<SyncRun>()
    .executeTakeFirstOrThrow();

/** Cancels a run in review and keeps its plan. The transaction must have locked the tenant. */
export const saveDismissedReview = (tx: Tx, id: string, reasonMessage: Message): Promise<SyncRun> =>
  tx
    .updateTable('sync_runs')
    .set({ status: 'canceled', reason: null, reason_message: JSON.stringify(reasonMessage) })
    .where('id', '=', id)
    .where('status', '=', 'needs_review')
    .returning(RUN_COLUMNS)
    .$castTo<SyncRun>()
    .executeTakeFirstOrThrow();

/** Whether a user dismissed a run about this list of the state. */
export async function isListDismissed(tx: Tx, digest: string): Promise<boolean> {
  const dismissed = await tx
    .selectFrom('sync_runs')
    .select('id')
    .where('status', '=', 'canceled')
    .where('list_digest', '=', digest)
    .limit(1)
    .executeTakeFirst();
  return dismissed !== undefined;
}

/** Records that a preview was applied. */
export async function saveApplied(
  tx: Tx,
  id: string,
  { changes, notes }: Pick<RunResult, 'changes' | 'notes'>,
): Promise<void> {
  await tx
    .updateTable('sync_runs')
    .set({
      applied_datetime: sql<Date>`clock_timestamp()`,
      first_change_seq: changes?.first ?? null,
      last_change_seq: changes?.last ?? null,
      notes: JSON.stringify(notes),
    })
    .where('id', '=', id)
    .execute();
}

/** After this time, a queued run gets another job in case the queue lost its job. */
const LONG_QUEUED_SECONDS = 20;

export interface AbandonedRun {
  readonly tenantId: string;
  readonly id: string;
  /** Whether its worker's lease expired. */
  readonly isOrphan: boolean;
}

/**
 * Runs of all tenants that may need a new job: their lease expired, their retry is due, or they have been queued so
 * long that the queue may have lost their job.
 */
export const selectAbandonedRuns = (tx: OperatorTx): Promise<AbandonedRun[]> =>
  tx
    .selectFrom('sync_runs')
    .select(['tenant_id as tenantId', 'id', sql<boolean>`leased_until_datetime is not null`.as('isOrphan')])
    .where('status', 'in', ACTIVE)
    .where((eb) =>
      eb.or([
        eb('leased_until_datetime', '<', sql<Date>`now()`),
        eb('retry_datetime', '<=', sql<Date>`now()`),
        eb.and([
          eb('leased_until_datetime', 'is', null),
          eb('retry_datetime', 'is', null),
          eb('requested_datetime', '<', sql<Date>`now() - make_interval(secs => ${LONG_QUEUED_SECONDS})`),
        ]),
      ]),
    )
    // Runs with an expired lease first.
    .orderBy('leased_until_datetime', (order) => order.asc().nullsLast())
    .orderBy('requested_datetime')
    .limit(100)
    .execute();

const RETRY_ERASURE_SECONDS = 5;

/**
 * Replaces a user who requested or dismissed runs, and deletes their tickets for event streams.
 * @param toDismissed the message of a run that was dismissed
 * @throws ServiceError `sync_in_progress` if one of these runs has not ended: it would still write the user
 */
export async function replaceInRuns(
  tx: Tx,
  from: string,
  to: string,
  toDismissed: (dismissedBy: string) => Message,
): Promise<void> {
  const active = await tx
    .selectFrom('sync_runs')
    .select('id')
    .where('requested_by', '=', from)
    .where('status', 'in', ['queued', 'running'])
    .limit(1)
    .executeTakeFirst();
  if (active !== undefined) {
    throw new ServiceError(
      'sync_in_progress',
      'A sync that the user requested has not ended. Wait for it or cancel it.',
      {
        retryAfterSeconds: RETRY_ERASURE_SECONDS,
      },
    );
  }
  await deleteTicketsOf(tx, from);
  await tx.updateTable('sync_runs').set({ requested_by: to }).where('requested_by', '=', from).execute();
  await tx
    .updateTable('sync_runs')
    .set({ reason_message: JSON.stringify(toDismissed(to)) })
    .where(
      sql<boolean>`reason_message @> ${JSON.stringify({ code: 'run_dismissed', params: { dismissed_by: from } })}::jsonb`,
    )
    .execute();
}
