import { sql } from 'kysely';
import type { Tx } from '../../db/database.js';
import type { SyncCounts, SyncRows } from '../../domain/sync-run.js';
import type { PlanWarning } from '../../mapping/index.js';

/** All that the companies are made from. Two equal bases give the same companies. */
export interface InputVersions {
  readonly directoryVersion: number;
  readonly preferenceVersion: number;
  readonly ubiKey: string;
  readonly mappingVersion: number;
  /** Every edit raises it. */
  readonly revision: number;
}

export interface PlanResult {
  readonly counts: SyncCounts;
  /** Of the listed licenses; what the list had beside them is the directory's to say. */
  readonly rows: Pick<SyncRows, 'used' | 'filtered'>;
  readonly warnings: readonly RunWarning[];
}

/** What a person should know of, though nothing failed. */
export type RunWarning =
  | PlanWarning
  /** A person dismissed the plan: nothing is applied before what it was made from moves. */
  | { readonly code: 'plan_dismissed'; readonly licenseNumber: null }
  /** After a sale: under the previewed strategy the company of this license means another vendor than it does now. */
  | { readonly code: 'company_means_another_vendor'; readonly licenseNumber: string | null }
  /** Of a previewed strategy; the items of its plan say which. */
  | { readonly code: 'companies_share_a_name'; readonly licenseNumber: null };

/** Some tell enough; the run's counts hold the number of all. */
export const MAX_NOTES_KEPT = 100;

/** What a sync found that compared everything is believed for a day. */
const COMPARE_SECONDS = 24 * 60 * 60;

/** What the last sync came to, if it was made from this very basis and not too long ago. */
export function findPlanResult(tx: Tx, basis: InputVersions): Promise<PlanResult | undefined> {
  return tx
    .selectFrom('sync_states')
    .select(['counts', 'row_counts as rows', 'warnings'])
    .where('directory_version', '=', basis.directoryVersion)
    .where('preference_version', '=', basis.preferenceVersion)
    .where('ubi_key', '=', basis.ubiKey)
    .where('mapping_version', '=', basis.mappingVersion)
    .where('revision', '=', basis.revision)
    .where('compared_datetime', '>', sql<Date>`now() - make_interval(secs => ${COMPARE_SECONDS})`)
    .$castTo<PlanResult>()
    .executeTakeFirst();
}

/** What the tenant was last planned from, if nothing but the directory moved since, and everything was compared lately. */
export async function findPlannedVersion(tx: Tx, basis: InputVersions): Promise<number | undefined> {
  const found = await tx
    .selectFrom('sync_states')
    .select('directory_version as version')
    .where('directory_version', '<', basis.directoryVersion)
    .where('preference_version', '=', basis.preferenceVersion)
    .where('ubi_key', '=', basis.ubiKey)
    .where('mapping_version', '=', basis.mappingVersion)
    .where('revision', '=', basis.revision)
    .where('compared_datetime', '>', sql<Date>`now() - make_interval(secs => ${COMPARE_SECONDS})`)
    .executeTakeFirst();
  return found?.version;
}

/** What the last sync came to, whatever it was made from. */
export const findLastPlanResult = (tx: Tx): Promise<PlanResult | undefined> =>
  tx
    .selectFrom('sync_states')
    .select(['counts', 'row_counts as rows', 'warnings'])
    .$castTo<PlanResult>()
    .executeTakeFirst();

/** @param isWhole everything was compared, and not only what changed */
export async function savePlanResult(
  tx: Tx,
  tenantId: string,
  basis: InputVersions,
  { counts, rows, warnings }: PlanResult,
  isWhole: boolean,
): Promise<void> {
  const values = {
    directory_version: basis.directoryVersion,
    preference_version: basis.preferenceVersion,
    ubi_key: basis.ubiKey,
    mapping_version: basis.mappingVersion,
    revision: basis.revision,
    counts: JSON.stringify(counts),
    row_counts: JSON.stringify(rows),
    // All of them: the next sync says again what it does not look at.
    warnings: JSON.stringify(warnings),
  };
  const comparedNow = { compared_datetime: sql<Date>`now()` };
  await tx
    .insertInto('sync_states')
    .values({ tenant_id: tenantId, ...values, ...comparedNow })
    .onConflict((conflict) => conflict.column('tenant_id').doUpdateSet({ ...values, ...(isWhole ? comparedNow : {}) }))
    .execute();
}

/**
 * A person's word was carried out: the companies are made from what they were made from, and from it.
 * @param from the revision before it; where the last sync saw an older one, the next still has edits to look for
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

/** What a dismissed plan is known by, and what it says of the list. */
interface Dismissal extends Omit<InputVersions, 'revision'> {
  /** Absent where the dismissal is older than this is kept. */
  readonly rows?: PlanResult['rows'];
}

/** The dismissal of the plan that this gives, if a person dismissed it; edits since do not make it another one. */
export async function findDismissal(tx: Tx, basis: InputVersions): Promise<Dismissal | undefined> {
  const found = await tx
    .selectFrom('sync_states')
    .select('dismissed_basis as dismissal')
    .$castTo<{ readonly dismissal: Dismissal | null }>()
    .executeTakeFirst();
  const dismissal = found?.dismissal ?? null;
  const isOfThis =
    dismissal !== null &&
    dismissal.directoryVersion === basis.directoryVersion &&
    dismissal.preferenceVersion === basis.preferenceVersion &&
    dismissal.ubiKey === basis.ubiKey &&
    dismissal.mappingVersion === basis.mappingVersion;
  return isOfThis ? dismissal : undefined;
}

/** @param rows of the plan that is dismissed */
export async function saveDismissal(
  tx: Tx,
  { revision: _, ...basis }: InputVersions,
  rows: PlanResult['rows'],
): Promise<void> {
  const { used, filtered } = rows;
  await tx
    .updateTable('sync_states')
    .set({ dismissed_basis: JSON.stringify({ ...basis, rows: { used, filtered } } satisfies Dismissal) })
    .execute();
}
