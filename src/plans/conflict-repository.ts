import { sql } from 'kysely';
import type { Tx } from '../db/database.js';
import type { PlanConflict } from '../mapping/index.js';

export interface FoundConflicts {
  readonly conflicts: readonly PlanConflict[];
  /** The UBIs that the plan covers; undefined means all. Open conflicts of these UBIs that are not found are closed. */
  readonly ubiKeys: ReadonlySet<string> | undefined;
  readonly runId: string | null;
}

/** Saves the conflicts that a plan found. Returns the number of open conflicts. */
export async function saveConflicts(
  tx: Tx,
  tenantId: string,
  newId: () => string,
  { conflicts, ubiKeys, runId }: FoundConflicts,
): Promise<number> {
  const known = new Map((await tx.selectFrom('conflicts').selectAll().execute()).map((row) => [row.ubi_key, row]));
  const found = new Set(conflicts.map(({ ubiKey }) => ubiKey));
  for (const { ubiKey, companyIds } of conflicts) {
    const row = known.get(ubiKey);
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
  const others = [...known.values()].filter(({ ubi_key, status }) => status === 'open' && !found.has(ubi_key));
  const closed = others.filter(({ ubi_key }) => ubiKeys?.has(ubi_key) !== false);
  if (closed.length > 0) {
    // A conflict with a decision stays resolved, so that the decision remains in effect and can be changed.
    await tx
      .updateTable('conflicts')
      .set((eb) => ({
        status: eb
          .case()
          .when('decision', 'is', null)
          .then('closed')
          .else('resolved')
          .end()
          .$castTo<'closed' | 'resolved'>(),
        company_ids: eb.fn.coalesce('decided_company_ids', 'company_ids'),
        version: eb('version', '+', 1),
        updated_datetime: eb.fn<Date>('now'),
      }))
      .where(
        'id',
        'in',
        closed.map(({ id }) => id),
      )
      .execute();
  }
  return found.size + others.length - closed.length;
}

export async function countOpenConflicts(tx: Tx): Promise<number> {
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

/** Saves a user's decision, which covers the companies of the conflict. */
export async function saveResolution(
  tx: Tx,
  { id, claimantIds }: { readonly id: string; readonly claimantIds: readonly string[] },
  { decision, companyId, decidedBy }: Resolution,
): Promise<void> {
  await tx
    .updateTable('conflicts')
    .set((eb) => ({
      status: 'resolved',
      decision,
      decided_company_id: companyId,
      decided_company_ids: [...claimantIds],
      decided_by: decidedBy,
      decided_datetime: sql<Date>`now()`,
      version: eb('version', '+', 1),
      updated_datetime: eb.fn<Date>('now'),
    }))
    .where('id', '=', id)
    .execute();
}
