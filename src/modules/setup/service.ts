import type { Biotrack } from '../../biotrack/index.js';
import type { Db } from '../../db/database.js';
import { type Principal, toUserId } from '../../domain/principal.js';
import type { NextStep } from '../../domain/service-error.js';
import { toNextStep } from '../../domain/setup.js';
import { countOpenConflicts } from '../../plans/index.js';
import type { Vault } from '../../vault/index.js';
import { findCreationPreference } from '../creation-preference/index.js';
import { loadCredentialStates } from '../credentials/index.js';
import { findDirectory } from '../directory/index.js';
import { loadOwnList } from '../licenses/index.js';
import { findSchedule } from '../schedules/index.js';
import { findActiveRun, findLastEndedRun } from '../syncs/index.js';
import { inTenant, type Tenant } from '../tenants/index.js';
import { findUbi } from '../ubi/index.js';
import { type SetupItem, toChecklist } from './checklist.js';

export interface Setup {
  readonly items: readonly SetupItem[];
  readonly nextStep: NextStep | undefined;
}

export interface SetupPorts {
  readonly biotrack: Biotrack;
  readonly vault: Vault;
}

/** The setup checklist as it applies to the caller: for users, it includes their own credentials. */
export const getSetup = (db: Db, ports: SetupPorts, tenantId: string, principal: Principal): Promise<Setup> =>
  inTenant(db, tenantId, async (tx, tenant) => {
    const upstreamMissing = findUpstreamMissing(ports.biotrack, tenant);
    const ubi = await findUbi(tx);
    const directory = await findDirectory(tx, tenant.state, tenant.environment);
    const items = toChecklist({
      upstreamMissing,
      ubi,
      hasPreference: (await findCreationPreference(tx)) !== undefined,
      credentials:
        upstreamMissing === undefined ? await loadCredentialStates(tx, ports, tenant, toUserId(principal)) : [],
      list: ubi && (await loadOwnList(tx, tenant, ubi.ubiKey)),
      isSynced: tenant.firstSyncedAt !== null,
      activeRun: await findActiveRun(tx),
      lastRun: await findLastEndedRun(tx),
      refusedDigest: directory?.refusedDigest ?? null,
      schedule: await findSchedule(tx),
      openConflicts: await countOpenConflicts(tx),
    });
    const next = items.find(({ status, who }) => status !== 'done' && who !== 'none');
    return { items, nextStep: next === undefined ? undefined : toCall(tenantId, next) };
  });

function toCall(tenantId: string, { step, call }: SetupItem): NextStep | undefined {
  if (call === undefined) return undefined;
  return call === 'own' ? toNextStep(tenantId, step) : toNextStep(tenantId, step, call);
}

function findUpstreamMissing(biotrack: Biotrack, { state, environment }: Tenant): string | undefined {
  const known = biotrack.findState(state);
  if (known === undefined)
    return `This deployment does not support the state ${state}. The operator must configure it, or change the state of the tenant.`;
  if (known.environments[environment] !== undefined) return undefined;
  return known.status === 'left'
    ? `${known.name} no longer uses BioTrack. Licenses in this state can no longer be synced.`
    : `No BioTrack address is configured for ${known.name}, ${environment}. The operator must configure one.`;
}
