import type { Db, Tx } from '../../db/database.js';
import type { Strategy } from '../../domain/strategy.js';
import type { SyncPlan } from '../../mapping/index.js';
import {
  applyPlan,
  areInputsEqual,
  findGuardViolation,
  findPlanSettings,
  loadInputsSince,
  loadPlanInputs,
  makePlan,
  type PlanInputs,
  type PlanSettings,
  type PlanToStore,
  type RunResult,
  savePlanItems,
  toPlanToStore,
  toSucceededResult,
} from '../../plans/index.js';
import { findCreationPreference } from '../creation-preference/index.js';
import {
  type DirectoryService,
  type ListShrunkError,
  selectAcceptedRemovals,
  selectRefusedKeys,
} from '../directory/index.js';
import { recordRunFailure, scheduleNextRun } from '../schedules/index.js';
import { inLockedTenant, inTenant, type PlannedWork, planAndRecord, type Tenant } from '../tenants/index.js';
import { finishRun, saveStep } from './held-run-repository.js';
import type { LargePlans } from './large-plans.js';
import { toReasonMessage } from './messages.js';
import { isListDismissed, type SyncRun } from './repository.js';
import { RunFailure, RunLostError } from './run-ending.js';
import { queueRun } from './service.js';

export interface PlanRunDeps {
  readonly db: Db;
  readonly directories: DirectoryService;
  readonly largePlans: LargePlans;
  readonly newId: () => string;
  readonly clock: () => Date;
  /** A plan that affects more than this percentage of the tenant's licenses must be reviewed; 100 disables the guard. */
  readonly guardRemovalPercent: number;
  readonly syncIntervalSeconds: number;
}

/** What the directory was refreshed for. */
export interface RefreshedFor {
  readonly tenant: Pick<Tenant, 'state' | 'environment'>;
  readonly ubiKey: string;
  readonly includeLabs: boolean;
  /** The list was refused because it is much shorter. */
  readonly refused: ListShrunkError | undefined;
}

/** `superseded`: the setup changed during the run. `unchanged`: the inputs are those of the last sync, or were dismissed. */
type Loaded =
  | { readonly kind: 'superseded'; readonly strategy: Strategy }
  | { readonly kind: 'unchanged'; readonly result: RunResult }
  /** The inputs that the refused list would give. */
  | { readonly kind: 'refused'; readonly inputs: PlanInputs; readonly refused: ListShrunkError }
  /** `accepted`: licenses that an operator accepted as removed, so that the guard does not count them. */
  | {
      readonly kind: 'loaded';
      readonly inputs: PlanInputs;
      readonly isFirst: boolean;
      readonly accepted: ReadonlySet<string>;
    };

type Planned =
  | Exclude<Loaded, { kind: 'loaded' | 'refused' }>
  | { readonly kind: 'apply'; readonly inputs: PlanInputs; readonly plan: SyncPlan; readonly at: Date }
  | {
      readonly kind: 'store';
      readonly toStore: PlanToStore;
      readonly more: ReviewColumns;
    };

type ReviewColumns = Pick<RunResult, 'status' | 'reason' | 'reasonMessage' | 'listDigest'>;

/** Plans a run and records its result: applied, or stored if it is a preview or must be reviewed. */
export async function planRun(
  deps: PlanRunDeps,
  tenantId: string,
  run: SyncRun,
  refreshed: RefreshedFor,
): Promise<RunResult> {
  const work: PlannedWork<Loaded, Planned, RunResult> = {
    load: (tx, tenant) => load(tx, deps, tenant, run, refreshed),
    plan: (loaded) => plan(deps, run, loaded),
    record: (tx, planned) => record(tx, deps, tenantId, run, planned),
  };
  if (run.mode === 'full') return planAndRecord(deps.db, tenantId, work, 'run');
  const planned = await work.plan(await inTenant(deps.db, tenantId, work.load, { isSnapshot: true }));
  const recordPlanned = (tx: Tx): Promise<RunResult> => record(tx, deps, tenantId, run, planned);
  return planned.kind === 'superseded'
    ? inLockedTenant(deps.db, tenantId, recordPlanned, 'run')
    : inTenant(deps.db, tenantId, recordPlanned);
}

async function load(
  tx: Tx,
  { directories, largePlans }: PlanRunDeps,
  tenant: Tenant,
  run: SyncRun,
  { tenant: { state, environment }, ubiKey, includeLabs, refused }: RefreshedFor,
): Promise<Loaded> {
  // Checked before the inputs are read: the list of the tenant's new state may never have been read.
  if (tenant.state !== state || tenant.environment !== environment) {
    const { strategy } = (await findCreationPreference(tx)) ?? run;
    return { kind: 'superseded', strategy };
  }
  const found = await findPlanSettings(tx);
  if (found === undefined) throw new RunFailure('superseded');
  const settings = refused === undefined ? found : withDismissedList(found, refused);
  const loadAll = (all: PlanSettings): Promise<PlanInputs> => {
    largePlans.enter(run.id, all.directory.fetchedRows);
    return loadPlanInputs(tx, directories, all);
  };
  const { strategy } = settings;
  const isSame = strategy === run.strategy && settings.ubiKey === ubiKey && settings.includeLabs === includeLabs;
  if (!isSame) return { kind: 'superseded', strategy };
  if (refused !== undefined && !(await isListDismissed(tx, refused.refusal.digest))) {
    if (run.mode === 'preview') throw refused;
    return { kind: 'refused', inputs: await withoutRefused(tx, await loadAll(found), refused), refused };
  }
  const isFirst = tenant.firstSyncedAt === null;
  if (run.mode === 'preview') return { kind: 'loaded', inputs: await loadAll(settings), isFirst, accepted: new Set() };
  const result = findUnchangedResult(settings);
  if (result !== undefined) return { kind: 'unchanged', result };
  const since = findDeltaStart(settings);
  const inputs = since === undefined ? await loadAll(settings) : await loadInputsSince(tx, settings, since);
  const { lastSync, directory } = settings;
  const accepted =
    lastSync === undefined
      ? new Set<string>()
      : await selectAcceptedRemovals(tx, directory.id, lastSync.versions.directoryVersion);
  return { kind: 'loaded', inputs, isFirst, accepted };
}

/** The published list, although a shorter one was refused and dismissed. */
const withDismissedList = (settings: PlanSettings, { refusal }: ListShrunkError): PlanSettings => ({
  ...settings,
  directory: {
    ...settings.directory,
    refusedDigest: refusal.digest,
    warnings: [{ code: 'list_dismissed', licenseNumber: null }, ...settings.directory.warnings],
  },
});

/** The published list without the licenses that the refused one removes. */
async function withoutRefused(tx: Tx, inputs: PlanInputs, { refusal }: ListShrunkError): Promise<PlanInputs> {
  const removed = await selectRefusedKeys(tx, inputs.directory.id, refusal.digest);
  return { ...inputs, listed: inputs.listed.filter(({ licenseKey }) => !removed.has(licenseKey)) };
}

/** The result of a sync whose inputs are those of the last sync, or of a plan that a user dismissed. */
function findUnchangedResult(settings: PlanSettings): RunResult | undefined {
  const { lastSync, versions } = settings;
  if (lastSync === undefined) return undefined;
  if (lastSync.isCompared && areInputsEqual(lastSync.versions, versions)) return toSucceededResult(settings, lastSync);
  const { dismissal } = lastSync;
  // Edits since the dismissal do not matter.
  if (dismissal === null || !areInputsEqual(dismissal, versions, 'revision')) return undefined;
  const warnings = [{ code: 'plan_dismissed' as const, licenseNumber: null }];
  return toSucceededResult(settings, { ...lastSync, rows: dismissal.rows, warnings });
}

/** The directory version of the last sync, if nothing but the directory has changed since: a delta plan starts from it. */
function findDeltaStart({ lastSync, versions }: PlanSettings): number | undefined {
  if (lastSync?.isCompared !== true || !areInputsEqual(lastSync.versions, versions, 'directoryVersion'))
    return undefined;
  const { directoryVersion } = lastSync.versions;
  return directoryVersion < versions.directoryVersion ? directoryVersion : undefined;
}

async function plan({ clock, guardRemovalPercent }: PlanRunDeps, run: SyncRun, loaded: Loaded): Promise<Planned> {
  if (loaded.kind !== 'loaded' && loaded.kind !== 'refused') return loaded;
  const { inputs } = loaded;
  const at = clock();
  const made = await makePlan(inputs, { runId: run.id, at });
  const store = async (more: ReviewColumns): Promise<Planned> => ({
    kind: 'store',
    toStore: await toPlanToStore(inputs, made, at),
    more,
  });
  if (run.mode === 'preview') return store({ status: 'succeeded' });
  if (loaded.kind === 'refused') {
    const { refused } = loaded;
    const reasonMessage = toReasonMessage('list_shrunk', refused);
    return store({ status: 'needs_review', reason: 'list_shrunk', reasonMessage, listDigest: refused.refusal.digest });
  }
  const removed = made.impact.removed - countAccepted(made, loaded.accepted);
  const violation = loaded.isFirst ? undefined : findGuardViolation({ ...made.impact, removed }, guardRemovalPercent);
  if (violation === undefined) return { kind: 'apply', inputs, plan: made, at };
  return store({ status: 'needs_review', reasonMessage: violation });
}

const countAccepted = ({ licenses }: SyncPlan, accepted: ReadonlySet<string>): number =>
  licenses.filter(({ before, after }) => before?.active === true && !after.active && accepted.has(after.licenseKey))
    .length;

async function record(
  tx: Tx,
  { db, newId, syncIntervalSeconds }: PlanRunDeps,
  tenantId: string,
  run: SyncRun,
  planned: Planned,
): Promise<RunResult> {
  switch (planned.kind) {
    case 'superseded': {
      const reasonMessage = toReasonMessage('superseded');
      const result = await finish(tx, run, { status: 'superseded', reason: 'superseded', reasonMessage });
      const { mode, refresh, requestedBy } = run;
      const { strategy } = planned;
      await queueRun(tx, newId, tenantId, { trigger: 'superseded', mode, refresh, strategy, requestedBy });
      return result;
    }
    case 'store': {
      const { items, result } = planned.toStore;
      await savePlanItems(tx, tenantId, run.id, items);
      const { reason } = planned.more;
      if (reason === undefined) return finish(tx, run, { ...result, ...planned.more });
      await recordRunFailure(tx, reason, async () => true);
      // The counts of rows are those of a published list.
      const { rows: _, ...refused } = result;
      return finish(tx, run, { ...refused, ...planned.more });
    }
    case 'unchanged':
      await scheduleNextRun(tx, tenantId, syncIntervalSeconds);
      return finish(tx, run, planned.result);
    case 'apply': {
      const { inputs, plan, at } = planned;
      // Shows the progress while the transaction is open. Errors are ignored because nothing depends on it.
      saveStep(db, tenantId, run, 'applying').catch(() => undefined);
      const { requestedBy: actor, id: runId } = run;
      const result = await applyPlan(tx, tenantId, { inputs, plan, actor, runId, newId });
      await scheduleNextRun(tx, tenantId, syncIntervalSeconds);
      return finish(tx, run, { ...result, plannedAt: at });
    }
  }
}

async function finish(tx: Tx, run: Pick<SyncRun, 'id' | 'fence'>, result: RunResult): Promise<RunResult> {
  if ((await finishRun(tx, run, result)) === undefined) throw new RunLostError();
  return result;
}
