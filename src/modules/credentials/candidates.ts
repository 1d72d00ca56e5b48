import type { Biotrack } from '../../biotrack/index.js';
import type { Tx } from '../../db/database.js';
import type { CredentialChoice } from '../../domain/credential-choice.js';
import type { Message } from '../../domain/message.js';
import { type ErrorCode, ServiceError } from '../../domain/service-error.js';
import type { Vault } from '../../vault/index.js';
import type { Tenant } from '../tenants/index.js';
import { toStatusMessage, toUnreadableMessage } from './login-result.js';
import { type Credential, isUsable, selectCredentialsOf } from './repository.js';
import { openPassword } from './sealing.js';

/** Whether a credential can be used, and how to fix it if not. */
export interface CredentialState {
  readonly id: string;
  readonly description: string;
  readonly status: Credential['status'] | 'unreadable';
  /** What to do about the status; null for `valid`. */
  readonly message: Message | null;
}

export interface Candidate {
  readonly credential: Credential;
  readonly state: CredentialState;
}

/** Credentials that a caller may use. Both lists are in order of preference: valid ones first, then the oldest. */
export interface Candidates {
  readonly own: readonly Candidate[];
  readonly company: readonly Candidate[];
}

export interface ChosenCredential {
  readonly credential: Credential;
  readonly reason: CredentialChoice;
}

export interface OpenPorts {
  readonly biotrack: Biotrack;
  readonly vault: Vault;
}

/** @param userId loads the user's own credentials too */
export async function loadCandidates(
  tx: Tx,
  ports: OpenPorts,
  tenant: Tenant,
  userId: string | undefined,
): Promise<Candidates> {
  const own = userId === undefined ? [] : await selectCredentialsOf(tx, [userId]);
  const company = await selectCredentialsOf(tx, 'company');
  return {
    own: own.map((credential) => toCandidate(ports, tenant, credential)),
    company: company.map((credential) => toCandidate(ports, tenant, credential)),
  };
}

export async function loadCredentialStates(
  tx: Tx,
  ports: OpenPorts,
  tenant: Tenant,
  userId: string | undefined,
): Promise<CredentialState[]> {
  const { own, company } = await loadCandidates(tx, ports, tenant, userId);
  return [...own, ...company].map(({ state }) => state);
}

export function toCandidate({ biotrack, vault }: OpenPorts, tenant: Tenant, credential: Credential): Candidate {
  const { id, description, status } = credential;
  const error = findUnreadable(() => openPassword(biotrack, vault, tenant, credential));
  const state =
    error === undefined
      ? { id, description, status, message: toStatusMessage(credential) }
      : { id, description, status: 'unreadable' as const, message: toUnreadableMessage(error) };
  return { credential, state };
}

/** Prefers the user's own credentials to the company's; undefined if none is usable. */
export function chooseCredential(
  { own, company }: Candidates,
  isUser: boolean,
  isEligible = ({ state }: Candidate): boolean => isUsable(state),
): ChosenCredential | undefined {
  const preferred = own.find(isEligible);
  if (preferred !== undefined) return { credential: preferred.credential, reason: 'own' };
  const fallback = company.find(isEligible);
  return fallback && { credential: fallback.credential, reason: isUser ? toFallbackReason(own) : 'no_user' };
}

function toFallbackReason([first]: readonly Candidate[]): CredentialChoice {
  if (first === undefined) return 'own_missing';
  return first.state.status === 'unreadable' ? 'own_unreadable' : 'own_rejected';
}

/** `unknown_state`: a password is sealed for the address of its state, so without the address it cannot be decrypted. */
const UNREADABLE_CODES: readonly ErrorCode[] = ['credential_unreadable', 'unknown_state'];

function findUnreadable(open: () => unknown): ServiceError | undefined {
  try {
    open();
    return undefined;
  } catch (error) {
    if (error instanceof ServiceError && UNREADABLE_CODES.includes(error.code)) return error;
    throw error;
  }
}
