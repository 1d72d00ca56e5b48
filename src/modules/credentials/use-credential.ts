import type { BiotrackError, BiotrackLogin } from '../../biotrack/index.js';
import { type Db, type Tx, withTenant } from '../../db/database.js';
import { setupIncomplete } from '../../domain/setup.js';
import { inTenant, type Tenant } from '../tenants/index.js';
import { requireUbi } from '../ubi/index.js';
import {
  type Credential,
  saveUse,
  selectRefusedCompanyCredentials,
  selectUsableCompanyCredentials,
} from './repository.js';
import { type CredentialPorts, noteVerdict, openPassword } from './service.js';
import { toStatusDetail, toVerdictDetail } from './verdict.js';

/** A credential ready to log in with. */
export interface UsableCredential {
  readonly credential: Credential;
  readonly login: BiotrackLogin;
  readonly tenant: Tenant;
}

/**
 * The credential that a machine may use for this tenant now. One that BioTrack refused is none: it waits for its owner.
 * @throws Fault `setup_incomplete` if there is none, `credential_unreadable` if its password cannot be opened
 */
export function getUsableCredential(
  db: Db,
  { biotrack, vault }: Pick<CredentialPorts, 'biotrack' | 'vault'>,
  tenantId: string,
): Promise<UsableCredential> {
  return inTenant(db, tenantId, async (tx, tenant) => {
    const ubi = await requireUbi(tx, tenantId);
    const credential = await requireUsableCredential(tx, tenantId);
    const password = openPassword(biotrack, vault, tenant, credential);
    await saveUse(tx, credential.id);
    return { credential, tenant, login: { ubi: ubi.ubiKey, username: credential.username, password } };
  });
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
  await withTenant(db, tenant.id, (tx) => noteVerdict(tx, credential, login.ubi, verdict));
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
