import { type Db, withOperator } from '../../db/database.js';
import { countCredentials, countMigrations, countUnfinishedRuns, type RunMeasure } from './repository.js';

export interface Measurements {
  readonly runs: readonly RunMeasure[];
  readonly credentials: readonly { readonly status: string; readonly many: number }[];
  readonly migrations: number;
}

/** What only the database can tell, over all tenants. */
export const measure = (db: Db): Promise<Measurements> =>
  withOperator(db, async (tx) => ({
    runs: await countUnfinishedRuns(tx),
    credentials: await countCredentials(tx),
    migrations: await countMigrations(tx),
  }));
