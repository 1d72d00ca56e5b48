import type { Tx } from '../../db/database.js';
import { OWNER_POLICY, type OwnerAction } from '../../domain/owner-policy.js';
import { type Principal, toUserId } from '../../domain/principal.js';
import { notFound, ServiceError } from '../../domain/service-error.js';
import { type Credential, type CredentialOwner, findCredential } from './repository.js';

/** Whose a new credential is. @throws Fault `forbidden` */
export function requireCreation(principal: Principal, owner: Credential['owner']): CredentialOwner {
  if (owner === 'company') {
    if (OWNER_POLICY.company.create.includes(principal.role)) return { owner, ownerUserId: null };
    throw forbidden("A credential of the company is the admin's to save; yours has the owner user.");
  }
  const userId = toUserId(principal);
  if (userId !== undefined) return { owner, ownerUserId: userId };
  throw forbidden('An API key is never a person: only a user can save a credential of his own.');
}

/**
 * A credential, for somebody who may do this with it.
 * @throws Fault `not_found` where he may not even know of it, `forbidden` where he may know and nothing more
 */
export async function requireCredentialFor(
  tx: Tx,
  principal: Principal,
  id: string,
  action: OwnerAction,
): Promise<Credential> {
  const credential = await findCredential(tx, id);
  if (credential === undefined) throw notFound('credential');
  const { owner, ownerUserId } = credential;
  if (owner === 'user' && ownerUserId === toUserId(principal)) return credential;
  const { [action]: allowed, list } = OWNER_POLICY[owner];
  if (allowed.includes(principal.role)) return credential;
  if (!list.includes(principal.role)) throw notFound('credential');
  throw forbidden(
    owner === 'user' ? 'This is the credential of a person, who alone may do this.' : "This is the admin's to do.",
  );
}

const forbidden = (detail: string): ServiceError => new ServiceError('forbidden', detail);
