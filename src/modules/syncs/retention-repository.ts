import { sql } from 'kysely';
import type { OperatorTx, Tx } from '../../db/database.js';

/** How long runs are kept after they have ended. */
export interface Retention {
  readonly runsDays: number;
  /** Of previews that were not applied. */
  readonly previewsHours: number;
}

/** A tenant keeps at most so many previews that were not applied. */
const PREVIEWS_KEPT = 5;
/** A new preview is not deleted for the sake of newer ones. */
const PREVIEW_MINUTES = 10;

const isUnappliedPreview = sql<boolean>`(mode = 'preview' and applied_datetime is null)`;

const isExpiredPreview = ({ previewsHours }: Retention) => sql<boolean>`(
  ${isUnappliedPreview} and (
    finished_datetime < now() - make_interval(hours => ${previewsHours})
    or finished_datetime < now() - make_interval(mins => ${PREVIEW_MINUTES})
       and (select count(*) from (
              select from sync_runs newer
               where newer.tenant_id = sync_runs.tenant_id and newer.id > sync_runs.id
                 and newer.mode = 'preview' and newer.applied_datetime is null and newer.status like 'succeeded%'
               limit ${PREVIEWS_KEPT}) as newer) = ${PREVIEWS_KEPT}))`;

/**
 * Kept for as long as the tenant: open reviews, the last successful run, the run that ended last, runs that created companies, and
 * dismissals of a state's list, which stay in effect until the list changes.
 */
const isExpiredRun = ({ runsDays }: Retention) => sql<boolean>`(
  finished_datetime < now() - make_interval(days => ${runsDays})
  and not ${isUnappliedPreview}
  and status <> 'needs_review'
  and (first_change_seq is null or coalesce((counts->>'created')::int, 0) = 0)
  and not exists (
        select from tenants
         where tenants.tenant_id = sync_runs.tenant_id and tenants.first_synced_run_id = sync_runs.id)
  and not (status = 'canceled' and list_digest is not null)
  and exists (
        select from sync_runs newer
         where newer.tenant_id = sync_runs.tenant_id and newer.id > sync_runs.id and newer.mode = 'full'
           and (newer.status like 'succeeded%'
                or newer.status in ('failed', 'needs_review') and sync_runs.status not like 'succeeded%')))`;

export interface ExpiredRun {
  readonly tenantId: string;
  readonly id: string;
}

/** Runs of all tenants that may be deleted, the oldest first. */
export async function selectExpiredRuns(tx: OperatorTx, retention: Retention, limit: number): Promise<ExpiredRun[]> {
  const select = (isExpired: typeof isUnappliedPreview) =>
    tx
      .selectFrom('sync_runs')
      .select(['tenant_id as tenantId', 'id'])
      .where(isExpired)
      .orderBy('finished_datetime')
      .limit(limit)
      .execute();
  return [...(await select(isExpiredPreview(retention))), ...(await select(isExpiredRun(retention)))];
}

/** Locks the run. False if another transaction uses it, or it was applied or deleted meanwhile. */
export async function lockExpiredRun(tx: Tx, id: string, retention: Retention): Promise<boolean> {
  const run = await tx
    .selectFrom('sync_runs')
    .select('id')
    .where('id', '=', id)
    .where((eb) => eb.or([isExpiredPreview(retention), isExpiredRun(retention)]))
    .forUpdate()
    .skipLocked()
    .executeTakeFirst();
  return run !== undefined;
}

export const deleteRun = (tx: Tx, id: string): Promise<unknown> =>
  tx.deleteFrom('sync_runs').where('id', '=', id).execute();
