import type { Biotrack } from '../../biotrack/index.js';
import type { Db, Tx } from '../../db/database.js';
import type { Message } from '../../domain/message.js';
import { type Principal, toUserId } from '../../domain/principal.js';
import type { NextStep } from '../../domain/service-error.js';
import { toNextStep } from '../../domain/setup.js';
import { countOpenConflicts } from '../../plans/index.js';
import type { Vault } from '../../vault/index.js';
import { type CreationPreference, findCreationPreference } from '../creation-preference/index.js';
import { loadCredentialStates } from '../credentials/index.js';
import { findDirectory } from '../directory/index.js';
import { loadOwnList, type OwnList } from '../licenses/index.js';
import { findSchedule, type Schedule } from '../schedules/index.js';
import { findActiveRun, findLastEndedRun, type SyncRun } from '../syncs/index.js';
import { inTenant, type Tenant } from '../tenants/index.js';
import { findUbi, type Ubi } from '../ubi/index.js';
import { type SetupItem, toChecklist } from './checklist.js';
import { toLeftMessage, toNoAddressMessage, toUnsupportedMessage } from './messages.js';

export interface Setup {
  readonly items: readonly SetupItem[];
  readonly nextStep: NextStep | undefined;
}

/** The checklist and what it was made from. */
export interface LoadedSetup extends Setup {
  readonly ubi: Ubi | undefined;
  readonly preference: CreationPreference | undefined;
  /** Undefined without a UBI. */
  readonly list: OwnList | undefined;
  readonly activeRun: SyncRun | undefined;
  readonly lastRun: SyncRun | undefined;
  readonly schedule: Schedule | undefined;
  readonly openConflicts: number;
}

export interface SetupPorts {
  readonly biotrack: Biotrack;
  readonly vault: Vault;
}

/** The setup checklist as it applies to the caller: for users, it includes their own credentials. */
export const getSetup = (db: Db, ports: SetupPorts, tenantId: string, principal: Principal): Promise<Setup> =>
  inTenant(db, tenantId, (tx, tenant) => loadSetup(tx, ports, tenant, principal));

export async function loadSetup(tx: Tx, ports: SetupPorts, tenant: Tenant, principal: Principal): Promise<LoadedSetup> {
  const upstreamMissing = findUpstreamMissing(ports.biotrack, tenant);
  const ubi = await findUbi(tx);
  const directory = await findDirectory(tx, tenant.state, tenant.environment);
  const preference = await findCreationPreference(tx);
  const facts = {
    ubi,
    list: ubi && (await loadOwnList(tx, tenant, ubi.ubiKey)),
    activeRun: await findActiveRun(tx),
    lastRun: await findLastEndedRun(tx),
    schedule: await findSchedule(tx),
    openConflicts: await countOpenConflicts(tx),
  };
  const items = toChecklist({
    ...facts,
    upstreamMissing,
    hasPreference: preference !== undefined,
    credentials:
      upstreamMissing === undefined ? await loadCredentialStates(tx, ports, tenant, toUserId(principal)) : [],
    isSynced: tenant.firstSyncedAt !== null,
    refusedDigest: directory?.refusedDigest ?? null,
  });
  const next = items.find(({ status, who }) => status !== 'done' && who !== 'none');
  return { ...facts, preference, items, nextStep: next === undefined ? undefined : toCall(tenant.id, next) };
}

function toCall(tenantId: string, { step, call }: SetupItem): NextStep | undefined {
  if (call === undefined) return undefined;
  return call === 'own' ? toNextStep(tenantId, step) : toNextStep(tenantId, step, call);
}

function findUpstreamMissing(biotrack: Biotrack, tenant: Tenant): Message | undefined {
  const { environment } = tenant;
  const known = biotrack.findState(tenant.state);
  if (known === undefined) return toUnsupportedMessage(tenant);
  if (known.environments[environment] !== undefined) return undefined;
  return known.status === 'left' ? toLeftMessage(known.name) : toNoAddressMessage(known.name, environment);
}
