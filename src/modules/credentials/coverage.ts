import type { Db } from '../../db/database.js';
import { type PageOf, type PageRequest, toPage } from '../../domain/page.js';
import { inTenant } from '../tenants/index.js';
import { selectUsers, type User } from '../users/index.js';
import { type Candidate, type Chosen, chooseOf, type OpenPorts, toCandidate } from './candidates.js';
import { selectCredentialsOf } from './repository.js';

/** A person, and the login that his syncs would work with now. */
export interface Coverage {
  readonly user: User;
  readonly chosen: Chosen | undefined;
  /** The best of his own, whatever BioTrack said of it. */
  readonly own: Candidate | undefined;
}

/** The tenant's people, each with the login that he would work with: the same choice as that of a sync. */
export const listCoverage = (
  db: Db,
  ports: OpenPorts,
  tenantId: string,
  { size, after }: PageRequest,
): Promise<PageOf<Coverage & { readonly id: string }>> =>
  inTenant(db, tenantId, async (tx, tenant) => {
    const users = await selectUsers(tx, size, after);
    const company = (await selectCredentialsOf(tx, 'company')).map((each) => toCandidate(ports, tenant, each));
    const byOwner = new Map<string | null, Candidate[]>();
    for (const credential of await selectCredentialsOf(
      tx,
      users.map(({ userId }) => userId),
    )) {
      const others = byOwner.get(credential.ownerUserId) ?? [];
      byOwner.set(credential.ownerUserId, [...others, toCandidate(ports, tenant, credential)]);
    }
    const rows = users.map((user) => {
      const own = byOwner.get(user.userId) ?? [];
      const chosen = user.active ? chooseOf({ own, company }, true) : undefined;
      return { id: user.userId, user, chosen, own: own[0] };
    });
    return toPage(rows, size);
  });
