import { sql } from 'kysely';
import type { OperatorTx, Tx } from '../../db/database.js';

/** How long runs are kept after they have ended. */
export interface Retention {
  readonly runsDays: number;
  /** Of previews that were not applied. */
  readonly previewsHours: number;
}

/** Previews of a tenant that are kept at most, unless they were applied. */
const PREVIEWS_KEPT = 5;

const isUnappliedPreview = sql<boolean>`(mode = 'preview' and applied_datetime is null)`;

/** The condition of an index. */
const hasEnded = sql<boolean>`finished_datetime is not null`;

const isExpiredPreview = ({ previewsHours }: Retention) => sql<boolean>`(
  ${isUnappliedPreview} and ${hasEnded} and (
    finished_datetime < now() - make_interval(hours => ${previewsHours})
    or (select count(*) from (
          select from sync_runs newer
           where newer.tenant_id = sync_runs.tenant_id and newer.id > sync_runs.id
             and newer.mode = 'preview' and newer.applied_datetime is null and newer.finished_datetime is not null
           limit ${PREVIEWS_KEPT}) as newer) = ${PREVIEWS_KEPT}))`;

/**
 * Kept for as long as the tenant: open reviews, the last successful run, runs that created companies (histories name them), and
 * dismissals of a state's list, which stay in effect until the list changes.
 */
const isExpiredRun = ({ runsDays }: Retention) => sql<boolean>`(
  finished_datetime < now() - make_interval(days => ${runsDays})
  and not ${isUnappliedPreview}
  and status <> 'needs_review'
  and (first_change_seq is null or coalesce((counts->>'created')::int, 0) = 0)
  and not (status = 'canceled' and list_digest is not null)
  and exists (
        select from sync_runs newer
         where newer.tenant_id = sync_runs.tenant_id and newer.id > sync_runs.id
           and newer.mode = 'full' and newer.status in ('succeeded', 'succeeded_with_warnings')))`;

export interface ExpiredRun {
  readonly tenantId: string;
  readonly id: string;
}

/** Runs of all tenants that may be deleted, the oldest first. */
export async function selectExpiredRuns(tx: OperatorTx, retention: Retention, limit: number): Promise<ExpiredRun[]> {
  const select = (isExpired: typeof hasEnded) =>
    tx
      .selectFrom('sync_runs')
      .select(['tenant_id as tenantId', 'id'])
      .where(isExpired)
      .orderBy('finished_datetime')
      .limit(limit)
      .execute();
  return [...(await select(isExpiredPreview(retention))), ...(await select(isExpiredRun(retention)))];
}

/** Deletes the first `limit` items of a run's plan. @returns how many it had, at most `limit` */
export async function deleteSomePlanItems(tx: Tx, id: string, limit: number): Promise<number> {
  const { numDeletedRows } = await tx
    .deleteFrom('sync_plan_items')
    .where('run_id', '=', id)
    // A range of the primary key: without statistics, Postgres would join a list of numbers row by row.
    .where(
      sql<boolean>`seq < coalesce(
        (select seq from sync_plan_items where run_id = ${id} order by seq offset ${limit} limit 1), 2147483647)`,
    )
    .executeTakeFirstOrThrow();
  return Number(numDeletedRows);
}

/** Does nothing if the run is in use by another transaction, or has been applied meanwhile. */
export async function deleteRunIfExpired(tx: Tx, id: string, retention: Retention): Promise<void> {
  await tx
    .deleteFrom('sync_runs')
    .where('id', 'in', (runs) =>
      runs
        .selectFrom('sync_runs')
        .select('id')
        .where('id', '=', id)
        .where((eb) => eb.or([isExpiredPreview(retention), isExpiredRun(retention)]))
        .forUpdate()
        .skipLocked(),
    )
    .execute();
}
