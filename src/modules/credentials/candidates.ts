import type { Biotrack } from '../../biotrack/index.js';
import type { Tx } from '../../db/database.js';
import type { CredentialChoice } from '../../domain/credential-choice.js';
import { type ErrorCode, ServiceError } from '../../domain/service-error.js';
import type { Vault } from '../../vault/index.js';
import type { Tenant } from '../tenants/index.js';
import { toStatusDetail } from './login-result.js';
import { type Credential, selectCredentialsOf } from './repository.js';
import { openPassword } from './service.js';

/** A credential as far as it matters for whether it can be worked with. */
export interface CredentialState {
  readonly id: string;
  readonly description: string;
  readonly status: Credential['status'] | 'unreadable';
  /** What to do about it; for a person. */
  readonly detail: string;
}

/** A credential that somebody's work may be done with, and what is in its way. */
export interface Candidate {
  readonly credential: Credential;
  readonly state: CredentialState;
}

/** Each in the order of choice: those that are known to work first, then the oldest. */
export interface Candidates {
  readonly own: readonly Candidate[];
  readonly company: readonly Candidate[];
}

/** The credential to work with, and why this one. */
export interface Chosen {
  readonly credential: Credential;
  readonly reason: CredentialChoice;
}

export interface OpenPorts {
  readonly biotrack: Biotrack;
  readonly vault: Vault;
}

/** One that BioTrack refused is not tried by machine, and one that cannot be opened is of no use whatever was said of it. */
export const isUsable = ({ status }: Pick<CredentialState, 'status'>): boolean =>
  status === 'valid' || status === 'unverified';

/** The credentials that somebody's work may be done with: the person's own, if it is one, and the company's. */
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

/** The same for whoever wants to tell of them only. */
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
  const fault = findUnreadable(() => openPassword(biotrack, vault, tenant, credential));
  const state =
    fault === undefined
      ? { id, description, status, detail: toStatusDetail(credential) ?? '' }
      : { id, description, status: 'unreadable' as const, detail: fault.message };
  return { credential, state };
}

/** The order of choice, for a person or for nobody in particular; undefined if there is none to work with. */
export function chooseOf(
  { own, company }: Candidates,
  isPerson: boolean,
  isGood = ({ state }: Candidate): boolean => isUsable(state),
): Chosen | undefined {
  const mine = own.find(isGood);
  if (mine !== undefined) return { credential: mine.credential, reason: 'own' };
  const ours = company.find(isGood);
  return ours && { credential: ours.credential, reason: isPerson ? toReasonAgainst(own) : 'no_person' };
}

/** Why none of somebody's own is taken. */
function toReasonAgainst([first]: readonly Candidate[]): CredentialChoice {
  if (first === undefined) return 'own_missing';
  return first.state.status === 'unreadable' ? 'own_unreadable' : 'own_refused';
}

/** Without an address of the state nothing can be opened either, since a password is sealed for where it goes. */
const UNREADABLE: readonly ErrorCode[] = ['credential_unreadable', 'unknown_state'];

function findUnreadable(open: () => unknown): ServiceError | undefined {
  try {
    open();
    return undefined;
  } catch (error) {
    if (error instanceof ServiceError && UNREADABLE.includes(error.code)) return error;
    throw error;
  }
}
