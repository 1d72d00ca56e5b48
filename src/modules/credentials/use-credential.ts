import type { Biotrack, BiotrackError, BiotrackLogin } from '../../biotrack/index.js';
import type { Db, Tx } from '../../db/database.js';
import { setupIncomplete } from '../../domain/setup.js';
import { inLockedTenant, inTenant, type Tenant } from '../tenants/index.js';
import { requireUbi } from '../ubi/index.js';
import {
  type Credential,
  saveUse,
  selectRefusedCompanyCredentials,
  selectUsableCompanyCredentials,
} from './repository.js';
import { type CredentialPorts, fetchVerdict, noteVerdict, openPassword, toTarget } from './service.js';
import { toStatusDetail, toVerdictDetail } from './verdict.js';

/** A credential ready to log in with. */
export interface UsableCredential {
  readonly credential: Credential;
  readonly login: BiotrackLogin;
  readonly tenant: Tenant;
}

/** BioTrack refused a login; `reason` is that of a run, the message is for a person. */
export class LoginRefusedError extends Error {
  readonly reason: keyof typeof REFUSALS;

  constructor(reason: keyof typeof REFUSALS, detail: string) {
    super(detail);
    this.name = 'LoginRefusedError';
    this.reason = reason;
  }
}

/**
 * The credential that a machine may use for this tenant now, known to work: one that was never tried is tried first, so
 * that nobody reads a state's directory who has no login there. One that BioTrack refused waits for its owner.
 * @throws Fault `setup_incomplete` if there is none, `credential_unreadable` if its password cannot be opened
 * @throws LoginRefusedError, BiotrackError if it has to be tried and is not accepted
 */
export async function getUsableCredential(
  db: Db,
  { biotrack, vault }: Pick<CredentialPorts, 'biotrack' | 'vault'>,
  tenantId: string,
): Promise<UsableCredential> {
  const usable = await inTenant(db, tenantId, async (tx, tenant) => {
    const ubi = await requireUbi(tx, tenantId);
    const credential = await requireUsableCredential(tx, tenantId);
    const password = openPassword(biotrack, vault, tenant, credential);
    await saveUse(tx, credential.id);
    return { credential, tenant, login: { ubi: ubi.ubiKey, username: credential.username, password } };
  });
  if (usable.credential.status !== 'valid') await tryLogin(db, biotrack, usable);
  return usable;
}

async function tryLogin(db: Db, biotrack: Biotrack, usable: UsableCredential): Promise<void> {
  const { tenant, login, credential } = usable;
  const verdict = await fetchVerdict(biotrack, toTarget(tenant), login);
  if (verdict.kind === 'unreachable') throw verdict.error;
  await inLockedTenant(db, tenant.id, (tx, now) =>
    noteVerdict(tx, now, { tenant, ubiKey: login.ubi, credential }, verdict),
  );
  if (verdict.kind === 'valid') return;
  const reason = verdict.kind === 'rejected' ? 'credentials_rejected' : verdict.kind;
  throw new LoginRefusedError(reason, toVerdictDetail(verdict));
}

const REFUSALS = {
  credentials_rejected: 'rejected',
  ubi_rejected: 'ubi_rejected',
  privilege_missing: 'privilege_missing',
} as const;

/**
 * Keeps a refusal of this login, so that no machine tries it again; what it means, for a person. Undefined for trouble
 * at BioTrack, which says nothing of a login and changes none.
 */
export async function noteRefusal(
  db: Db,
  { credential, login, tenant }: UsableCredential,
  { reason, privilege = '' }: BiotrackError,
): Promise<string | undefined> {
  if (!isRefusal(reason)) return undefined;
  const verdict = { kind: REFUSALS[reason], privilege };
  await inLockedTenant(db, tenant.id, (tx, now) =>
    noteVerdict(tx, now, { tenant, ubiKey: login.ubi, credential }, verdict),
  );
  return toVerdictDetail(verdict);
}

const isRefusal = (reason: string): reason is keyof typeof REFUSALS => reason in REFUSALS;

/** @throws Fault `setup_incomplete` */
export async function requireUsableCredential(tx: Tx, tenantId: string): Promise<Credential> {
  const [credential] = await selectUsableCompanyCredentials(tx);
  if (credential !== undefined) return credential;
  throw setupIncomplete(tenantId, 'credentials', 'A BioTrack login that works comes first.');
}

export interface CredentialSummary {
  /** Credentials that a machine may use. */
  readonly usable: number;
  /** Those that BioTrack refused, and what to do about each. */
  readonly refused: readonly { readonly description: string; readonly status: string; readonly detail: string }[];
}

export async function loadCredentialSummary(tx: Tx): Promise<CredentialSummary> {
  const usable = await selectUsableCompanyCredentials(tx);
  const refused = await selectRefusedCompanyCredentials(tx);
  return {
    usable: usable.length,
    refused: refused.map((credential) => ({
      description: credential.description,
      status: credential.status,
      detail: toStatusDetail(credential) ?? '',
    })),
  };
}
