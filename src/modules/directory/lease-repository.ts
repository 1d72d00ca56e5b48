import { sql } from 'kysely';
import type { OperatorTx } from '../../db/database.js';
import type { Environment } from '../../domain/environment.js';

export interface DirectoryKey {
  readonly state: string;
  readonly environment: Environment;
}

/** A lease that is not renewed expires after this time. */
export const DIRECTORY_LEASE_SECONDS = 15;

/** Acquires or renews the lease. False if another process holds it. */
export async function acquireLease(
  tx: OperatorTx,
  { state, environment }: DirectoryKey,
  holder: string,
): Promise<boolean> {
  const until = sql<Date>`clock_timestamp() + make_interval(secs => ${DIRECTORY_LEASE_SECONDS})`;
  const { numInsertedOrUpdatedRows = 0n } = await tx
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
    .executeTakeFirstOrThrow();
  return numInsertedOrUpdatedRows > 0n;
}

export async function releaseLease(
  tx: OperatorTx,
  { state, environment }: DirectoryKey,
  holder: string,
): Promise<void> {
  await tx
    .deleteFrom('directory_leases')
    .where('state', '=', state)
    .where('environment', '=', environment)
    .where('holder', '=', holder)
    .execute();
}
