import { sql } from 'kysely';
import type { Tx } from '../../db/database.js';
import type { DirectoryWarning } from '../../domain/directory-warning.js';
import type { SyncCounts, SyncRows } from '../../domain/sync-run.js';
import type { PlanWarning } from '../../mapping/index.js';

/** The versions of everything that a plan depends on. Equal versions give equal companies. */
export interface InputVersions {
  readonly directoryVersion: number;
  readonly preferenceVersion: number;
  readonly ubiKey: string;
  readonly mappingVersion: number;
  /** Increases with every edit. */
  readonly revision: number;
}

export interface PlanResult {
  readonly counts: SyncCounts;
  /** Counts of listed licenses. Counts of other rows are stored with the directory. */
  readonly rows: Pick<SyncRows, 'used' | 'filtered'>;
  readonly warnings: readonly RunWarning[];
}

/** Information for users about a run that did not fail. */
export type RunWarning =
  | PlanWarning
  | DirectoryWarning
  /** Several companies claim one vendor. The run's counts include the number of such vendors. */
  | { readonly code: 'open_conflicts'; readonly licenseNumber: null }
  /** A user dismissed the plan: nothing is applied until its inputs change. */
  | { readonly code: 'plan_dismissed'; readonly licenseNumber: null }
  /** After a sale: with the previewed strategy, the company of this license would represent another vendor. */
  | { readonly code: 'company_represents_another_vendor'; readonly licenseNumber: string | null }
  /** With the previewed strategy; the items of the plan list the companies. */
  | { readonly code: 'companies_share_a_name'; readonly licenseNumber: null };

/** Limit for the warnings, skips and notes stored with a run. The run's counts include all of them. */
export const MAX_NOTES_STORED = 100;

/** A tenant is planned completely at least once a day, even if its inputs did not change. */
const FULL_PLAN_INTERVAL_SECONDS = 24 * 60 * 60;

/** The last sync's result, if its inputs were the same and the last full plan is recent. */
export function findPlanResult(tx: Tx, versions: InputVersions): Promise<PlanResult | undefined> {
  return tx
    .selectFrom('sync_states')
    .select(['counts', 'row_counts as rows', 'warnings'])
    .where('directory_version', '=', versions.directoryVersion)
    .where('preference_version', '=', versions.preferenceVersion)
    .where('ubi_key', '=', versions.ubiKey)
    .where('mapping_version', '=', versions.mappingVersion)
    .where('revision', '=', versions.revision)
    .where('compared_datetime', '>', sql<Date>`now() - make_interval(secs => ${FULL_PLAN_INTERVAL_SECONDS})`)
    .$castTo<PlanResult>()
    .executeTakeFirst();
}

/**
 * The directory version of the last sync, if only the directory has changed since and the last full plan is recent. A
 * delta plan can start from it.
 */
export async function findPlannedVersion(tx: Tx, versions: InputVersions): Promise<number | undefined> {
  const found = await tx
    .selectFrom('sync_states')
    .select('directory_version as version')
    .where('directory_version', '<', versions.directoryVersion)
    .where('preference_version', '=', versions.preferenceVersion)
    .where('ubi_key', '=', versions.ubiKey)
    .where('mapping_version', '=', versions.mappingVersion)
    .where('revision', '=', versions.revision)
    .where('compared_datetime', '>', sql<Date>`now() - make_interval(secs => ${FULL_PLAN_INTERVAL_SECONDS})`)
    .executeTakeFirst();
  return found?.version;
}

/** The last sync's result, whatever its inputs. */
export const findLastPlanResult = (tx: Tx): Promise<PlanResult | undefined> =>
  tx
    .selectFrom('sync_states')
    .select(['counts', 'row_counts as rows', 'warnings'])
    .$castTo<PlanResult>()
    .executeTakeFirst();

/** @param isFullPlan whether the whole tenant was planned */
export async function savePlanResult(
  tx: Tx,
  tenantId: string,
  versions: InputVersions,
  { counts, rows, warnings }: PlanResult,
  isFullPlan: boolean,
): Promise<void> {
  const values = {
    directory_version: versions.directoryVersion,
    preference_version: versions.preferenceVersion,
    ubi_key: versions.ubiKey,
    mapping_version: versions.mappingVersion,
    revision: versions.revision,
    counts: JSON.stringify(counts),
    row_counts: JSON.stringify(rows),
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

/**
 * Records that a decision was applied on top of the last sync.
 * @param from the revision before the decision. If the last sync is older than that, its revision is kept, so that the
 *   next sync still considers the edits in between.
 */
export async function saveDecisionResult(tx: Tx, from: number, to: number, counts: SyncCounts): Promise<void> {
  await tx
    .updateTable('sync_states')
    .set((eb) => ({
      counts: JSON.stringify(counts),
      revision: eb.case().when('revision', '=', from).then(to).else(eb.ref('revision')).end(),
    }))
    .execute();
}

/** Identifies a dismissed plan. */
interface Dismissal extends Omit<InputVersions, 'revision'> {
  /** Row counts of the dismissed plan. */
  readonly rows: PlanResult['rows'];
}

/**
 * The last sync's result with the row counts of the current list, if a user dismissed the plan for these inputs. Edits
 * since the dismissal do not matter.
 */
export async function findDismissedResult(tx: Tx, versions: InputVersions): Promise<PlanResult | undefined> {
  const found = await tx
    .selectFrom('sync_states')
    .select(['counts', 'warnings', 'dismissed_input_versions as dismissal'])
    .$castTo<Omit<PlanResult, 'rows'> & { readonly dismissal: Dismissal | null }>()
    .executeTakeFirst();
  if (found === undefined || found.dismissal === null) return undefined;
  const { dismissal, counts, warnings } = found;
  const isSame =
    dismissal.directoryVersion === versions.directoryVersion &&
    dismissal.preferenceVersion === versions.preferenceVersion &&
    dismissal.ubiKey === versions.ubiKey &&
    dismissal.mappingVersion === versions.mappingVersion;
  return isSame ? { counts, rows: dismissal.rows, warnings } : undefined;
}

/** @param rows of the dismissed plan */
export async function saveDismissal(
  tx: Tx,
  { revision: _, ...versions }: InputVersions,
  rows: PlanResult['rows'],
): Promise<void> {
  const { used, filtered } = rows;
  const dismissal = { ...versions, rows: { used, filtered } } satisfies Dismissal;
  await tx
    .updateTable('sync_states')
    .set({ dismissed_input_versions: JSON.stringify(dismissal) })
    .execute();
}
