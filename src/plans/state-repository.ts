import { sql } from 'kysely';
import type { Tx } from '../db/database.js';
import type { SyncCounts } from '../domain/sync-run.js';
import type { Dismissal, InputVersions, PlanTotals, SyncState } from './settings.js';
import type { Totals } from './totals.js';

/** A tenant is planned completely at least once a day, even if its inputs did not change. */
export const FULL_PLAN_INTERVAL_SECONDS = 24 * 60 * 60;

/** The row of `sync_states` as a `SyncState`; null before the first sync. */
export const lastSyncColumn = sql<SyncState | null>`case when sync_states.tenant_id is not null then jsonb_build_object(
  'versions', sync_states.input_versions, 'counts', sync_states.counts, 'rows', sync_states.row_counts, 'totals', sync_states.object_totals,
  'warnings', sync_states.warnings, 'dismissal', sync_states.dismissed_input_versions,
  'isCompared', sync_states.compared_datetime > now() - make_interval(secs => ${FULL_PLAN_INTERVAL_SECONDS})) end`.as(
  'lastSync',
);

/** @param isFullPlan whether the whole tenant was planned */
export async function saveSyncState(
  tx: Tx,
  tenantId: string,
  versions: InputVersions,
  { counts, rows, warnings, totals }: PlanTotals & { readonly totals: Totals },
  isFullPlan: boolean,
): Promise<void> {
  const values = {
    input_versions: JSON.stringify(versions),
    counts: JSON.stringify(counts),
    row_counts: JSON.stringify(rows),
    object_totals: JSON.stringify(totals),
    // Without a limit, because a later delta plan repeats the warnings outside its scope.
    warnings: JSON.stringify(warnings),
  };
  const comparedNow = { compared_datetime: sql<Date>`now()` };
  await tx
    .insertInto('sync_states')
    .values({ tenant_id: tenantId, ...values, ...comparedNow })
    .onConflict((conflict) =>
      conflict.column('tenant_id').doUpdateSet({ ...values, ...(isFullPlan ? comparedNow : {}) }),
    )
    .execute();
}

/** Records that a decision was applied on top of the last sync. */
export async function saveDecidedState(
  tx: Tx,
  versions: InputVersions,
  { counts, totals }: { readonly counts: SyncCounts; readonly totals: Totals },
): Promise<void> {
  await tx
    .updateTable('sync_states')
    .set({
      input_versions: JSON.stringify(versions),
      counts: JSON.stringify(counts),
      object_totals: JSON.stringify(totals),
    })
    .execute();
}

/**
 * Records that everything which follows from an edit was written with it, so that the next sync does not plan the whole tenant
 * for it. An earlier change that no sync has planned yet still makes it do so.
 * @param before the revision of the inputs before the edit
 */
export async function saveEditedState(tx: Tx, before: number): Promise<void> {
  await tx
    .updateTable('sync_states')
    .from('tenants')
    .whereRef('tenants.tenant_id', '=', 'sync_states.tenant_id')
    .where(sql<boolean>`(input_versions->>'revision')::bigint = ${before}`)
    .set({ input_versions: sql`jsonb_set(input_versions, '{revision}', to_jsonb(tenants.inputs_revision))` })
    .execute();
}

export async function saveDismissal(tx: Tx, dismissal: Dismissal): Promise<void> {
  await tx
    .updateTable('sync_states')
    .set({ dismissed_input_versions: JSON.stringify(dismissal) })
    .execute();
}
