import { type Kysely, sql } from 'kysely';
import type { Db, Tx } from '../../db/database.js';
import { runStatement, statementBuilder, toStatement } from '../../db/single-statement.js';
import type { DB } from '../../db/tables.js';
import type { CredentialChoice } from '../../domain/credential-choice.js';
import type { FailureReason } from '../../domain/failure-reason.js';
import type { Message } from '../../domain/message.js';
import type { RunStep } from '../../domain/sync-run.js';
import type { RunResult } from '../../plans/index.js';
import { enqueueRun, RUN_COLUMNS, type SyncRun, toResultColumns } from './repository.js';

// What the worker that holds a run writes to it.

/** How long a lease lasts without renewal. */
export const LEASE_SECONDS = 20;

const leaseEnd = sql<Date>`now() + make_interval(secs => ${LEASE_SECONDS})`;

export interface ClaimedRun extends SyncRun {
  readonly wasTakenOver: boolean;
  /** Whether the preference includes laboratories. */
  readonly readsLabs: boolean;
}

/**
 * Claims a run that is due or whose lease has expired, and increases its fence. Undefined if the run has ended, waits
 * for a retry, or is leased by another worker.
 */
export async function claimRun(db: Db, tenantId: string, id: string): Promise<ClaimedRun | undefined> {
  const claim = statementBuilder
    .with('before', (db) =>
      db
        .selectFrom('sync_runs')
        .select(['id as run_id', sql<boolean>`status = 'running'`.as('was_running')])
        .where('id', '=', id)
        .where((eb) =>
          eb.or([
            eb.and([
              eb('status', '=', 'queued'),
              eb.or([eb('retry_datetime', 'is', null), eb('retry_datetime', '<=', sql<Date>`now()`)]),
            ]),
            eb.and([eb('status', '=', 'running'), eb('leased_until_datetime', '<', sql<Date>`now()`)]),
          ]),
        )
        .forUpdate(),
    )
    .updateTable('sync_runs')
    .from('before')
    .set((eb) => ({
      status: 'running',
      step: 'fetching',
      attempt: eb('attempt', '+', 1),
      reason: null,
      reason_message: null,
      operator_detail: null,
      needs_operator: false,
      retry_datetime: null,
      fence: eb('fence', '+', 1),
      leased_until_datetime: leaseEnd,
      started_datetime: eb.fn.coalesce('started_datetime', sql<Date>`now()`),
    }))
    .whereRef('id', '=', 'before.run_id')
    .returning([
      ...RUN_COLUMNS,
      'before.was_running as wasTakenOver',
      sql<boolean>`coalesce((select include_labs from creation_preferences), false)`.as('readsLabs'),
    ]);
  const [claimed] = await runStatement<ClaimedRun>(db, tenantId, toStatement(claim));
  return claimed;
}

type Held = Pick<SyncRun, 'id' | 'fence'>;

/** Updates the run only if the caller still holds it. */
const updateHeld = (tx: Kysely<DB>, { id, fence }: Held) =>
  tx.updateTable('sync_runs').where('id', '=', id).where('fence', '=', fence).where('status', '=', 'running');

/** Returns false if the run was taken over or has ended. */
export async function renewLease(tx: Tx, run: Held): Promise<boolean> {
  const result = await updateHeld(tx, run).set({ leased_until_datetime: leaseEnd }).executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

/** Returns false if the run was taken over or has ended. */
export async function saveStep(db: Db, tenantId: string, run: Held, step: RunStep): Promise<boolean> {
  const update = updateHeld(statementBuilder, run).set({ step, leased_until_datetime: leaseEnd }).returning('id');
  return (await runStatement(db, tenantId, toStatement(update))).length > 0;
}

export interface RunCredential {
  readonly credential: { readonly id: string; readonly owner: 'company' | 'user' };
  readonly reason: CredentialChoice;
}

/** Saves the login of a run. Returns false if the run was taken over or has ended. */
export async function saveRunCredential(
  db: Db,
  tenantId: string,
  run: Held,
  { credential: { id, owner }, reason }: RunCredential,
): Promise<boolean> {
  const update = updateHeld(statementBuilder, run)
    .set({ credential_id: id, credential_owner: owner, credential_reason: reason })
    .returning('id');
  return (await runStatement(db, tenantId, toStatement(update))).length > 0;
}

/** Requeues a run at once when its worker shuts down. Does not count as an attempt. Returns false if it was lost. */
export async function releaseRun(tx: Tx, tenantId: string, run: Held): Promise<boolean> {
  const result = await updateHeld(tx, run)
    .set((eb) => ({ status: 'queued', step: 'queued', leased_until_datetime: null, attempt: eb('attempt', '-', 1) }))
    .executeTakeFirst();
  if (result.numUpdatedRows === 0n) return false;
  await enqueueRun(tx, tenantId, run.id);
  return true;
}

/** Requeues a run that has to wait for its directory or for a large plan. Does not count as an attempt. */
export async function requeueWaitingRun(tx: Tx, run: Held, seconds: number): Promise<void> {
  await updateHeld(tx, run)
    .set((eb) => ({
      status: 'queued',
      step: 'queued',
      leased_until_datetime: null,
      attempt: eb('attempt', '-', 1),
      retry_datetime: sql<Date>`now() + make_interval(secs => ${seconds})`,
    }))
    .execute();
}

/** What is saved about a failure. */
export interface FailureColumns {
  readonly reason: FailureReason;
  readonly reasonMessage: Message;
  readonly operatorDetail: string | undefined;
  readonly needsOperator: boolean;
}

export interface ScheduledRetry {
  readonly failure: FailureColumns;
  readonly seconds: number;
  /** False if BioTrack was not asked, so that the run has not used up an attempt. */
  readonly isAttempt: boolean;
}

/** Requeues a failed run with a delay; the sweep adds its job when the retry is due. Returns false if it was lost. */
export async function scheduleRetry(
  tx: Tx,
  run: Held,
  { failure, seconds, isAttempt }: ScheduledRetry,
): Promise<boolean> {
  const result = await updateHeld(tx, run)
    .set((eb) => ({
      status: 'queued',
      step: 'queued',
      leased_until_datetime: null,
      attempt: eb('attempt', '-', isAttempt ? 0 : 1),
      reason: failure.reason,
      reason_message: JSON.stringify(failure.reasonMessage),
      operator_detail: failure.operatorDetail ?? null,
      needs_operator: failure.needsOperator,
      retry_datetime: sql<Date>`now() + make_interval(secs => ${seconds})`,
    }))
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

/** Undefined if the run was taken over or has ended: the result is not saved. */
export const finishRun = (tx: Tx, run: Held, result: RunResult): Promise<SyncRun | undefined> =>
  updateHeld(tx, run).set(toResultColumns(result)).returning(RUN_COLUMNS).$castTo<SyncRun>().executeTakeFirst();
