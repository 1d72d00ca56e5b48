import { sql } from 'kysely';
import { type Db, type OperatorTx, withOperator } from './database.js';

interface RunMeasurement {
  readonly status: string;
  readonly count: number;
  readonly oldestSeconds: number;
}

/** Counts over all tenants for the metrics. */
export interface DatabaseMeasurements {
  /** Queued and running runs. */
  readonly runs: readonly RunMeasurement[];
  readonly credentials: readonly { readonly status: string; readonly count: number }[];
  readonly migrations: number;
}

export const measureDatabase = (db: Db): Promise<DatabaseMeasurements> =>
  withOperator(db, async (tx) => ({
    runs: await measureUnfinishedRuns(tx),
    credentials: await countCredentials(tx),
    migrations: await countMigrations(tx),
  }));

const measureUnfinishedRuns = (tx: OperatorTx): Promise<RunMeasurement[]> =>
  tx
    .selectFrom('sync_runs')
    .select((eb) => [
      'status',
      eb.fn.countAll<number>().as('count'),
      sql<number>`max(age_seconds(requested_datetime))`.as('oldestSeconds'),
    ])
    .where('status', 'in', ['queued', 'running'])
    .groupBy('status')
    .execute();

/** The operator role may read only the status of credentials. */
const countCredentials = (tx: OperatorTx): Promise<{ status: string; count: number }[]> =>
  tx
    .selectFrom('credentials')
    .select((eb) => ['status', eb.fn.countAll<number>().as('count')])
    .groupBy('status')
    .execute();

async function countMigrations(tx: OperatorTx): Promise<number> {
  const { rows } = await sql<{ count: number }>`select count(*) as count from kysely_migration`.execute(tx);
  return rows[0]?.count ?? 0;
}
