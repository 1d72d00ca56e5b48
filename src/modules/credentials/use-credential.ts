import type { BiotrackError, BiotrackLogin } from '../../biotrack/index.js';
import type { Db, Tx } from '../../db/database.js';
import type { CredentialChoice } from '../../domain/credential-choice.js';
import { Fault } from '../../domain/fault.js';
import { setupIncomplete } from '../../domain/setup.js';
import { inLockedTenant, inTenant, type Tenant } from '../tenants/index.js';
import { requireUbi } from '../ubi/index.js';
import { tryLoginOnce } from './login-trial.js';
import { type Credential, findCredential, saveUse, selectCredentialsOf } from './repository.js';
import { type CredentialPorts, noteVerdict, openPassword } from './service.js';
import { toStatusDetail, toVerdictDetail, type Verdict } from './verdict.js';

/** The credential to work with, and why this one. */
export interface Chosen {
  readonly credential: Credential;
  readonly reason: CredentialChoice;
}

/** A credential ready to log in with. */
export interface UsableCredential extends Chosen {
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

export interface UseOptions {
  /** The person for whom it is; undefined for nobody in particular. */
  readonly userId: string | undefined;
  /** Told of the choice, in the transaction that made it and before the login is used. */
  readonly noteChoice?: (tx: Tx, chosen: Chosen) => Promise<void>;
}

type UsePorts = Omit<CredentialPorts, 'newId'>;

/**
 * The credential that may be used for this person now, known to work: his own first, then the company's. One that was
 * never tried is tried first, so that nobody reads a state's directory who has no login there. One that BioTrack refused
 * waits for its owner.
 * @throws Fault `setup_incomplete` if there is none, `credential_unreadable` if its password cannot be opened
 * @throws LoginRefusedError, BiotrackError if it has to be tried and is not accepted
 */
export async function getUsableCredential(
  db: Db,
  ports: UsePorts,
  tenantId: string,
  options: UseOptions,
): Promise<UsableCredential> {
  const chosen = await choose(db, tenantId, options, (tx) => requireUsableCredential(tx, tenantId, options.userId));
  try {
    return await makeReady(db, ports, chosen);
  } catch (error) {
    const reason = toReasonAgainst(error);
    if (chosen.credential.owner === 'company' || reason === undefined) throw error;
    // His own turned out to be of no use just now: the company's comes next.
    const instead = await choose(db, tenantId, options, async (tx) => {
      const credential = await findUsableOf(tx, 'company');
      if (credential === undefined) throw error;
      return { credential, reason };
    });
    return makeReady(db, ports, instead);
  }
}

type Choice = Chosen & { readonly tenant: Tenant; readonly ubiKey: string };

const choose = (
  db: Db,
  tenantId: string,
  { noteChoice }: UseOptions,
  find: (tx: Tx) => Promise<Chosen>,
): Promise<Choice> =>
  inTenant(db, tenantId, async (tx, tenant) => {
    const { ubiKey } = await requireUbi(tx, tenantId);
    const chosen = await find(tx);
    await saveUse(tx, chosen.credential.id);
    await noteChoice?.(tx, chosen);
    return { ...chosen, tenant, ubiKey };
  });

async function makeReady(db: Db, ports: UsePorts, { ubiKey, ...chosen }: Choice): Promise<UsableCredential> {
  const { credential, tenant } = chosen;
  const password = openPassword(ports.biotrack, ports.vault, tenant, credential);
  const usable = { ...chosen, login: { ubi: ubiKey, username: credential.username, password } };
  if (credential.status === 'valid') return usable;
  // However many ask at once, a password is tried once.
  const key = `${credential.id}/${credential.secretVersion}/${ubiKey}`;
  const verdict = await ports.trials(key, () => tryLogin(db, ports, usable));
  if (verdict.kind === 'valid') return usable;
  if (verdict.kind === 'unreachable') throw verdict.error;
  const reason = verdict.kind === 'rejected' ? 'credentials_rejected' : verdict.kind;
  throw new LoginRefusedError(reason, toVerdictDetail(verdict));
}

async function tryLogin(db: Db, ports: UsePorts, usable: UsableCredential): Promise<Verdict> {
  const { tenant, login, credential } = usable;
  if ((await confirmUsable(db, usable)).status === 'valid') return { kind: 'valid' };
  const verdict = await tryLoginOnce(db, ports, tenant, login);
  await inLockedTenant(db, tenant.id, (tx, now) =>
    noteVerdict(tx, now, { tenant, ubiKey: login.ubi, credential }, verdict),
  );
  return verdict;
}

/** Why somebody's own credential is not taken though it is there; undefined for trouble that another one has too. */
function toReasonAgainst(error: unknown): CredentialChoice | undefined {
  if (error instanceof LoginRefusedError) return 'own_refused';
  return error instanceof Fault && error.code === 'credential_unreadable' ? 'own_unreadable' : undefined;
}

/** @throws Fault `setup_incomplete` if a login was refused since it was looked up, or its password replaced */
async function confirmUsable(db: Db, { tenant, credential }: UsableCredential): Promise<Credential> {
  return inTenant(db, tenant.id, async (tx) => {
    const now = await findCredential(tx, credential.id);
    if (now !== undefined && now.secretVersion === credential.secretVersion && isUsable(now)) return now;
    throw setupIncomplete(tenant.id, 'credentials', now === undefined ? GONE : (toStatusDetail(now) ?? GONE));
  });
}

const GONE = 'The login was changed a moment ago; ask again.';

/** One that BioTrack refused is not tried by machine. */
export const isUsable = ({ status }: Pick<Credential, 'status'>): boolean =>
  status === 'valid' || status === 'unverified';

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

/** The one that may be used for this person: his own before the company's. */
export async function findUsableCredential(tx: Tx, userId: string | undefined): Promise<Chosen | undefined> {
  const own = userId === undefined ? [] : await selectCredentialsOf(tx, [userId]);
  return chooseOf(own, await selectCredentialsOf(tx, 'company'), userId !== undefined);
}

/** The order of choice, for a person or for nobody in particular. */
export function chooseOf(
  own: readonly Credential[],
  company: readonly Credential[],
  isPerson: boolean,
): Chosen | undefined {
  const mine = own.find(isUsable);
  if (mine !== undefined) return { credential: mine, reason: 'own' };
  const ours = company.find(isUsable);
  if (ours === undefined) return undefined;
  const reason = !isPerson ? 'no_person' : own.length > 0 ? 'own_refused' : 'own_missing';
  return { credential: ours, reason };
}

const findUsableOf = async (tx: Tx, owner: 'company'): Promise<Credential | undefined> =>
  (await selectCredentialsOf(tx, owner)).find(isUsable);

/** @throws Fault `setup_incomplete` */
export async function requireUsableCredential(tx: Tx, tenantId: string, userId: string | undefined): Promise<Chosen> {
  const chosen = await findUsableCredential(tx, userId);
  if (chosen !== undefined) return chosen;
  throw setupIncomplete(tenantId, 'credentials', 'A BioTrack login that works comes first.');
}
