import { sql } from 'kysely';
import type { OperatorTx } from '../../db/database.js';

export interface RunMeasure {
  readonly status: string;
  readonly many: number;
  readonly oldestSeconds: number;
}

/** Runs of all tenants that have not ended. */
export const countUnfinishedRuns = (tx: OperatorTx): Promise<RunMeasure[]> =>
  tx
    .selectFrom('sync_runs')
    .select((eb) => [
      'status',
      eb.fn.countAll<number>().as('many'),
      sql<number>`max(age_seconds(requested_datetime))`.as('oldestSeconds'),
    ])
    .where('status', 'in', ['queued', 'running'])
    .groupBy('status')
    .execute();

/** Logins of all tenants; the operator sees nothing of them but how many are how. */
export const countCredentials = (tx: OperatorTx): Promise<{ status: string; many: number }[]> =>
  tx
    .selectFrom('credentials')
    .select((eb) => ['status', eb.fn.countAll<number>().as('many')])
    .groupBy('status')
    .execute();

export async function countMigrations(tx: OperatorTx): Promise<number> {
  const { rows } = await sql<{ many: number }>`select count(*) as many from kysely_migration`.execute(tx);
  return rows[0]?.many ?? 0;
}
