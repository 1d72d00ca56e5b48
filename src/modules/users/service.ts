import { type Db, type Tx, withTenant } from '../../db/database.js';
import { checkPrecondition, type Precondition } from '../../domain/precondition.js';
import type { Principal } from '../../domain/principal.js';
import { notFound, ServiceError } from '../../domain/service-error.js';
import { inLockedTenant, inTenant } from '../tenants/index.js';
import { deleteCredentialsOfUser, findUser, saveLastSeen, saveUser, type User } from './repository.js';

export interface UserInput {
  readonly displayName: string | null;
  readonly active: boolean;
}

/** What the host application says of a person. Who is no longer active loses his secrets at once. */
export const putUser = (
  db: Db,
  tenantId: string,
  userId: string,
  input: UserInput,
  precondition: Precondition,
): Promise<{ readonly user: User; readonly created: boolean }> =>
  inLockedTenant(db, tenantId, async (tx) => {
    const present = await findUser(tx, userId);
    checkPrecondition(precondition, present?.version);
    if (!input.active) await deleteCredentialsOfUser(tx, userId);
    return { user: await saveUser(tx, tenantId, { userId, ...input }), created: present === undefined };
  });

export const getUser = (db: Db, tenantId: string, userId: string): Promise<User> =>
  inTenant(db, tenantId, async (tx) => {
    const user = await findUser(tx, userId);
    if (user === undefined) throw notFound('user');
    return user;
  });

const inactive = (): ServiceError =>
  new ServiceError('forbidden', 'The host application says that this person is no longer active.', {
    reason: 'user_inactive',
  });

/** @throws Fault `forbidden` for a person who is not active: he gets no secret into the house */
export async function requireActiveUser(tx: Tx, userId: string): Promise<void> {
  if ((await findUser(tx, userId))?.active === false) throw inactive();
}

/** Lets active people in, and remembers that they came. */
export interface UserTracker {
  /** @throws Fault `forbidden` */
  receive(principal: Principal): Promise<void>;
  /** What was known of a person has changed. */
  forget(tenantId: string, userId: string): void;
}

/** So long is believed what was last known of a person: reads stay cheap, and who is turned off is out soon. */
const BELIEVED_MS = 10_000;
const MOST_REMEMBERED = 10_000;

export function createUserTracker(db: Db): UserTracker {
  const known = new Map<string, { readonly until: number; readonly isActive: boolean }>();
  const toKey = (tenantId: string, userId: string): string => `${tenantId}/${userId}`;
  return {
    async receive(principal) {
      if (principal.kind !== 'user') return;
      const key = toKey(principal.tenantId, principal.id);
      let sighting = known.get(key);
      if (sighting === undefined || sighting.until < performance.now()) {
        const user = await withTenant(db, principal.tenantId, (tx) => saveLastSeen(tx, principal.id));
        sighting = { until: performance.now() + BELIEVED_MS, isActive: user?.active ?? true };
        if (known.size >= MOST_REMEMBERED) known.clear();
        known.set(key, sighting);
      }
      if (!sighting.isActive) throw inactive();
    },
    forget(tenantId, userId) {
      known.delete(toKey(tenantId, userId));
    },
  };
}
