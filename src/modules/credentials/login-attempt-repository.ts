import { sql } from 'kysely';
import type { Tx } from '../../db/database.js';

/** `claimed`: the caller must log in and save the result. `refused`: BioTrack refused the same login within the last day. */
export type LoginAttempt = 'claimed' | 'in_progress' | 'refused';

/** Longer than any login takes, including its timeout. */
const LEASE_SECONDS = 60;
/** After this time, a refused login is tried again: it may have been fixed in BioTrack. */
const REFUSAL_TTL_SECONDS = 24 * 60 * 60;

const secondsFromNow = (seconds: number) => sql<Date>`clock_timestamp() + make_interval(secs => ${seconds})`;

/**
 * Claims a login attempt, unless another process is making it or it was refused recently.
 * @param hashes hashes of the login with every key of the keyset; new rows use the first
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
    .where('refused_datetime', '>', secondsFromNow(-REFUSAL_TTL_SECONDS))
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
            eb('login_attempts.refused_datetime', '<=', secondsFromNow(-REFUSAL_TTL_SECONDS)),
          ]),
        ),
    )
    .returning('login_hash')
    .executeTakeFirst();
  return claimed === undefined ? 'in_progress' : 'claimed';
}

/** Saves a refusal and deletes expired ones of the tenant. */
export async function saveLoginRefusal(tx: Tx, tenantId: string, hash: Buffer): Promise<void> {
  await tx.deleteFrom('login_attempts').where('refused_datetime', '<=', secondsFromNow(-REFUSAL_TTL_SECONDS)).execute();
  const values = { leased_until_datetime: sql<Date>`now()`, refused_datetime: sql<Date>`now()` };
  await tx
    .insertInto('login_attempts')
    .values({ tenant_id: tenantId, login_hash: hash, ...values })
    .onConflict((conflict) => conflict.columns(['tenant_id', 'login_hash']).doUpdateSet(values))
    .execute();
}

export async function deleteLoginAttempts(tx: Tx, hashes: readonly Buffer[]): Promise<void> {
  await tx
    .deleteFrom('login_attempts')
    .where('login_hash', 'in', [...hashes])
    .execute();
}
