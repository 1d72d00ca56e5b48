import { sql } from 'kysely';
import type { OperatorTx, Tx } from '../../db/database.js';
import { MEMORY_SECONDS, secondsFromNow } from './login-attempt-repository.js';
import type { KeyHashes } from './login-keys.js';

/** If one text refuses two usernames within this time, the state has a problem. */
const SAME_TEXT_SECONDS = 10 * 60;
export interface RefusedUsername {
  readonly tenantId: string;
  readonly refusedText: string;
  readonly username: KeyHashes;
  /** Undefined for now. */
  readonly refusedAt: Date | undefined;
}

/**
 * Records that BioTrack refused a username with an unknown text. Returns true if the text refused another username within the
 * same ten minutes: then the statuses that it caused must be restored. Waits for other transactions that record the same
 * text, so that the second one sees the first.
 */
export async function recordRefusedUsername(
  tx: Tx,
  { tenantId, refusedText, username, refusedAt }: RefusedUsername,
): Promise<boolean> {
  await sql`select pg_advisory_xact_lock(hashtextextended(${refusedText}, 0))`.execute(tx);
  await tx
    .deleteFrom('refused_usernames')
    .where('refused_datetime', '<', secondsFromNow(-MEMORY_SECONDS))
    .where((eb) => eb.or([eb('is_of_state', '=', false), eb('is_restored', '=', true)]))
    .execute();
  await tx
    .insertInto('refused_usernames')
    .values({
      refused_text: refusedText,
      username_hash: username[0],
      in_tenant: tenantId,
      refused_datetime: refusedAt ?? secondsFromNow(0),
    })
    .onConflict((conflict) =>
      conflict.columns(['refused_text', 'username_hash', 'in_tenant']).doUpdateSet({
        refused_datetime: sql<Date>`greatest(refused_usernames.refused_datetime, excluded.refused_datetime)`,
        is_of_state: false,
        is_restored: false,
      }),
    )
    .execute();
  const recent = await tx
    .selectFrom('refused_usernames')
    .select('username_hash as usernameHash')
    .where('refused_text', '=', refusedText)
    .where('refused_datetime', '>', secondsFromNow(-SAME_TEXT_SECONDS))
    .execute();
  const isOwn = ({ usernameHash }: { usernameHash: Buffer }): boolean =>
    username.some((own) => own.equals(usernameHash));
  if (!recent.some(isOwn) || recent.every(isOwn)) return false;
  await tx
    .updateTable('refused_usernames')
    .set({ is_of_state: true })
    .where('refused_text', '=', refusedText)
    .execute();
  return true;
}

export interface UnrestoredText {
  readonly tenantId: string;
  readonly refusedText: string;
}

/** Refusals that were a problem of the state, in tenants whose statuses are not restored yet. */
export const selectUnrestored = (tx: OperatorTx): Promise<UnrestoredText[]> =>
  tx
    .selectFrom('refused_usernames')
    .select(['in_tenant as tenantId', 'refused_text as refusedText'])
    .distinct()
    .where('is_of_state', '=', true)
    .where('is_restored', '=', false)
    .execute();

export async function saveRestored(tx: Tx, { tenantId, refusedText }: UnrestoredText): Promise<void> {
  await tx
    .updateTable('refused_usernames')
    .set({ is_restored: true })
    .where('refused_text', '=', refusedText)
    .where('in_tenant', '=', tenantId)
    .where('is_of_state', '=', true)
    .execute();
}
