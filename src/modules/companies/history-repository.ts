import type { Tx } from '../../db/database.js';

/** So many lines of the feed are told of one company; the latest ones. */
export const MAX_LINES = 2_000;

/** The lines of the feed about a company, its licenses, and those that left it; the latest, in their order. */
export async function selectLinesOf(tx: Tx, companyId: string) {
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
  return [...held, ...left].sort((a, b) => a.seq - b.seq);
}

export type Line = Awaited<ReturnType<typeof selectLinesOf>>[number];
