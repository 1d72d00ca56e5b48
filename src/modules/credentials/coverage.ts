import type { Db } from '../../db/database.js';
import { type PageOf, type PageRequest, toPage } from '../../domain/page.js';
import { inTenant } from '../tenants/index.js';
import { selectUsers, type User } from '../users/index.js';
import { type Credential, selectCredentialsOf } from './repository.js';
import { type Chosen, chooseOf } from './use-credential.js';

/** A person, and the login that his syncs would work with now. */
export interface Coverage {
  readonly user: User;
  readonly chosen: Chosen | undefined;
  /** The best of his own, whatever BioTrack said of it. */
  readonly own: Credential | undefined;
}

/** The tenant's people, each with the login that he would work with: the same choice as that of a sync. */
export const listCoverage = (
  db: Db,
  tenantId: string,
  { size, after }: PageRequest,
): Promise<PageOf<Coverage & { readonly id: string }>> =>
  inTenant(db, tenantId, async (tx) => {
    const users = await selectUsers(tx, size, after);
    const company = await selectCredentialsOf(tx, 'company');
    const byOwner = new Map<string | null, Credential[]>();
    for (const credential of await selectCredentialsOf(
      tx,
      users.map(({ userId }) => userId),
    )) {
      byOwner.set(credential.ownerUserId, [...(byOwner.get(credential.ownerUserId) ?? []), credential]);
    }
    const rows = users.map((user) => {
      const own = byOwner.get(user.userId) ?? [];
      const chosen = user.active ? chooseOf(own, company, true) : undefined;
      return { id: user.userId, user, chosen, own: own[0] };
    });
    return toPage(rows, size);
  });
