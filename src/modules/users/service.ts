import { type Db, type Tx, withTenant, writesOf } from '../../db/database.js';
import { checkPrecondition, type Precondition } from '../../domain/precondition.js';
import type { Principal } from '../../domain/principal.js';
import { notFound, ServiceError, userInactive } from '../../domain/service-error.js';
import { replaceActor } from '../../plans/index.js';
import { inLockedTenant, inTenant } from '../tenants/index.js';
import { deleteUserRow, findUser, pseudonymizeAudit, saveLastSeen, saveUser, type User } from './repository.js';

/** Functions of modules that import this one. */
export interface UserPorts {
  readonly deleteCredentialsOfUser: (tx: Tx, userId: string) => Promise<void>;
  readonly replaceRequester: (tx: Tx, from: string, to: string) => Promise<void>;
  readonly newId: () => string;
}

export interface UserInput {
  readonly displayName: string | null;
  readonly active: boolean;
}

export interface UserUpdate {
  readonly tenantId: string;
  readonly userId: string;
  readonly input: UserInput;
  readonly precondition: Precondition;
  /** The caller, who cannot change whether they are active themselves. */
  readonly principal: Principal;
}

/** Registers or updates a user. Deactivating a user deletes their credentials. */
export const putUser = (
  db: Db,
  { deleteCredentialsOfUser }: UserPorts,
  { tenantId, userId, input, precondition, principal }: UserUpdate,
): Promise<{ readonly user: User; readonly created: boolean }> =>
  inLockedTenant(db, tenantId, async (tx) => {
    const present = await findUser(tx, userId);
    checkPrecondition(precondition, present?.version);
    if (principal.kind === 'user' && principal.id === userId && input.active !== (present?.active ?? true))
      throw new ServiceError('forbidden', 'Another admin, or a script, must change whether you are active.', {
        reason: 'own_user',
      });
    if (!input.active) await deleteCredentialsOfUser(tx, userId);
    if (present !== undefined && present.active !== input.active)
      writesOf(tx).record(input.active ? 'activate' : 'deactivate', 'users');
    return { user: await saveUser(tx, tenantId, { userId, ...input }), created: present === undefined };
  });

export const getUser = (db: Db, tenantId: string, userId: string): Promise<User> =>
  inTenant(db, tenantId, async (tx) => {
    const user = await findUser(tx, userId);
    if (user === undefined) throw notFound('user');
    return user;
  });

export interface UserToErase {
  readonly tenantId: string;
  readonly userId: string;
  readonly precondition: Precondition;
  readonly principal: Principal;
}

/**
 * Deletes a user with their credentials. What they did stays, under a pseudonym that is new for each erasure: in the change feed,
 * decisions, runs and the audit.
 */
export const eraseUser = (
  db: Db,
  { deleteCredentialsOfUser, replaceRequester, newId }: UserPorts,
  { tenantId, userId, precondition, principal }: UserToErase,
): Promise<void> =>
  inLockedTenant(db, tenantId, async (tx) => {
    const user = await findUser(tx, userId);
    if (user === undefined) throw notFound('user');
    checkPrecondition(precondition, user.version);
    // Unknown users are active: erasing themselves would give access back to a deactivated user.
    if (principal.kind === 'user' && principal.id === userId && !user.active) throw userInactive();
    const pseudonym = `erased-${newId()}`;
    const [from, to] = [`user:${userId}`, `user:${pseudonym}`];
    await deleteCredentialsOfUser(tx, userId);
    await deleteUserRow(tx, userId);
    await replaceActor(tx, from, to);
    await replaceRequester(tx, from, to);
    await pseudonymizeAudit(tx, userId, pseudonym);
  });

/** @throws ServiceError `forbidden` if the user is deactivated; unknown users count as active */
export async function requireActiveUser(tx: Tx, userId: string): Promise<void> {
  if ((await findUser(tx, userId))?.active === false) throw userInactive();
}

/** Rejects deactivated users and saves when active users were last seen. */
export interface UserTracker {
  /** @throws ServiceError `forbidden` if the principal is a deactivated user */
  requireActive(principal: Principal): Promise<void>;
  /** Call after a user changed. */
  forget(tenantId: string, userId: string): void;
}

/** How long the status of a user is cached. Other processes apply a deactivation after this time at the latest. */
const TTL_MS = 10_000;
const MAX_CACHED_USERS = 10_000;

export function createUserTracker(db: Db): UserTracker {
  const cache = new Map<string, { readonly until: number; readonly isActive: boolean }>();
  const toKey = (tenantId: string, userId: string): string => `${tenantId}/${userId}`;
  return {
    async requireActive(principal) {
      if (principal.kind !== 'user') return;
      const key = toKey(principal.tenantId, principal.id);
      let entry = cache.get(key);
      if (entry === undefined || entry.until < performance.now()) {
        const user = await withTenant(db, principal.tenantId, (tx) => saveLastSeen(tx, principal.id));
        entry = { until: performance.now() + TTL_MS, isActive: user?.active ?? true };
        if (cache.size >= MAX_CACHED_USERS) cache.clear();
        cache.set(key, entry);
      }
      if (!entry.isActive) throw userInactive();
    },
    forget(tenantId, userId) {
      cache.delete(toKey(tenantId, userId));
    },
  };
}
