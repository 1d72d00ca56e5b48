import { sql } from 'kysely';
import type { Tx } from '../../db/database.js';
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
 * Records that BioTrack refused a username with an unknown text. If the text refused another username shortly before, returns
 * the tenants whose statuses must be restored; undefined if not. Waits for other transactions that record the same text, so
 * that the second one sees the first.
 */
export async function recordRefusedUsername(
  tx: Tx,
  { tenantId, refusedText, username, refusedAt }: RefusedUsername,
): Promise<string[] | undefined> {
  await sql`select pg_advisory_xact_lock(hashtextextended(${refusedText}, 0))`.execute(tx);
  await tx.deleteFrom('refused_usernames').where('refused_datetime', '<', secondsFromNow(-MEMORY_SECONDS)).execute();
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
        is_restored: false,
      }),
    )
    .execute();
  const rows = await tx
    .selectFrom('refused_usernames')
    .select([
      'in_tenant as tenantId',
      'username_hash as usernameHash',
      'is_restored as isRestored',
      sql<boolean>`refused_datetime > ${secondsFromNow(-SAME_TEXT_SECONDS)}`.as('isRecent'),
    ])
    .where('refused_text', '=', refusedText)
    .execute();
  const isOther = (hash: Buffer): boolean => !username.some((own) => own.equals(hash));
  if (!rows.some(({ usernameHash, isRecent }) => isRecent && isOther(usernameHash))) return undefined;
  return [...new Set(rows.filter(({ isRestored }) => !isRestored).map((row) => row.tenantId))];
}

export async function saveRestored(tx: Tx, tenantId: string, refusedText: string): Promise<void> {
  await tx
    .updateTable('refused_usernames')
    .set({ is_restored: true })
    .where('refused_text', '=', refusedText)
    .where('in_tenant', '=', tenantId)
    .execute();
}
