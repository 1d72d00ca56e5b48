import { sql } from 'kysely';
import type { Tx } from '../../db/database.js';

/** What is known of a login before it is tried. */
export type LoginAttempt = 'ours' | 'under_way' | 'refused';

/** Longer than a login is ever waited for. */
const LEASE_SECONDS = 60;
/** A refusal is believed for a day: what was refused may have been set right at BioTrack since. */
const BELIEVED_SECONDS = 24 * 60 * 60;

const secondsFromNow = (seconds: number) => sql<Date>`clock_timestamp() + make_interval(secs => ${seconds})`;

/**
 * Takes the trial of a login, if nobody tries it now and it was not refused before.
 * @param hashes of the login, with each key of the keyset; the first is the one to write
 */
export async function claimLoginAttempt(
  tx: Tx,
  tenantId: string,
  hashes: readonly [Buffer, ...Buffer[]],
): Promise<LoginAttempt> {
  const refused = await tx
    .selectFrom('login_attempts')
    .select('login_hash')
    .where('login_hash', 'in', [...hashes])
    .where('refused_datetime', '>', secondsFromNow(-BELIEVED_SECONDS))
    .executeTakeFirst();
  if (refused !== undefined) return 'refused';
  const claimed = await tx
    .insertInto('login_attempts')
    .values({ tenant_id: tenantId, login_hash: hashes[0], leased_until_datetime: secondsFromNow(LEASE_SECONDS) })
    .onConflict((conflict) =>
      conflict
        .columns(['tenant_id', 'login_hash'])
        .doUpdateSet({ leased_until_datetime: secondsFromNow(LEASE_SECONDS), refused_datetime: null })
        .where('login_attempts.leased_until_datetime', '<', sql<Date>`clock_timestamp()`)
        .where((eb) =>
          eb.or([
            eb('login_attempts.refused_datetime', 'is', null),
            eb('login_attempts.refused_datetime', '<=', secondsFromNow(-BELIEVED_SECONDS)),
          ]),
        ),
    )
    .returning('login_hash')
    .executeTakeFirst();
  return claimed === undefined ? 'under_way' : 'ours';
}

/** Remembers a refusal, and lets go of those that are no longer believed. */
export async function saveLoginRefusal(tx: Tx, tenantId: string, hash: Buffer): Promise<void> {
  await tx.deleteFrom('login_attempts').where('refused_datetime', '<=', secondsFromNow(-BELIEVED_SECONDS)).execute();
  const values = { leased_until_datetime: sql<Date>`now()`, refused_datetime: sql<Date>`now()` };
  await tx
    .insertInto('login_attempts')
    .values({ tenant_id: tenantId, login_hash: hash, ...values })
    .onConflict((conflict) => conflict.columns(['tenant_id', 'login_hash']).doUpdateSet(values))
    .execute();
}

/** The login was not refused: there is nothing to remember. */
export async function deleteLoginAttempts(tx: Tx, hashes: readonly Buffer[]): Promise<void> {
  await tx
    .deleteFrom('login_attempts')
    .where('login_hash', 'in', [...hashes])
    .execute();
}
