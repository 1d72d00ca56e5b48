import { sql } from 'kysely';
import type { Tx } from '../../db/database.js';
import type { SyncCounts, SyncRows } from '../../domain/sync-run.js';
import type { PlanWarning } from '../../mapping/index.js';
import { MAX_NOTES_KEPT } from './repository.js';

/** All that the companies are made from. Two equal bases give the same companies. */
export interface Basis {
  readonly directoryVersion: number;
  readonly preferenceVersion: number;
  readonly ubiKey: string;
  readonly mappingVersion: number;
  /** Every edit raises it. */
  readonly revision: number;
}

export interface Outcome {
  readonly counts: SyncCounts;
  /** Of the listed licenses; what the list had beside them is the directory's to say. */
  readonly rows: Pick<SyncRows, 'used' | 'filtered'>;
  readonly warnings: readonly PlanWarning[];
}

/** What a sync found that compared everything is believed for a day. */
const COMPARE_SECONDS = 24 * 60 * 60;

/** What the last sync came to, if it was made from this very basis and not too long ago. */
export function findOutcomeOf(tx: Tx, basis: Basis): Promise<Outcome | undefined> {
  return tx
    .selectFrom('sync_states')
    .select(['counts', 'row_counts as rows', 'warnings'])
    .where('directory_version', '=', basis.directoryVersion)
    .where('preference_version', '=', basis.preferenceVersion)
    .where('ubi_key', '=', basis.ubiKey)
    .where('mapping_version', '=', basis.mappingVersion)
    .where('revision', '=', basis.revision)
    .where('compared_datetime', '>', sql<Date>`now() - make_interval(secs => ${COMPARE_SECONDS})`)
    .$castTo<Outcome>()
    .executeTakeFirst();
}

export async function saveOutcome(
  tx: Tx,
  tenantId: string,
  basis: Basis,
  { counts, rows, warnings }: Outcome,
): Promise<void> {
  const values = {
    directory_version: basis.directoryVersion,
    preference_version: basis.preferenceVersion,
    ubi_key: basis.ubiKey,
    mapping_version: basis.mappingVersion,
    revision: basis.revision,
    counts: JSON.stringify(counts),
    row_counts: JSON.stringify(rows),
    warnings: JSON.stringify(warnings.slice(0, MAX_NOTES_KEPT)),
    compared_datetime: sql<Date>`now()`,
  };
  await tx
    .insertInto('sync_states')
    .values({ tenant_id: tenantId, ...values })
    .onConflict((conflict) => conflict.column('tenant_id').doUpdateSet(values))
    .execute();
}
