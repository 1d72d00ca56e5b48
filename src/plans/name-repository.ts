import { sql } from 'kysely';
import type { Tx } from '../db/database.js';
import { lookUp } from '../db/lookup.js';

/** Names by id. Objects that do not exist have none. */
export type Names = ReadonlyMap<string, string>;

/** The current display names of companies. */
export const selectCompanyNames = (tx: Tx, ids: Iterable<string | null | undefined>): Promise<Names> =>
  selectNames(tx, 'companies', sql`id, display_name as name`, ids);

/** The current names of the licenses of companies. Licenses without a name are left out. */
export const selectLicenseNames = (tx: Tx, ids: Iterable<string | null | undefined>): Promise<Names> =>
  selectNames(tx, 'company_licenses', sql`id, name`, ids);

async function selectNames(
  tx: Tx,
  table: 'companies' | 'company_licenses',
  columns: ReturnType<typeof sql>,
  ids: Iterable<string | null | undefined>,
): Promise<Names> {
  const values = toIds(ids);
  const rows = await lookUp<{ id: string; name: string | null }>(tx, table, columns, [
    { column: 'id', type: 'uuid', values },
  ]);
  return new Map(rows.flatMap(({ id, name }) => (name === null ? [] : [[id, name] as const])));
}

const toIds = (ids: Iterable<string | null | undefined>): string[] => [...new Set([...ids].flatMap((id) => id ?? []))];

/** The display names of companies that a stored plan would create. */
export async function selectPlannedCompanyNames(tx: Tx, runId: string, ids: Iterable<string>): Promise<Names> {
  const values = toIds(ids);
  if (values.length === 0) return new Map();
  const { rows } = await sql<{ id: string; name: string | null }>`
    select wanted.id, planned.name from unnest(${values}::uuid[]) as wanted (id) cross join lateral
      (select after->>'display_name' as name from sync_plan_items
        where run_id = ${runId} and company_id = wanted.id and kind = 'company.created' limit 1) as planned`.execute(
    tx,
  );
  return new Map(rows.flatMap(({ id, name }) => (name === null ? [] : [[id, name] as const])));
}

/** What other resources show of a company. */
export interface CompanySummary {
  readonly id: string;
  readonly name: string;
  readonly ubi: string | null;
  /** The first active ones, in the order of their keys. */
  readonly licenseNumbers: readonly string[];
}

/** The license numbers in a summary. */
const MAX_SUMMARY_LICENSES = 20;

export async function selectCompanySummaries(
  tx: Tx,
  ids: Iterable<string | null>,
): Promise<ReadonlyMap<string, CompanySummary>> {
  const columns = sql`id, display_name as name, ubi, array(
    select license_number from company_licenses
     where company_licenses.tenant_id = companies.tenant_id and company_id = companies.id and active
     order by license_key limit ${MAX_SUMMARY_LICENSES}) as "licenseNumbers"`;
  const rows = await lookUp<CompanySummary>(tx, 'companies', columns, [
    { column: 'id', type: 'uuid', values: toIds(ids) },
  ]);
  return new Map(rows.map((row) => [row.id, row]));
}
