import type { BiotrackError, BiotrackLogin } from '../../biotrack/index.js';
import { type Db, type Tx, withoutBeforeCommit } from '../../db/database.js';
import type { ServiceError } from '../../domain/service-error.js';
import { inLockedTenant, inTenant, type Tenant } from '../tenants/index.js';
import { requireUbi } from '../ubi/index.js';
import {
  type Candidates,
  type Chosen,
  chooseOf,
  isUsable,
  loadCandidates,
  type OpenPorts,
  toCandidate,
} from './candidates.js';
import { attemptLogin } from './login-attempt.js';
import { type LoginResult, toLoginResultDetail, toStatusDetail } from './login-result.js';
import { toNoLoginError } from './remediation.js';
import { type Credential, findCredential, saveUse } from './repository.js';
import { type CredentialPorts, openPassword, recordLoginResult } from './service.js';

/** A credential ready to log in with. */
export interface UsableCredential extends Chosen {
  readonly login: BiotrackLogin;
  readonly tenant: Tenant;
}

/** BioTrack refused a login; `reason` is that of a run, the message is for a person. */
export class LoginRefusedError extends Error {
  readonly reason: keyof typeof REFUSALS;
  readonly credential: Credential;

  constructor(reason: keyof typeof REFUSALS, credential: Credential, detail: string) {
    super(detail);
    this.name = 'LoginRefusedError';
    this.reason = reason;
    this.credential = credential;
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
export function getUsableCredential(
  db: Db,
  ports: UsePorts,
  tenantId: string,
  options: UseOptions,
): Promise<UsableCredential> {
  // That a login was used, and what was said of it, is no effect of the request that uses it.
  return withoutBeforeCommit(async () => {
    const { userId } = options;
    const find = (tx: Tx, tenant: Tenant) => requireUsableCredential(tx, ports, tenant, userId);
    const chosen = await choose(db, tenantId, options, find);
    try {
      return await makeReady(db, ports, chosen);
    } catch (error) {
      if (chosen.credential.owner === 'company' || !(error instanceof LoginRefusedError)) throw error;
      // His own was refused just now: the company's comes next.
      const instead = await choose(db, tenantId, options, async (tx, tenant) => {
        const ours = await findUsableCredential(tx, ports, tenant, undefined);
        if (ours === undefined) throw error;
        return { credential: ours.credential, reason: 'own_refused' };
      });
      return makeReady(db, ports, instead);
    }
  });
}

type Choice = Chosen & { readonly tenant: Tenant; readonly ubiKey: string };

const choose = (
  db: Db,
  tenantId: string,
  { noteChoice }: UseOptions,
  find: (tx: Tx, tenant: Tenant) => Promise<Chosen>,
): Promise<Choice> =>
  inTenant(db, tenantId, async (tx, tenant) => {
    const { ubiKey } = await requireUbi(tx, tenantId);
    const chosen = await find(tx, tenant);
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
  const verdict = await ports.loginAttempts(key, () => tryLogin(db, ports, usable));
  if (verdict.kind === 'valid') return usable;
  if (verdict.kind === 'unreachable') throw verdict.error;
  const reason = verdict.kind === 'rejected' ? 'credentials_rejected' : verdict.kind;
  throw new LoginRefusedError(reason, credential, toLoginResultDetail(verdict));
}

async function tryLogin(db: Db, ports: UsePorts, usable: UsableCredential): Promise<LoginResult> {
  const { tenant, login, credential } = usable;
  if ((await confirmUsable(db, ports, usable)).status === 'valid') return { kind: 'valid' };
  const verdict = await attemptLogin(db, ports, tenant, login);
  await inLockedTenant(db, tenant.id, (tx, now) =>
    recordLoginResult(tx, now, { tenant, ubiKey: login.ubi, credential }, verdict),
  );
  return verdict;
}

/** @throws Fault `setup_incomplete` if a login was refused since it was looked up, or its password replaced */
async function confirmUsable(db: Db, ports: OpenPorts, { tenant, credential }: UsableCredential): Promise<Credential> {
  return inTenant(db, tenant.id, async (tx) => {
    const now = await findCredential(tx, credential.id);
    if (now !== undefined && now.secretVersion === credential.secretVersion && isUsable(now)) return now;
    const states = now === undefined ? [] : [toCandidate(ports, tenant, now).state];
    throw toNoLoginError(tenant.id, states, (now && toStatusDetail(now)) ?? GONE);
  });
}

const GONE = 'The login was changed a moment ago; ask again.';

const REFUSALS = {
  credentials_rejected: 'rejected',
  ubi_rejected: 'ubi_rejected',
  privilege_missing: 'privilege_missing',
} as const;

/** Keeps a refusal of this login, so that no machine tries it again. Trouble at BioTrack changes no credential. */
export async function recordRefusal(
  db: Db,
  { credential, login, tenant }: UsableCredential,
  { reason, privilege = '' }: BiotrackError,
): Promise<void> {
  if (!isRefusal(reason)) return;
  // A user who may not see some other list can still read the vendors.
  if (reason === 'privilege_missing' && privilege !== VENDORS_PRIVILEGE) return;
  await withoutBeforeCommit(() =>
    inLockedTenant(db, tenant.id, (tx, now) =>
      recordLoginResult(tx, now, { tenant, ubiKey: login.ubi, credential }, { kind: REFUSALS[reason], privilege }),
    ),
  );
}

/** 409 for somebody who wanted to use a login that was refused while he did. */
export const toRefusedError = (
  tenantId: string,
  { id, description }: Pick<Credential, 'id' | 'description'>,
  reason: keyof typeof REFUSALS,
  detail: string,
): ServiceError => toNoLoginError(tenantId, [{ id, description, status: REFUSALS[reason], detail }], detail);

/** What a directory asks of whoever lends his login. */
export const toLoginPorts = (db: Db, ports: OpenPorts, usable: UsableCredential) => ({
  confirmLogin: async (): Promise<void> => {
    await confirmUsable(db, ports, usable);
  },
  noteTrouble: (error: BiotrackError): Promise<void> => recordRefusal(db, usable, error),
});

/** BioTrack's name for the right without which there is no sync at all. */
const VENDORS_PRIVILEGE = 'sync_vendor';

/** Whether a login was refused, which its owner has to mend; anything else is trouble at BioTrack. */
export const isRefusal = (reason: string): reason is keyof typeof REFUSALS => reason in REFUSALS;

/** The one that may be used for this person: his own before the company's. */
export async function findUsableCredential(
  tx: Tx,
  ports: OpenPorts,
  tenant: Tenant,
  userId: string | undefined,
): Promise<Chosen | undefined> {
  return chooseOf(await loadCandidates(tx, ports, tenant, userId), userId !== undefined);
}

/** The same, or else the first that only cannot be opened, which is told when it is used. */
export async function findLogin(
  tx: Tx,
  ports: OpenPorts,
  tenant: Tenant,
  userId: string | undefined,
): Promise<Chosen | undefined> {
  return chooseLogin(await loadCandidates(tx, ports, tenant, userId), userId !== undefined);
}

const chooseLogin = (candidates: Candidates, isPerson: boolean): Chosen | undefined =>
  chooseOf(candidates, isPerson) ?? chooseOf(candidates, isPerson, (each) => isUsable(each.credential));

/** @throws Fault `setup_incomplete` */
export async function requireUsableCredential(
  tx: Tx,
  ports: OpenPorts,
  tenant: Tenant,
  userId: string | undefined,
): Promise<Chosen> {
  const candidates = await loadCandidates(tx, ports, tenant, userId);
  const chosen = chooseLogin(candidates, userId !== undefined);
  if (chosen !== undefined) return chosen;
  const states = [...candidates.own, ...candidates.company].map(({ state }) => state);
  throw toNoLoginError(tenant.id, states, 'A BioTrack login that works comes first.');
}
