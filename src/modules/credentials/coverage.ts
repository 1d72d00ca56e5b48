import type { Db, Tx } from '../../db/database.js';
import { type PageOf, type PageRequest, toPage } from '../../domain/page.js';
import { inTenant, type Tenant } from '../tenants/index.js';
import { findUser, selectUsers, type User } from '../users/index.js';
import {
  type Candidate,
  type Candidates,
  type ChosenCredential,
  chooseCredential,
  loadCandidates,
  type OpenPorts,
  toCandidate,
} from './candidates.js';
import { selectCredentialsOf } from './repository.js';

/** A user, and the credential that their syncs would use now. */
export interface Coverage {
  readonly user: User;
  readonly chosen: ChosenCredential | undefined;
  /** The user's preferred own credential, usable or not. */
  readonly own: Candidate | undefined;
}

/** Chooses credentials by the same rules as a sync. */
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
    const rows = users.map((user) => ({
      id: user.userId,
      ...toCoverage(user, { own: byOwner.get(user.userId) ?? [], company }),
    }));
    return toPage(rows, size);
  });

/** Undefined if the user is not known. */
export async function findCoverage(
  tx: Tx,
  ports: OpenPorts,
  tenant: Tenant,
  userId: string,
): Promise<Coverage | undefined> {
  const user = await findUser(tx, userId);
  return user && toCoverage(user, await loadCandidates(tx, ports, tenant, userId));
}

const toCoverage = (user: User, candidates: Candidates): Coverage => ({
  user,
  chosen: user.active ? chooseCredential(candidates, true) : undefined,
  own: candidates.own[0],
});
