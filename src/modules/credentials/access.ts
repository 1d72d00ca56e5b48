import type { Tx } from '../../db/database.js';
import { OWNER_POLICY, type OwnerAction } from '../../domain/owner-policy.js';
import { type Principal, toUserId } from '../../domain/principal.js';
import { notFound, ServiceError } from '../../domain/service-error.js';
import { type Credential, type CredentialOwner, findCredential } from './repository.js';

/** @throws ServiceError `forbidden` */
export function requireCreation(principal: Principal, owner: Credential['owner']): CredentialOwner {
  if (owner === 'company') {
    if (OWNER_POLICY.company.create.includes(principal.role)) return { owner, ownerUserId: null };
    throw forbidden(
      'Only admins and operators can create company credentials. Set "owner" to "user" to create your own.',
    );
  }
  const userId = toUserId(principal);
  if (userId !== undefined) return { owner, ownerUserId: userId };
  throw forbidden('API keys cannot own credentials. Set "owner" to "company", or call with a user token.');
}

/** @throws ServiceError `forbidden` if the caller may only know that the credential exists, `not_found` if not even that */
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
    owner === 'user'
      ? 'This credential belongs to a user. Only its owner can do this.'
      : 'Only admins and operators can change, verify or delete company credentials.',
  );
}

const forbidden = (detail: string): ServiceError => new ServiceError('forbidden', detail);
