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

const selectDecisive = (tx: Tx, companyId: string) =>
  tx
    .selectFrom('changes')
    .select(['license_id as licenseId', 'reason', 'actor', 'run_id as runId', 'inserted_datetime as at'])
    .where('company_id', '=', companyId);

/** The entry about a company's creation; undefined if the feed no longer has it. */
export const findCreation = (tx: Tx, companyId: string): Promise<DecisiveChange | undefined> =>
  selectDecisive(tx, companyId).where('kind', '=', 'company.created').orderBy('seq').limit(1).executeTakeFirst();

/** For each license that the company ever held: the last entry that assigned it to the company or reactivated it there. */
export const selectAssignments = (tx: Tx, companyId: string): Promise<DecisiveChange[]> =>
  selectDecisive(tx, companyId)
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
