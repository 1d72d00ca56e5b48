import type { Role } from './principal.js';

const all: readonly Role[] = ['operator', 'admin', 'user'];
const managers: readonly Role[] = ['operator', 'admin'];
const none: readonly Role[] = [];

/** Actions on an existing credential. */
export type OwnerAction = 'list' | 'read' | 'change' | 'verify' | 'delete';

/**
 * What each role may do with credentials, by owner. The policy by operation is in `http/policy.ts`. Users have full access
 * to their own credentials, so `user` describes access to the credentials of other users.
 */
export const OWNER_POLICY: Readonly<
  Record<'company' | 'user', Readonly<Record<OwnerAction | 'create', readonly Role[]>>>
> = {
  company: { create: managers, list: all, read: all, change: managers, verify: managers, delete: managers },
  // Managers can see that another user has a credential and can delete it.
  user: { create: none, list: managers, read: none, change: none, verify: none, delete: managers },
};
