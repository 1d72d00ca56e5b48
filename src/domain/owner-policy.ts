import type { Role } from './principal.js';

const everybody: readonly Role[] = ['operator', 'admin', 'user'];
const managers: readonly Role[] = ['operator', 'admin'];
const nobody: readonly Role[] = [];

/** What can be done with a credential that is there. */
export type OwnerAction = 'list' | 'read' | 'change' | 'verify' | 'delete';

/**
 * What a role may do with credentials, by whose they are; the part of the policy that an operation alone does not
 * decide. A person may do everything with his own, whatever his role.
 */
export const OWNER_POLICY: Readonly<
  Record<'company' | 'user', Readonly<Record<OwnerAction | 'create', readonly Role[]>>>
> = {
  company: { create: managers, list: everybody, read: everybody, change: managers, verify: managers, delete: managers },
  // Somebody else's: an admin sees that it is there, and may take it away.
  user: { create: nobody, list: managers, read: nobody, change: nobody, verify: nobody, delete: managers },
};
