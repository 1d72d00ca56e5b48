import { sql } from 'kysely';
import type { Tx } from '../../db/database.js';
import type { PlanConflict } from '../../mapping/index.js';

export interface FoundConflicts {
  readonly conflicts: readonly PlanConflict[];
  /** The UBIs that were looked at; undefined: all. What was a conflict of one of these and is no longer needs no answer. */
  readonly ubiKeys: ReadonlySet<string> | undefined;
  readonly runId: string | null;
}

// Whoever writes a conflict does it here: what plans find, and what persons decide.

/** Keeps what a plan leaves to a person. Returns how many wait for one now. */
export async function saveConflicts(
  tx: Tx,
  tenantId: string,
  newId: () => string,
  { conflicts, ubiKeys, runId }: FoundConflicts,
): Promise<number> {
  const present = new Map((await tx.selectFrom('conflicts').selectAll().execute()).map((row) => [row.ubi_key, row]));
  const found = new Map(conflicts.map((conflict) => [conflict.ubiKey, conflict]));
  for (const { ubiKey, companyIds } of conflicts) {
    const row = present.get(ubiKey);
    if (row?.status === 'open' && isSame(row.company_ids, companyIds)) continue;
    const values = { company_ids: [...companyIds], status: 'open' as const, run_id: runId };
    await tx
      .insertInto('conflicts')
      .values({ tenant_id: tenantId, id: newId(), ubi_key: ubiKey, ubi: ubiKey, ...values })
      .onConflict((conflict) =>
        conflict.columns(['tenant_id', 'ubi_key']).doUpdateSet((eb) => ({
          ...values,
          version: eb('conflicts.version', '+', 1),
          updated_datetime: eb.fn<Date>('now'),
        })),
      )
      .execute();
  }
  const gone = [...present.values()].filter(
    ({ ubi_key, status }) => status === 'open' && !found.has(ubi_key) && ubiKeys?.has(ubi_key) !== false,
  );
  if (gone.length > 0) {
    // A decision is in force until another one: whoever made it can change it, though nothing is asked anew.
    await tx
      .updateTable('conflicts')
      .set((eb) => ({
        status: eb
          .case()
          .when('decision', 'is', null)
          .then('gone')
          .else('resolved')
          .end()
          .$castTo<'gone' | 'resolved'>(),
        company_ids: eb.fn.coalesce('decided_company_ids', 'company_ids'),
        version: eb('version', '+', 1),
        updated_datetime: eb.fn<Date>('now'),
      }))
      .where(
        'id',
        'in',
        gone.map(({ id }) => id),
      )
      .execute();
  }
  const { open } = await tx
    .selectFrom('conflicts')
    .select((eb) => eb.fn.countAll<number>().as('open'))
    .where('status', '=', 'open')
    .executeTakeFirstOrThrow();
  return open;
}

const isSame = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && [...a].sort().join() === [...b].sort().join();

export interface Resolution {
  readonly decision: 'merge' | 'keep_apart';
  readonly companyId: string | null;
  readonly decidedBy: string;
}

/** Keeps a person's decision on the companies that he was asked about. */
export async function saveResolution(
  tx: Tx,
  { id, company_ids }: { readonly id: string; readonly company_ids: string[] },
  { decision, companyId, decidedBy }: Resolution,
): Promise<void> {
  await tx
    .updateTable('conflicts')
    .set((eb) => ({
      status: 'resolved',
      decision,
      decided_company_id: companyId,
      decided_company_ids: company_ids,
      decided_by: decidedBy,
      decided_datetime: sql<Date>`now()`,
      version: eb('version', '+', 1),
      updated_datetime: eb.fn<Date>('now'),
    }))
    .where('id', '=', id)
    .execute();
}
