import type { Tx } from '../../db/database.js';

/** So many lines of the feed are told of one company; the latest ones. */
const MAX_LINES = 2_000;

/**
 * The lines of the feed about a company, its licenses, and those that left it; the latest, in their order. `isCut`: there
 * are more.
 */
export async function selectChangesOf(tx: Tx, companyId: string) {
  const select = () =>
    tx
      .selectFrom('changes')
      .leftJoin('company_licenses', (join) =>
        join
          .onRef('company_licenses.tenant_id', '=', 'changes.tenant_id')
          .onRef('company_licenses.id', '=', 'changes.license_id'),
      )
      .select([
        'changes.seq',
        'changes.kind',
        'changes.reason',
        'changes.company_id',
        'changes.from_company_id',
        'changes.license_id',
        'changes.before',
        'changes.after',
        'changes.actor',
        'changes.run_id',
        'changes.inserted_datetime',
        'company_licenses.license_number',
        'company_licenses.license_key',
      ])
      .orderBy('changes.seq', 'desc')
      .limit(MAX_LINES + 1);
  const held = await select().where('changes.company_id', '=', companyId).execute();
  const left = await select().where('changes.from_company_id', '=', companyId).execute();
  const lines = [...held, ...left].sort((a, b) => a.seq - b.seq);
  return { lines: lines.slice(-MAX_LINES), isCut: lines.length > MAX_LINES };
}

export type ChangeEntry = Awaited<ReturnType<typeof selectChangesOf>>['lines'][number];

/** A line that says who decided something. */
export type DecisiveChange = Pick<ChangeEntry, 'license_id' | 'reason' | 'actor' | 'run_id' | 'inserted_datetime'>;

const selectDecisive = (tx: Tx, companyId: string) =>
  tx
    .selectFrom('changes')
    .select(['license_id', 'reason', 'actor', 'run_id', 'inserted_datetime'])
    .where('company_id', '=', companyId);

/** The line that tells of a company's beginning; undefined if it is not in the feed. */
export const findFirstChange = (tx: Tx, companyId: string): Promise<DecisiveChange | undefined> =>
  selectDecisive(tx, companyId).where('kind', '=', 'company.created').orderBy('seq').limit(1).executeTakeFirst();

/** Of each license that ever was with a company the last line that put it there, or switched it on there. */
export const selectPlacingChanges = (tx: Tx, companyId: string): Promise<DecisiveChange[]> =>
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
