import { sql } from 'kysely';
import type { Tx } from '../../db/database.js';

export { pseudonymizeAudit } from '../../db/audit.js';

export interface User {
  readonly userId: string;
  readonly displayName: string | null;
  readonly active: boolean;
  readonly lastSeenAt: Date | null;
  readonly version: number;
  readonly insertedAt: Date;
  readonly updatedAt: Date;
}

const COLUMNS = [
  'user_id as userId',
  'display_name as displayName',
  'active',
  'last_seen_datetime as lastSeenAt',
  'version',
  'inserted_datetime as insertedAt',
  'updated_datetime as updatedAt',
] as const;

export const findUser = (tx: Tx, userId: string): Promise<User | undefined> =>
  tx.selectFrom('users').select(COLUMNS).where('user_id', '=', userId).executeTakeFirst();

/** Ordered by id. Reads up to `size + 1` rows, for `toPage`. */
export const selectUsers = (tx: Tx, size: number, after: string | undefined): Promise<User[]> =>
  tx
    .selectFrom('users')
    .select(COLUMNS)
    .$if(after !== undefined, (query) => query.where('user_id', '>', after as string))
    .orderBy('user_id')
    .limit(size + 1)
    .execute();

/** Inserts or updates. */
export const saveUser = (
  tx: Tx,
  tenantId: string,
  { userId, displayName, active }: Pick<User, 'userId' | 'displayName' | 'active'>,
): Promise<User> =>
  tx
    .insertInto('users')
    .values({ tenant_id: tenantId, user_id: userId, display_name: displayName, active })
    .onConflict((conflict) =>
      conflict.columns(['tenant_id', 'user_id']).doUpdateSet((eb) => ({
        display_name: displayName,
        active,
        version: eb('users.version', '+', 1),
        updated_datetime: eb.fn<Date>('now'),
      })),
    )
    .returning(COLUMNS)
    .executeTakeFirstOrThrow();

/** Inserts the user if needed. Undefined if the tenant does not exist. */
export const saveLastSeen = async (tx: Tx, userId: string): Promise<{ readonly active: boolean } | undefined> =>
  tx
    .insertInto('users')
    .columns(['tenant_id', 'user_id', 'last_seen_datetime'])
    .expression((eb) =>
      eb
        .selectFrom('tenants')
        .select(['tenant_id', sql<string>`${userId}`.as('user_id'), sql<Date>`now()`.as('last_seen_datetime')]),
    )
    .onConflict((conflict) =>
      conflict.columns(['tenant_id', 'user_id']).doUpdateSet({ last_seen_datetime: sql<Date>`now()` }),
    )
    .returning('active')
    .executeTakeFirst();

export async function deleteUserRow(tx: Tx, userId: string): Promise<void> {
  await tx.deleteFrom('users').where('user_id', '=', userId).execute();
}
