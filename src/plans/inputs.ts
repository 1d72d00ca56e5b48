import type { Tx } from '../db/database.js';
import type { ListedLicense } from '../domain/listed-license.js';
import { findScope, type PlanPart, type Scope, type ScopeStart, type Snapshot, toKnownList } from '../mapping/index.js';
import { selectChangesSince, selectListedLicenses } from '../modules/directory/index.js';
import type { PlanSettings, PublishedList } from './settings.js';
import { loadNamesakes, loadPart, loadScopeRows, loadSnapshot } from './snapshot-repository.js';
import { countSnapshot, type Totals } from './totals.js';

/** Everything that a plan is made from. */
export interface PlanInputs extends PlanSettings {
  readonly listed: readonly ListedLicense[];
  readonly snapshot: Snapshot;
  /** Undefined: the whole tenant is planned. */
  readonly part: TenantPart | undefined;
}

/** What a plan of a part of the tenant knows about the rest. */
export interface TenantPart extends PlanPart {
  readonly scope: Scope;
  readonly totals: Totals;
}

/** Reads everything that a state lists. */
export interface Lists {
  listLicenses(tx: Tx, directory: PublishedList): Promise<readonly ListedLicense[]>;
}

/** Loads the whole list and the whole tenant. */
export async function loadPlanInputs(tx: Tx, lists: Lists, settings: PlanSettings): Promise<PlanInputs> {
  const listed = await lists.listLicenses(tx, settings.directory);
  return { ...settings, listed, snapshot: await loadSnapshot(tx, settings.ubiKey), part: undefined };
}

/**
 * Loads the changes of the directory since a version, and everything they can affect. Plans the same as `loadPlanInputs`,
 * because nothing outside of this scope can change.
 */
export async function loadInputsSince(tx: Tx, settings: PlanSettings, version: number): Promise<PlanInputs> {
  const { listed, missingKeys } = await selectChangesSince(tx, settings.directory.id, version);
  const loaded = await loadScoped(tx, settings, {
    licenseKeys: [...listed.map(({ licenseKey }) => licenseKey), ...missingKeys],
    companyIds: [],
    ubiKeys: listed.flatMap(({ ubiKey, lastUbi }) => ubiKey ?? lastUbi?.ubiKey ?? []),
    listed,
  });
  const { id } = settings.directory;
  return { ...loaded, listed: await selectListedLicenses(tx, id, loaded.part.scope.licenseKeys) };
}

/**
 * Loads everything that a user's decision can affect, with the licenses as the tenant knows them: newer changes of the
 * state's list are applied by the next sync, which checks the guard.
 */
export async function loadDecisionInputs(
  tx: Tx,
  settings: PlanSettings,
  subject: Partial<ScopeStart>,
): Promise<PlanInputs> {
  const start = { licenseKeys: [], companyIds: [], ubiKeys: [], listed: [], ...subject };
  const loaded = await loadScoped(tx, settings, start);
  return { ...loaded, listed: toKnownList(loaded.snapshot.licenses), includeLabs: true };
}

async function loadScoped(
  tx: Tx,
  settings: PlanSettings,
  start: ScopeStart,
): Promise<Omit<PlanInputs, 'listed'> & { readonly part: TenantPart }> {
  const scope = await findScopeOf(tx, start);
  const snapshot = await loadPart(tx, settings.ubiKey, scope);
  const found = await loadNamesakes(tx, scope.nameGroups);
  const namesakes = {
    companies: found.companies.filter(({ id }) => !scope.companyIds.has(id)),
    // Those of the scope are named by the licenses that the plan gives them.
    licenses: found.licenses.filter(({ companyId }) => !scope.companyIds.has(companyId)),
  };
  const totals = settings.lastSync?.totals ?? countSnapshot(await loadSnapshot(tx, settings.ubiKey));
  const part = {
    scope,
    nameGroups: scope.nameGroups,
    namesakes,
    otherCompanies: totals.companies - snapshot.companies.length - namesakes.companies.length,
    otherActiveCompanies:
      totals.activeCompanies -
      snapshot.companies.filter(({ archivedDatetime }) => archivedDatetime === null).length -
      namesakes.companies.length,
    otherActiveLicenses: totals.activeLicenses - snapshot.licenses.filter(({ active }) => active).length,
    totals,
  };
  return { ...settings, snapshot, part };
}

async function findScopeOf(tx: Tx, start: ScopeStart): Promise<Scope> {
  const search = findScope(start);
  let step = search.next();
  while (step.done !== true) step = search.next(await loadScopeRows(tx, step.value));
  return step.value;
}
