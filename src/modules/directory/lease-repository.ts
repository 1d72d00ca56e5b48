import { sql } from 'kysely';
import type { Db } from '../../db/database.js';
import { OPERATOR, runStatement, statementBuilder, toStatement } from '../../db/single-statement.js';
import type { Environment } from '../../domain/environment.js';

export interface DirectoryKey {
  readonly state: string;
  readonly environment: Environment;
}

/** A lease that is not renewed expires after this time. */
export const DIRECTORY_LEASE_SECONDS = 15;

/** Acquires or renews the lease. False if another process holds it. */
export async function acquireLease(db: Db, { state, environment }: DirectoryKey, holder: string): Promise<boolean> {
  const until = sql<Date>`clock_timestamp() + make_interval(secs => ${DIRECTORY_LEASE_SECONDS})`;
  const acquire = statementBuilder
    .insertInto('directory_leases')
    .values({ state, environment, holder, until_datetime: until })
    .onConflict((conflict) =>
      conflict
        .columns(['state', 'environment'])
        .doUpdateSet({ holder, until_datetime: until })
        .where((eb) =>
          eb.or([
            eb('directory_leases.holder', '=', holder),
            eb('directory_leases.until_datetime', '<', sql<Date>`clock_timestamp()`),
          ]),
        ),
    )
    .returning('holder');
  return (await runStatement(db, OPERATOR, toStatement(acquire))).length > 0;
}

export async function releaseLease(db: Db, { state, environment }: DirectoryKey, holder: string): Promise<void> {
  const release = statementBuilder
    .deleteFrom('directory_leases')
    .where('state', '=', state)
    .where('environment', '=', environment)
    .where('holder', '=', holder);
  await runStatement(db, OPERATOR, toStatement(release));
}
