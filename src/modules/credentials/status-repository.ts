import { sql } from 'kysely';
import type { Tx } from '../../db/database.js';
import { COLUMNS, type Credential } from './repository.js';

/** Keeps the version. Undefined if the password was replaced meanwhile. */
export async function saveLoginResult(
  tx: Tx,
  { id, secretVersion }: Pick<Credential, 'id' | 'secretVersion'>,
  ubiKey: string,
  {
    status,
    missingPrivilege,
    refusedText,
  }: Pick<Credential, 'status' | 'missingPrivilege'> & { readonly refusedText: string | null },
): Promise<Credential | undefined> {
  const others = sql<string[]>`array_remove(refused_ubi_keys, ${ubiKey}::text)`;
  return tx
    .updateTable('credentials')
    .set((eb) => ({
      status,
      missing_privilege: missingPrivilege,
      checked_datetime: eb.fn<Date>('now'),
      refused_text: refusedText,
      status_before_refusal:
        status === 'refused'
          ? sql<string>`case when status = 'refused' then status_before_refusal else status end`
          : null,
      refused_ubi_keys:
        status === 'rejected' || status === 'refused' ? sql<string[]>`${others} || ${ubiKey}::text` : others,
    }))
    .where('id', '=', id)
    .where('secret_version', '=', secretVersion)
    .returning(COLUMNS)
    .$castTo<Credential>()
    .executeTakeFirst();
}

/** Takes back the status `refused` that this text caused. Returns false if there is none. */
export async function restoreRefusedCredentials(tx: Tx, refusedText: string): Promise<boolean> {
  const result = await tx
    .updateTable('credentials')
    .set((eb) => ({
      status: eb.ref('status_before_refusal').$notNull(),
      refused_text: null,
      status_before_refusal: null,
      refused_ubi_keys: sql<string[]>`array_remove(refused_ubi_keys, (select ubi_key from ubis))`,
    }))
    .where('status', '=', 'refused')
    .where('refused_text', '=', refusedText)
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

/**
 * Resets the status of all credentials after a change of the UBI or the state.
 * @param ubiKey the new UBI: credentials that BioTrack rejected with it before become `rejected` again. Undefined if the state
 *   changed, which forgets all rejections.
 */
export async function resetCredentialStatuses(tx: Tx, ubiKey: string | undefined): Promise<void> {
  const wasRejected = sql<boolean>`${ubiKey ?? null}::text = any (refused_ubi_keys)`;
  await tx
    .updateTable('credentials')
    .set((eb) => ({
      status: eb
        .case()
        .when(wasRejected)
        .then('rejected')
        .else('unverified')
        .end()
        .$castTo<'rejected' | 'unverified'>(),
      missing_privilege: null,
      refused_text: null,
      status_before_refusal: null,
      version: eb('version', '+', 1),
      ...(ubiKey === undefined ? { refused_ubi_keys: [] } : {}),
    }))
    .where((eb) => eb.or([eb('status', '!=', 'unverified'), wasRejected]))
    .execute();
}
