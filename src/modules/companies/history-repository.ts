import { sql } from 'kysely';
import type { Tx } from '../../db/database.js';
import { selectChangesWithLicenses } from '../../plans/index.js';

/** The latest entries that a company's history is made of. */
const MAX_ENTRIES = 2_000;

/**
 * The latest feed entries about a company, about its licenses and about licenses that left it, the oldest first.
 * `isTruncated`: older entries are left out.
 */
export async function selectChangesOf(tx: Tx, companyId: string) {
  const select = () =>
    selectChangesWithLicenses(tx)
      .select([
        'changes.seq',
        'changes.kind',
        'changes.reason',
        'changes.company_id as companyId',
        'changes.from_company_id as fromCompanyId',
        'changes.license_id as licenseId',
        'changes.before',
        'changes.after',
        'changes.actor',
        'changes.run_id as runId',
        'changes.inserted_datetime as at',
        'company_licenses.license_number as licenseNumber',
        'company_licenses.license_key as licenseKey',
      ])
      .orderBy('changes.seq', 'desc')
      .limit(MAX_ENTRIES + 1);
  const held = await select().where('changes.company_id', '=', companyId).execute();
  const left = await select().where('changes.from_company_id', '=', companyId).execute();
  const entries = [...held, ...left].sort((a, b) => a.seq - b.seq);
  return { entries: entries.slice(-MAX_ENTRIES), isTruncated: entries.length > MAX_ENTRIES };
}

export type ChangeEntry = Awaited<ReturnType<typeof selectChangesOf>>['entries'][number];

/** The parts of a feed entry that say who decided something. */
export type DecisiveChange = Pick<ChangeEntry, 'licenseId' | 'reason' | 'actor' | 'runId' | 'at'>;

/** Who created a company, and why. */
export type Creation = Omit<DecisiveChange, 'licenseId'>;

export const getCreation = (tx: Tx, companyId: string): Promise<Creation> =>
  tx
    .selectFrom('companies')
    .select([
      'created_reason as reason',
      'created_actor as actor',
      'created_run_id as runId',
      'inserted_datetime as at',
    ])
    .where('id', '=', companyId)
    .executeTakeFirstOrThrow();

/** For each license that the company ever held: the last entry that assigned it to the company or reactivated it there. */
export const selectAssignments = (tx: Tx, companyId: string): Promise<DecisiveChange[]> =>
  tx
    .selectFrom('changes')
    .select(['license_id as licenseId', 'reason', 'actor', 'run_id as runId', 'inserted_datetime as at'])
    .where('company_id', '=', companyId)
    .distinctOn('license_id')
    .where('license_id', 'is not', null)
    .where((eb) =>
      eb.or([
        eb('from_company_id', 'is not', null),
        eb('kind', 'in', ['license.created', 'license.reactivated', 'license.transferred']),
      ]),
    )
    .orderBy('license_id')
    .orderBy('seq', 'desc')
    .execute();

/** What the first sync created has no entries; undefined also if the feed no longer goes back to it. */
export const findFirstSync = (tx: Tx): Promise<DecisiveChange | undefined> =>
  tx
    .selectFrom('changes')
    .innerJoin('sync_runs', (join) =>
      join
        .onRef('sync_runs.tenant_id', '=', 'changes.tenant_id')
        .onRef('sync_runs.first_change_seq', '=', 'changes.seq'),
    )
    .innerJoin('tenants', 'tenants.first_synced_run_id', 'sync_runs.id')
    .select([
      'license_id as licenseId',
      'changes.reason',
      'actor',
      'run_id as runId',
      'changes.inserted_datetime as at',
    ])
    .executeTakeFirst();

export interface HeldLicense {
  readonly id: string;
  readonly licenseNumber: string;
  readonly licenseKey: string;
  readonly insertedAt: Date;
  /** Whether the first sync created it. */
  readonly isOfFirstSync: boolean;
}

/** Licenses that the company holds, and others by their ids. */
export const selectHeldLicenses = (tx: Tx, companyId: string, ids: readonly string[]): Promise<HeldLicense[]> =>
  tx
    .selectFrom('company_licenses')
    .innerJoin('tenants', 'tenants.tenant_id', 'company_licenses.tenant_id')
    .select((eb) => [
      'id',
      'license_number as licenseNumber',
      'license_key as licenseKey',
      'company_licenses.inserted_datetime as insertedAt',
      eb('company_licenses.inserted_datetime', '=', eb.ref('first_synced_datetime'))
        .$castTo<boolean>()
        .as('isOfFirstSync'),
    ])
    .where((eb) => eb.or([eb('company_id', '=', companyId), eb('id', '=', sql<string>`any(${[...ids]}::uuid[])`)]))
    .orderBy('license_key')
    .execute();
