import { BiotrackError, isOfOneLogin } from '../../biotrack/index.js';
import { withOperator } from '../../db/database.js';
import { ServiceError } from '../../domain/service-error.js';
import { MAPPING_VERSION } from '../../mapping/index.js';
import { FULL_PLAN_INTERVAL_SECONDS } from '../../plans/index.js';
import { chooseCompanyLogin, LoginRefusedError, openLogin, openSession } from '../credentials/index.js';
import { ListShrunkError } from '../directory/index.js';
import {
  type Leader,
  type Leaders,
  type StateKey,
  saveStateCheck,
  selectDueStates,
  selectLeaders,
} from '../schedules/index.js';
import { LOGIN_SECONDS, type RunSyncDeps } from './run-sync.js';
import { type SchedulePorts, startDueRuns } from './sweep.js';

export type StateCheckDeps = Pick<
  RunSyncDeps,
  'db' | 'biotrack' | 'vault' | 'loginAttempts' | 'directories' | 'shutdown'
> &
  SchedulePorts;

export interface StateChecks {
  /** Starts a check of each state with a due tenant, unless this process is checking it. Does not wait for them. */
  start(): Promise<void>;
  /** Waits for the checks in progress; they end early when the process shuts down. */
  finish(): Promise<void>;
}

/**
 * Checks a state once for all its tenants: one of them refreshes the list. Tenants that have nothing to sync are marked as up to
 * date without a run; the other due tenants get one.
 */
export function createStateChecks(deps: StateCheckDeps): StateChecks {
  const { db, onError } = deps;
  const running = new Map<string, Promise<void>>();
  return {
    async start() {
      for (const target of await withOperator(db, selectDueStates)) {
        const key = `${target.state}/${target.environment}`;
        if (running.has(key)) continue;
        const check = checkState(deps, target)
          .catch(onError)
          .finally(() => running.delete(key));
        running.set(key, check);
      }
    },
    async finish() {
      await Promise.all(running.values());
    },
  };
}

async function checkState(deps: StateCheckDeps, target: StateKey): Promise<void> {
  const { db, shutdown, syncIntervalSeconds: intervalSeconds } = deps;
  const leaders = await withOperator(db, (tx) => selectLeaders(tx, target));
  const isRefreshed = await refresh(deps, target, leaders).catch((error: unknown) => {
    deps.onError(error);
    return false;
  });
  if (isRefreshed) {
    const check = {
      ...target,
      intervalSeconds,
      mappingVersion: MAPPING_VERSION,
      loginSeconds: LOGIN_SECONDS,
      fullPlanSeconds: FULL_PLAN_INTERVAL_SECONDS,
    };
    await withOperator(db, (tx) => saveStateCheck(tx, check));
  }
  // Also if the state could not be read: the run of each tenant says why, and is repeated.
  if (!shutdown.aborted) await startDueRuns(db, target, deps);
}

/** Refreshes the state's list with the first login that works. False if that fails. */
async function refresh(deps: StateCheckDeps, target: StateKey, { leaders, includeLabs }: Leaders): Promise<boolean> {
  for (const leader of leaders) {
    try {
      await refreshAs(deps, target, leader, includeLabs);
      return true;
    } catch (error) {
      if (deps.shutdown.aborted) return false;
      const isOfLogin = error instanceof BiotrackError && isOfOneLogin(error);
      // Another login may work.
      if (isOfLogin || error instanceof LoginRefusedError || error instanceof ServiceError) continue;
      if (error instanceof BiotrackError || error instanceof ListShrunkError) return false;
      throw error;
    }
  }
  return false;
}

function refreshAs(
  deps: StateCheckDeps,
  target: StateKey,
  { tenantId, credentialId }: Leader,
  includeLabs: boolean,
): Promise<unknown> {
  const { db, directories, shutdown } = deps;
  const open = async (signal: AbortSignal | undefined) =>
    openSession(
      db,
      deps,
      await openLogin(db, deps, await chooseCompanyLogin(db, deps, tenantId, credentialId)),
      signal,
    );
  return directories.ensureFresh(db, { target, openSession: open, includeLabs, force: false, signal: shutdown });
}
