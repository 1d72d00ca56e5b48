import type { Tx } from '../../db/database.js';
import { createIdSequence } from '../../domain/id-sequence.js';
import type { Strategy } from '../../domain/strategy.js';
import type { SyncRows } from '../../domain/sync-run.js';
import { runYielding } from '../../domain/yielding.js';
import {
  findScope,
  planYielding,
  type Scope,
  type ScopeStart,
  type Snapshot,
  type SyncPlan,
  toKnownList,
} from '../../mapping/index.js';
import { countAll, loadActive, loadPart, loadScopeRows, loadSnapshot } from '../companies/index.js';
import {
  countListed,
  type Directory,
  type DirectoryService,
  selectChangesSince,
  selectListedLicenses,
} from '../directory/index.js';

export interface PlanRequest {
  /** New ids derive from this and `at`, so that the plan can be reproduced. */
  readonly runId: string;
  readonly at: Date;
  /** As locked by this transaction. */
  readonly directory: Directory;
  readonly ownUbiKey: string;
  readonly strategy: Strategy;
  readonly includeLabs: boolean;
}

/** A plan and the part of the tenant it covers. */
export interface ScopedPlan {
  readonly plan: SyncPlan;
  /** The part of the tenant that was planned; undefined means the whole tenant. */
  readonly scope: Scope | undefined;
  /** Counts of the listed licenses of the whole directory. */
  readonly rows: Pick<SyncRows, 'used' | 'filtered'>;
}

export type Lists = Pick<DirectoryService, 'listLicenses'>;

/** Plans the whole tenant. Call it in the transaction that locked the tenant. */
export const planWhole = async (tx: Tx, lists: Lists, request: PlanRequest): Promise<ScopedPlan> =>
  planSnapshot(tx, lists, request, await loadSnapshot(tx, request.ownUbiKey));

/** The same as `planWhole`, with a snapshot that is already loaded. */
export async function planSnapshot(
  tx: Tx,
  lists: Lists,
  request: PlanRequest,
  snapshot: Snapshot,
): Promise<ScopedPlan> {
  const { directory, strategy, includeLabs } = request;
  const listed = await lists.listLicenses(tx, directory);
  const plan = await runYielding(planYielding({ listed, snapshot, strategy, includeLabs, ...toTimeAndIds(request) }));
  const filtered = plan.filtered.length;
  return { plan, scope: undefined, rows: { used: listed.length - filtered, filtered } };
}

/**
 * Plans the changes of the directory since the version of the last sync, and everything they can affect. The result is
 * the same as that of `planWhole`, because nothing outside the scope can change.
 */
export async function planSince(tx: Tx, request: PlanRequest, version: number): Promise<ScopedPlan> {
  const { listed, missingKeys } = await selectChangesSince(tx, request.directory.id, version);
  return planPart(tx, request, {
    licenseKeys: [...listed.map(({ licenseKey }) => licenseKey), ...missingKeys],
    companyIds: [],
    ubiKeys: listed.flatMap(({ ubiKey }) => ubiKey ?? []),
    listed,
  });
}

/**
 * Plans everything that a user's decision can affect. Uses the licenses as the tenant knows them: newer changes of the
 * state's list are applied by the next sync, which checks the guard.
 */
export const planDecision = (
  tx: Tx,
  request: PlanRequest,
  subject: Pick<ScopeStart, 'companyIds' | 'ubiKeys'>,
): Promise<ScopedPlan> =>
  planPart(tx, { ...request, includeLabs: true }, { licenseKeys: [], listed: [], ...subject }, toKnownList);

/**
 * Plans everything that a change can affect.
 * @param toListed derives the list from the known licenses; undefined reads the directory
 */
async function planPart(
  tx: Tx,
  request: PlanRequest,
  start: ScopeStart,
  toListed?: typeof toKnownList,
): Promise<ScopedPlan> {
  const { directory, ownUbiKey, strategy, includeLabs } = request;
  const scope = await findScopeOf(tx, start);
  const snapshot = await loadPart(tx, ownUbiKey, scope);
  const namesakes = await loadActive(tx, scope.namesakeIds);
  const totals = await countAll(tx);
  const listed = toListed?.(snapshot.licenses) ?? (await selectListedLicenses(tx, directory.id, scope.licenseKeys));
  const part = {
    nameGroups: scope.nameGroups,
    namesakes,
    otherCompanies: totals.companies - snapshot.companies.length - namesakes.companies.length,
    otherActiveLicenses: totals.activeLicenses - snapshot.licenses.filter(({ active }) => active).length,
  };
  const plan = await runYielding(
    planYielding({ listed, snapshot, strategy, includeLabs, part, ...toTimeAndIds(request) }),
  );
  const used = totals.listedLicenses + countListedDifference(plan);
  return { plan, scope, rows: { used, filtered: (await countListed(tx, directory.id)) - used } };
}

/** By how many the plan changes the number of licenses that are both listed and known. */
function countListedDifference({ licenses }: SyncPlan): number {
  const toCount = (license: SyncPlan['licenses'][number]['before']): number =>
    license !== undefined && license.missingSinceDatetime === null && license.contentHash !== '' ? 1 : 0;
  return licenses.reduce((sum, { before, after }) => sum + toCount(after) - toCount(before), 0);
}

const toTimeAndIds = ({ runId, at }: PlanRequest) => ({
  at: at.toISOString(),
  newId: createIdSequence(runId, at.getTime()),
});

async function findScopeOf(tx: Tx, start: ScopeStart): Promise<Scope> {
  const search = findScope(start);
  let step = search.next();
  while (step.done !== true) step = search.next(await loadScopeRows(tx, step.value));
  return step.value;
}
