import { type CommitHook, clientOf, writesOf } from '../../db/database.js';
import type { Principal } from '../../domain/principal.js';
import { ServiceError, userInactive } from '../../domain/service-error.js';

/**
 * Checks the caller again at the end of a transaction that wrote, in that transaction: authentication uses caches, and a request
 * may take long. A key or user that is revoked meanwhile is locked out before, or after the commit.
 */
export const createCallerHook =
  (principal: Principal): CommitHook =>
  async (tx) => {
    if (writesOf(tx).isEmpty) return;
    const client = clientOf(tx);
    if (principal.kind === 'user') {
      const { rows } = await client.query<{ active: boolean }>(
        'select active from users where user_id = $1 for share',
        [principal.id],
      );
      if (rows[0]?.active === false) throw userInactive();
      return;
    }
    const { rows } = await client.query<{ valid: boolean }>('select is_api_key_valid($1) as valid', [principal.id]);
    if (rows[0]?.valid !== true)
      throw new ServiceError('unauthenticated', 'The API key was deleted or has expired. Nothing was changed.');
  };
