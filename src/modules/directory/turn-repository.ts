import { sql } from 'kysely';
import type { OperatorTx } from '../../db/database.js';
import type { Environment } from '../../domain/environment.js';

/** Of a state, and which of its data sets. */
export interface Place {
  readonly state: string;
  readonly environment: Environment;
}

/** A turn that is not renewed for so long is over: its holder is gone. */
export const TURN_SECONDS = 15;

/** Takes the turn, or keeps it. False: somebody else has it. */
export async function takeTurn(tx: OperatorTx, { state, environment }: Place, holder: string): Promise<boolean> {
  const until = sql<Date>`clock_timestamp() + make_interval(secs => ${TURN_SECONDS})`;
  const { numInsertedOrUpdatedRows = 0n } = await tx
    .insertInto('directory_turns')
    .values({ state, environment, holder, until_datetime: until })
    .onConflict((conflict) =>
      conflict
        .columns(['state', 'environment'])
        .doUpdateSet({ holder, until_datetime: until })
        .where((eb) =>
          eb.or([
            eb('directory_turns.holder', '=', holder),
            eb('directory_turns.until_datetime', '<', sql<Date>`clock_timestamp()`),
          ]),
        ),
    )
    .executeTakeFirstOrThrow();
  return numInsertedOrUpdatedRows > 0n;
}

export async function endTurn(tx: OperatorTx, { state, environment }: Place, holder: string): Promise<void> {
  await tx
    .deleteFrom('directory_turns')
    .where('state', '=', state)
    .where('environment', '=', environment)
    .where('holder', '=', holder)
    .execute();
}
