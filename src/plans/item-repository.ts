import { sql } from 'kysely';
import { type Cell, type Columns, insertRows, RowSource } from '../db/bulk.js';
import type { Tx } from '../db/database.js';
import type { ChangeRange, PlanAction } from '../domain/sync-run.js';
import { FEED_STARTED } from './changes.js';
import { selectCompaniesAsOf, selectLicensesAsOf } from './feed-objects-repository.js';
import { type ItemFilters, isItemWanted, type PlanItem, toChangeItem, toKindsOf } from './items.js';

/** An item with its position within its section of the plan. */
export type PositionedItem = PlanItem & { readonly position: string };

const COLUMNS = {
  tenant_id: 'uuid',
  run_id: 'uuid',
  seq: 'integer',
  action: 'text',
  kind: 'text',
  reason: 'text',
  company_id: 'uuid',
  license_id: 'uuid',
  license_number: 'text',
  before: 'jsonb',
  after: 'jsonb',
} as const satisfies Columns;

/** Stores the items of a plan that was not applied. */
export const savePlanItems = (tx: Tx, tenantId: string, runId: string, items: readonly PlanItem[]): Promise<void> =>
  insertRows(tx, 'sync_plan_items', COLUMNS, new RowSource(toRows(tenantId, runId, items)));

function* toRows(tenantId: string, runId: string, items: readonly PlanItem[]): Generator<Cell[]> {
  for (const [index, item] of items.entries()) {
    yield [
      tenantId,
      runId,
      index + 1,
      item.action,
      item.kind,
      item.reason,
      item.companyId,
      item.licenseId,
      item.licenseNumber,
      item.before,
      item.after,
    ];
  }
}

export async function deletePlanItems(tx: Tx, runIds: readonly string[]): Promise<void> {
  if (runIds.length > 0) await tx.deleteFrom('sync_plan_items').where('run_id', 'in', runIds).execute();
}

/** Deletes the first `limit` items of a plan. @returns whether none is left */
export async function deleteSomePlanItems(tx: Tx, runId: string, limit: number): Promise<boolean> {
  const { numDeletedRows } = await tx
    .deleteFrom('sync_plan_items')
    .where('run_id', '=', runId)
    // A range of the primary key: without statistics, Postgres would join a list of numbers row by row.
    .where(
      sql<boolean>`seq < coalesce(
        (select seq from sync_plan_items where run_id = ${runId} order by seq offset ${limit} limit 1), 2147483647)`,
    )
    .executeTakeFirstOrThrow();
  return numDeletedRows < limit;
}

/** Items of a stored plan. */
export async function selectStoredItems(
  tx: Tx,
  runId: string,
  after: number,
  limit: number,
  { actions, kinds, companyId }: ItemFilters,
): Promise<PositionedItem[]> {
  const rows = await tx
    .selectFrom('sync_plan_items')
    .selectAll()
    .where('run_id', '=', runId)
    .where('seq', '>', after)
    .$if(actions !== undefined, (query) => query.where('action', 'in', [...(actions ?? [])]))
    .$if(kinds !== undefined, (query) => query.where('kind', 'in', [...(kinds ?? [])]))
    .$if(companyId !== undefined, (query) =>
      query.where(
        sql<boolean>`(company_id = ${companyId} or action = 'moved' and before->>'company_id' = ${companyId})`,
      ),
    )
    .orderBy('seq')
    .limit(limit)
    .execute();
  return rows.map((row) => ({
    position: String(row.seq),
    action: row.action as PlanAction,
    kind: row.kind,
    reason: row.reason,
    companyId: row.company_id,
    licenseId: row.license_id,
    licenseNumber: row.license_number,
    before: row.before as PlanItem['before'],
    after: row.after as PlanItem['after'],
  }));
}

/** The entries of the change feed, with the licenses that they are about. */
export const selectChangesWithLicenses = (tx: Tx) =>
  tx
    .selectFrom('changes')
    .leftJoin('company_licenses', (join) =>
      join
        .onRef('company_licenses.tenant_id', '=', 'changes.tenant_id')
        .onRef('company_licenses.id', '=', 'changes.license_id'),
    );

/** Also for an empty list. */
const isAnyOf = (column: string, values: readonly string[]) =>
  sql<boolean>`${sql.ref(column)} = any(${[...values]}::text[])`;

/** What the first sync created, as it was after the run. It has no entries in the change feed. */
export async function selectCreatedItems(
  tx: Tx,
  objects: 'companies' | 'licenses',
  { last }: ChangeRange,
  after: string | undefined,
  limit: number,
  filters: ItemFilters,
): Promise<PositionedItem[]> {
  const kind = objects === 'companies' ? 'company.created' : 'license.created';
  const { companyId = null } = filters;
  if (!isItemWanted({ action: 'created', kind, companyId }, filters)) return [];
  const page = { seq: last, after, limit, isFirstSync: true, companyId };
  if (objects === 'companies') {
    const companies = await selectCompaniesAsOf(tx, page);
    return companies.map(({ id, fields }) => ({
      ...toChangeItem({ ...FIRST_SEEN, kind: 'company.created', companyId: id, licenseNumber: null, after: fields }),
      position: id,
    }));
  }
  const licenses = await selectLicensesAsOf(tx, page);
  return licenses.map(({ id, fields }) => ({
    ...toChangeItem({
      ...FIRST_SEEN,
      kind: 'license.created',
      companyId: String(fields.company_id),
      licenseId: id,
      licenseNumber: String(fields.license_number),
      after: fields,
    }),
    position: id,
  }));
}

const FIRST_SEEN = { reason: 'first_seen', fromCompanyId: null, licenseId: null, before: null } as const;

/** Items of an applied plan, from the change feed. */
export async function selectAppliedItems(
  tx: Tx,
  { first, last }: ChangeRange,
  after: number,
  limit: number,
  { actions, kinds, companyId }: ItemFilters,
): Promise<PositionedItem[]> {
  const select = () =>
    selectChangesWithLicenses(tx)
      .select([
        'changes.seq',
        'changes.kind',
        'changes.reason',
        'changes.company_id',
        'changes.from_company_id',
        'changes.license_id',
        'changes.before',
        'changes.after',
        'company_licenses.license_number',
      ])
      .where('changes.seq', '>=', first)
      .where('changes.seq', '<=', last)
      .where('changes.seq', '>', after)
      .where('changes.kind', '<>', FEED_STARTED)
      .$if(kinds !== undefined, (query) => query.where('changes.kind', 'in', [...(kinds ?? [])]))
      // As `toChangeItem` decides.
      .$if(actions !== undefined, (query) =>
        query.where((eb) =>
          eb.or([
            ...(actions?.includes('moved') ? [eb('changes.from_company_id', 'is not', null)] : []),
            eb.and([eb('changes.from_company_id', 'is', null), isAnyOf('changes.kind', toKindsOf(actions ?? []))]),
          ]),
        ),
      )
      .orderBy('changes.seq')
      .limit(limit);
  const rows =
    companyId === undefined
      ? await select().execute()
      : // Each through an index.
        [
          ...(await select().where('changes.company_id', '=', companyId).execute()),
          ...(await select().where('changes.from_company_id', '=', companyId).execute()),
        ].sort((a, b) => a.seq - b.seq);
  return rows.slice(0, limit).map((row) => ({
    ...toChangeItem({
      kind: row.kind,
      reason: row.reason ?? '',
      companyId: row.company_id ?? '',
      fromCompanyId: row.from_company_id,
      licenseId: row.license_id,
      licenseNumber: row.license_number,
      before: row.before as PlanItem['before'],
      after: row.after as NonNullable<PlanItem['after']>,
    }),
    position: String(row.seq),
  }));
}

/**
 * Companies that existed when the run finished and that its plan does not change, sorted by id.
 * @param adopted companies that an applied plan adopted
 */
export async function selectUnchangedCompanyIds(
  tx: Tx,
  runId: string,
  { first, last }: ChangeRange,
  adopted: readonly string[],
  after: string | undefined,
  limit: number,
  companyId: string | undefined,
): Promise<string[]> {
  const rows = await tx
    .selectFrom('companies')
    .select('id')
    .where('inserted_datetime', '<=', (eb) =>
      eb.selectFrom('sync_runs').select('finished_datetime').where('id', '=', runId).$castTo<Date>(),
    )
    .where(sql<boolean>`created_run_id is distinct from ${runId}`)
    .where('id', 'not in', (eb) =>
      eb
        .selectFrom('changes')
        .select('company_id')
        .where('seq', '>=', first)
        .where('seq', '<=', last)
        .where('kind', 'like', 'company.%')
        .where('company_id', 'is not', null)
        .$castTo<{ company_id: string }>(),
    )
    .where('id', 'not in', (eb) =>
      eb
        .selectFrom('sync_plan_items')
        .select('company_id')
        .where('run_id', '=', runId)
        .where((eb) => eb.or([eb('kind', 'like', 'company.%'), eb('action', '=', 'adopted')]))
        .where('company_id', 'is not', null)
        .$castTo<{ company_id: string }>(),
    )
    .where('id', '<>', sql<string>`all(${[...adopted]}::uuid[])`)
    .$if(companyId !== undefined, (query) => query.where('id', '=', companyId as string))
    .$if(after !== undefined, (query) => query.where('id', '>', after as string))
    .orderBy('id')
    .limit(limit)
    .execute();
  return rows.map(({ id }) => id);
}
