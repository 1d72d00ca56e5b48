import type { Tx } from '../../db/database.js';
import { createIdSequence } from '../../domain/id-sequence.js';
import type { Strategy } from '../../domain/strategy.js';
import type { SyncRows } from '../../domain/sync-run.js';
import { runYielding } from '../../domain/yielding.js';
import {
  findScope,
  listKnown,
  planYielding,
  type Scope,
  type ScopeStart,
  type Snapshot,
  type SyncPlan,
} from '../../mapping/index.js';
import { countAll, loadActive, loadPart, loadScopeAnswer, loadSnapshot } from '../companies/index.js';
import {
  countListed,
  type Directory,
  type DirectoryService,
  selectChangesSince,
  selectListedLicenses,
} from '../directory/index.js';

export interface PlanRequest {
  /** With `at` it gives the ids of what is new, so that the same plan can be made again. */
  readonly runId: string;
  readonly at: Date;
  /** As this transaction holds it. */
  readonly directory: Directory;
  readonly ownUbiKey: string;
  readonly strategy: Strategy;
  readonly includeLabs: boolean;
}

/** A plan, and what it was made for. */
export interface ScopedPlan {
  readonly plan: SyncPlan;
  /** The part of the tenant that was planned; undefined: the whole. */
  readonly scope: Scope | undefined;
  /** Of the listed licenses of the whole directory. */
  readonly rows: Pick<SyncRows, 'used' | 'filtered'>;
}

/** Where a whole list is read. */
export type Lists = Pick<DirectoryService, 'listLicenses'>;

/** Plans the whole tenant. To be called in the transaction that locked it. */
export const planWhole = async (tx: Tx, lists: Lists, request: PlanRequest): Promise<ScopedPlan> =>
  planSnapshot(tx, lists, request, await loadSnapshot(tx, request.ownUbiKey));

/** The same, from what the tenant has. */
export async function planSnapshot(
  tx: Tx,
  lists: Lists,
  request: PlanRequest,
  snapshot: Snapshot,
): Promise<ScopedPlan> {
  const { directory, strategy, includeLabs } = request;
  const listed = await lists.listLicenses(tx, directory);
  const plan = await runYielding(planYielding({ listed, snapshot, strategy, includeLabs, ...toMoment(request) }));
  const filtered = plan.notTaken.length;
  return { plan, scope: undefined, rows: { used: listed.length - filtered, filtered } };
}

/**
 * Plans what changed in the directory since a version that the whole tenant was planned from, and all that it can touch.
 * It comes to the same as planning the whole: what is beside the scope stays as it is.
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
 * Plans what a person's word can touch, from the list as the tenant knows it: what the state said since is for a sync, and
 * for its guard.
 */
export const planDecision = (
  tx: Tx,
  request: PlanRequest,
  about: Pick<ScopeStart, 'companyIds' | 'ubiKeys'>,
): Promise<ScopedPlan> =>
  planPart(tx, { ...request, includeLabs: true }, { licenseKeys: [], listed: [], ...about }, listKnown);

/**
 * Plans whatever this can touch.
 * @param list what is listed, told from what is known; undefined: what the state lists
 */
async function planPart(tx: Tx, request: PlanRequest, start: ScopeStart, list?: typeof listKnown): Promise<ScopedPlan> {
  const { directory, ownUbiKey, strategy, includeLabs } = request;
  const scope = await findScopeOf(tx, start);
  const snapshot = await loadPart(tx, ownUbiKey, scope);
  const namesakes = await loadActive(tx, scope.namesakeIds);
  const totals = await countAll(tx);
  const listed = list?.(snapshot.licenses) ?? (await selectListedLicenses(tx, directory.id, scope.licenseKeys));
  const part = {
    nameGroups: scope.nameGroups,
    namesakes,
    otherCompanies: totals.companies - snapshot.companies.length - namesakes.companies.length,
    otherActiveLicenses: totals.activeLicenses - snapshot.licenses.filter(({ active }) => active).length,
  };
  const plan = await runYielding(planYielding({ listed, snapshot, strategy, includeLabs, part, ...toMoment(request) }));
  const used = totals.listedLicenses + countComing(plan);
  return { plan, scope, rows: { used, filtered: (await countListed(tx, directory.id)) - used } };
}

/** How many more licenses will be both listed and known: those that are new or back, less those that go. */
function countComing({ licenses }: SyncPlan): number {
  const isThere = (license: SyncPlan['licenses'][number]['before']): number =>
    license !== undefined && license.missingSinceDatetime === null && license.contentHash !== '' ? 1 : 0;
  return licenses.reduce((sum, { before, after }) => sum + isThere(after) - isThere(before), 0);
}

const toMoment = ({ runId, at }: PlanRequest) => ({
  at: at.toISOString(),
  newId: createIdSequence(runId, at.getTime()),
});

async function findScopeOf(tx: Tx, start: ScopeStart): Promise<Scope> {
  const finding = findScope(start);
  let turn = finding.next();
  while (turn.done !== true) turn = finding.next(await loadScopeAnswer(tx, turn.value));
  return turn.value;
}
