import type { Biotrack, BiotrackError, BiotrackLogin } from '../../biotrack/index.js';
import type { Db, Tx } from '../../db/database.js';
import { setupIncomplete } from '../../domain/setup.js';
import { inLockedTenant, inTenant, type Tenant } from '../tenants/index.js';
import { requireUbi } from '../ubi/index.js';
import {
  type Credential,
  findCredential,
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
  { biotrack, vault, trials }: Pick<CredentialPorts, 'biotrack' | 'vault' | 'trials'>,
  tenantId: string,
): Promise<UsableCredential> {
  const usable = await inTenant(db, tenantId, async (tx, tenant) => {
    const ubi = await requireUbi(tx, tenantId);
    const credential = await requireUsableCredential(tx, tenantId);
    const password = openPassword(biotrack, vault, tenant, credential);
    await saveUse(tx, credential.id);
    return { credential, tenant, login: { ubi: ubi.ubiKey, username: credential.username, password } };
  });
  const { id, status, secretVersion } = usable.credential;
  // However many ask at once, a password is tried once.
  if (status !== 'valid')
    await trials(`${id}/${secretVersion}/${usable.login.ubi}`, () => tryLogin(db, biotrack, usable));
  return usable;
}

/** @throws Fault `setup_incomplete` if a login was refused since it was looked up, or its password replaced */
async function confirmUsable(db: Db, { tenant, credential }: UsableCredential): Promise<Credential> {
  return inTenant(db, tenant.id, async (tx) => {
    const now = await findCredential(tx, credential.id);
    const isSame = now?.secretVersion === credential.secretVersion && USABLE.includes(now.status);
    if (now !== undefined && isSame) return now;
    throw setupIncomplete(tenant.id, 'credentials', now === undefined ? GONE : (toStatusDetail(now) ?? GONE));
  });
}

const USABLE: readonly Credential['status'][] = ['valid', 'unverified'];
const GONE = 'The login was changed a moment ago; ask again.';

async function tryLogin(db: Db, biotrack: Biotrack, usable: UsableCredential): Promise<void> {
  const { tenant, login, credential } = usable;
  if ((await confirmUsable(db, usable)).status === 'valid') return;
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

/** Keeps a refusal of this login, so that no machine tries it again. Trouble at BioTrack changes no credential. */
export async function noteRefusal(
  db: Db,
  { credential, login, tenant }: UsableCredential,
  { reason, privilege = '' }: BiotrackError,
): Promise<void> {
  if (!isRefusal(reason)) return;
  // A user who may not see some other list can still read the vendors.
  if (reason === 'privilege_missing' && privilege !== VENDORS_PRIVILEGE) return;
  await inLockedTenant(db, tenant.id, (tx, now) =>
    noteVerdict(tx, now, { tenant, ubiKey: login.ubi, credential }, { kind: REFUSALS[reason], privilege }),
  );
}

/** What a directory asks of whoever lends his login. */
export const toLoginPorts = (db: Db, usable: UsableCredential) => ({
  confirmLogin: async (): Promise<void> => {
    await confirmUsable(db, usable);
  },
  noteTrouble: (error: BiotrackError): Promise<void> => noteRefusal(db, usable, error),
});

/** BioTrack's name for the right without which there is no sync at all. */
const VENDORS_PRIVILEGE = 'sync_vendor';

/** Whether a login was refused, which its owner has to mend; anything else is trouble at BioTrack. */
export const isRefusal = (reason: string): reason is keyof typeof REFUSALS => reason in REFUSALS;

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
