import type { Db } from '../../db/database.js';
import { createIdSequence } from '../../domain/id-sequence.js';
import type { Principal } from '../../domain/principal.js';
import { STRATEGIES, type Strategy } from '../../domain/strategy.js';
import { forEachYielding, runYielding, type Yielding } from '../../domain/yielding.js';
import { type LicenseState, type PlanInput, planYielding } from '../../mapping/index.js';
import { loadSnapshot } from '../../plans/index.js';
import { findCreationPreference } from '../creation-preference/index.js';
import { type Directory, findDirectory } from '../directory/index.js';
import { ensureDirectory, type LicensePorts } from '../licenses/index.js';
import { inTenant } from '../tenants/index.js';
import { requireUbi } from '../ubi/index.js';
import { type NamesakeGroup, type PlannedState, toNamesakes, toPlannedState } from './namesakes.js';

export interface StrategyAdvice {
  readonly strategy: Strategy;
  readonly companies: number;
  readonly withSeveralLicenses: number;
  readonly sharingAName: number;
  readonly namesakes: readonly NamesakeGroup[];
}

export interface Advice {
  readonly vendors: number;
  readonly licenses: number;
  readonly licensesWithoutVendor: number;
  readonly vendorsWithSeveralLicenses: number;
  readonly mostLicensesOfAVendor: number;
  readonly includeLabs: boolean;
  readonly strategies: readonly StrategyAdvice[];
  readonly directoryVersion: number;
}

const MAX_GROUPS = 50;
/** Seeds the ids of planned companies, which are never saved. */
const NO_RUN = '00000000-0000-7000-8000-000000000000';

/** Plans the state's list with each strategy, without writing anything. Requires a usable login. */
export async function getAdvice(db: Db, ports: LicensePorts, tenantId: string, principal: Principal): Promise<Advice> {
  await ensureDirectory(db, ports, tenantId, principal);
  const inputs = await inTenant(
    db,
    tenantId,
    async (tx, { state, environment }) => {
      const { ubiKey } = await requireUbi(tx, tenantId);
      const { includeLabs = false } = (await findCreationPreference(tx)) ?? {};
      const directory = await findDirectory(tx, state, environment);
      if (directory === undefined) throw new Error('the directory was refreshed, but does not exist');
      const listed = await ports.directories.listLicenses(tx, directory);
      return { listed, snapshot: await loadSnapshot(tx, ubiKey), includeLabs, directory };
    },
    { isSnapshot: true },
  );
  return toAdvice(inputs);
}

type AdviceInputs = Pick<PlanInput, 'listed' | 'snapshot' | 'includeLabs'> & { readonly directory: Directory };

async function toAdvice({ listed, snapshot, includeLabs, directory }: AdviceInputs): Promise<Advice> {
  const at = new Date(0).toISOString();
  const strategies: StrategyAdvice[] = [];
  let vendors: ReturnType<typeof countVendors> | undefined;
  for (const strategy of STRATEGIES) {
    const newId = createIdSequence(NO_RUN, 0);
    const plan = await runYielding(planYielding({ listed, snapshot, strategy, includeLabs, at, newId }));
    const state = await runYielding(toPlannedState(snapshot, plan));
    strategies.push(await runYielding(toStrategyAdvice(strategy, state)));
    // The licenses are the same with every strategy.
    vendors ??= countVendors(state.licenses);
  }
  if (vendors === undefined) throw new Error('no strategy is defined');
  return { ...vendors, includeLabs, strategies, directoryVersion: directory.version };
}

function countVendors(licenses: readonly LicenseState[]) {
  const counts = new Map<string, number>();
  for (const { ubiKey } of licenses) if (ubiKey !== null) counts.set(ubiKey, (counts.get(ubiKey) ?? 0) + 1);
  const sizes = [...counts.values()];
  return {
    vendors: sizes.length,
    licenses: licenses.length,
    licensesWithoutVendor: licenses.filter(({ ubiKey }) => ubiKey === null).length,
    vendorsWithSeveralLicenses: sizes.filter((size) => size > 1).length,
    mostLicensesOfAVendor: sizes.reduce((most, size) => Math.max(most, size), 0),
  };
}

function* toStrategyAdvice(strategy: Strategy, state: PlannedState): Yielding<StrategyAdvice> {
  const { companies, licenses } = state;
  const counts = new Map<string, number>();
  yield* forEachYielding(licenses, ({ companyId }) => counts.set(companyId, (counts.get(companyId) ?? 0) + 1));
  const namesakes = yield* toNamesakes(state);
  return {
    strategy,
    companies: companies.length,
    withSeveralLicenses: [...counts.values()].filter((count) => count > 1).length,
    sharingAName: namesakes.reduce((sum, { count }) => sum + count, 0),
    namesakes: namesakes.slice(0, MAX_GROUPS),
  };
}
