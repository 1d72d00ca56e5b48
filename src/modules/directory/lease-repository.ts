import { sql } from 'kysely';
import type { OperatorTx } from '../../db/database.js';
import type { Environment } from '../../domain/environment.js';

/** Of a state, and which of its data sets. */
export interface DirectoryKey {
  readonly state: string;
  readonly environment: Environment;
}

/** A turn that is not renewed for so long is over: its holder is gone. */
export const DIRECTORY_LEASE_SECONDS = 15;

/** Takes the turn, or keeps it. False: somebody else has it. */
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
