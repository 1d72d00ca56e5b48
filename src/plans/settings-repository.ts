import { sql } from 'kysely';
import type { Tx } from '../db/database.js';
import type { DirectoryWarning } from '../domain/directory-warning.js';
import type { Skip } from '../domain/vendor.js';
import { MAPPING_VERSION } from '../mapping/index.js';
import type { PlanSettings } from './settings.js';
import { lastSyncColumn } from './state-repository.js';

/** Undefined if the setup is incomplete or the state's list was never read. */
export async function findPlanSettings(tx: Tx): Promise<PlanSettings | undefined> {
  const row = await tx
    .selectFrom('tenants')
    .innerJoin('ubis', 'ubis.tenant_id', 'tenants.tenant_id')
    .innerJoin('creation_preferences as preference', 'preference.tenant_id', 'tenants.tenant_id')
    .innerJoin('directories', (join) =>
      join
        .onRef('directories.state', '=', 'tenants.state')
        .onRef('directories.environment', '=', 'tenants.environment'),
    )
    .leftJoin('sync_states', 'sync_states.tenant_id', 'tenants.tenant_id')
    .select(lastSyncColumn)
    .select([
      'ubis.ubi_key as ubiKey',
      'preference.strategy',
      'preference.include_labs as includeLabs',
      'tenants.inputs_revision as revision',
      'directories.directory_id as id',
      'directories.version',
      'directories.fingerprint',
      'directories.fetched_rows as fetchedRows',
      'directories.duplicate_rows as duplicateRows',
      'directories.skipped_rows as skippedRows',
      sql<readonly Skip[]>`directories.skips`.as('skips'),
      sql<readonly DirectoryWarning[]>`directories.warnings`.as('warnings'),
      'directories.refused_digest as refusedDigest',
    ])
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const { ubiKey, strategy, includeLabs, revision, lastSync, ...directory } = row;
  const mappingVersion = MAPPING_VERSION;
  const versions = { directoryVersion: directory.version, mappingVersion, ubiKey, strategy, includeLabs, revision };
  return { directory, strategy, includeLabs, ubiKey, versions, lastSync: lastSync ?? undefined };
}

/** The revision of the tenant's inputs as this transaction sees it, with its own writes. */
export async function getInputsRevision(tx: Tx): Promise<number> {
  const { revision } = await tx.selectFrom('tenants').select('inputs_revision as revision').executeTakeFirstOrThrow();
  return revision;
}
