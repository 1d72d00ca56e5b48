import type { Db } from '../../db/database.js';
import { Fault } from '../../domain/fault.js';
import { createIdSequence } from '../../domain/id-sequence.js';
import { toNameKey } from '../../domain/key.js';
import type { Principal } from '../../domain/principal.js';
import { STRATEGIES, type Strategy } from '../../domain/strategy.js';
import { inTurns } from '../../domain/turns.js';
import {
  type CompanyState,
  type LicenseState,
  planInTurns,
  type Snapshot,
  type SyncPlan,
} from '../../mapping/index.js';
import { loadSnapshot } from '../companies/index.js';
import { findCreationPreference } from '../creation-preference/index.js';
import { type Directory, findDirectory, selectListedLicenses } from '../directory/index.js';
import { ensureDirectory, type LicensePorts } from '../licenses/index.js';
import { inTenant } from '../tenants/index.js';
import { requireUbi } from '../ubi/index.js';

export interface NamesakeGroup {
  readonly name: string;
  readonly count: number;
  readonly companies: readonly { readonly licenseNumbers: readonly string[]; readonly ubi: string | null }[];
}

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
const MAX_COMPANIES_OF_A_GROUP = 20;
/** Ids of companies that nobody will ever see. */
const NO_RUN = '00000000-0000-7000-8000-000000000000';

/** What each strategy would make of the state's list for this tenant; nothing is written. Needs a login that works. */
export async function getAdvice(db: Db, ports: LicensePorts, tenantId: string, principal: Principal): Promise<Advice> {
  await ensureDirectory(db, ports, tenantId, principal);
  return inTenant(db, tenantId, async (tx, { state, environment }) => {
    const { ubiKey } = await requireUbi(tx, tenantId);
    const { includeLabs = false } = (await findCreationPreference(tx)) ?? {};
    const directory = (await findDirectory(tx, state, environment)) as Directory;
    const listed = await selectListedLicenses(tx, directory.id);
    const snapshot = await loadSnapshot(tx, ubiKey);
    const at = new Date(0).toISOString();
    const strategies: ({ readonly strategy: Strategy } & Outcome)[] = [];
    for (const strategy of STRATEGIES) {
      const newId = createIdSequence(NO_RUN, 0);
      const plan = await inTurns(planInTurns({ listed, snapshot, strategy, includeLabs, at, newId }));
      strategies.push({ strategy, ...after(snapshot, plan) });
    }
    const [first] = strategies;
    if (first === undefined) throw new Fault('internal', 'There is no strategy.');
    return {
      ...countVendors(first.licenses),
      includeLabs,
      strategies: strategies.map(toStrategyAdvice),
      directoryVersion: directory.version,
    };
  });
}

interface Outcome {
  readonly companies: readonly CompanyState[];
  readonly licenses: readonly LicenseState[];
}

/** The active companies and licenses that a plan leaves behind. */
function after(snapshot: Snapshot, plan: SyncPlan): Outcome {
  const lay = <State extends { readonly id: string }>(
    present: readonly State[],
    steps: readonly { readonly after: State }[],
  ): State[] => [
    ...new Map([...present, ...steps.map((step) => step.after)].map((state) => [state.id, state])).values(),
  ];
  return {
    companies: lay(snapshot.companies, plan.companies).filter(({ archivedDatetime }) => archivedDatetime === null),
    licenses: lay(snapshot.licenses, plan.licenses).filter(({ active }) => active),
  };
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

function toStrategyAdvice({
  strategy,
  companies,
  licenses,
}: Outcome & { readonly strategy: Strategy }): StrategyAdvice {
  const numbers = new Map<string, string[]>();
  for (const { companyId, licenseNumber } of licenses) {
    const known = numbers.get(companyId);
    if (known === undefined) numbers.set(companyId, [licenseNumber]);
    else known.push(licenseNumber);
  }
  const byName = new Map<string, CompanyState[]>();
  for (const company of companies) {
    const key = toNameKey(company.editedName ?? company.sourceName ?? '');
    const group = byName.get(key);
    if (group === undefined) byName.set(key, [company]);
    else group.push(company);
  }
  const groups = [...byName.values()].filter((group) => group.length > 1);
  return {
    strategy,
    companies: companies.length,
    withSeveralLicenses: [...numbers.values()].filter((held) => held.length > 1).length,
    sharingAName: groups.reduce((sum, group) => sum + group.length, 0),
    namesakes: groups
      .sort((a, b) => b.length - a.length)
      .slice(0, MAX_GROUPS)
      .map((group) => ({
        name: group[0]?.editedName ?? group[0]?.sourceName ?? '',
        count: group.length,
        companies: group
          .slice(0, MAX_COMPANIES_OF_A_GROUP)
          .map(({ id, ubi }) => ({ licenseNumbers: numbers.get(id) ?? [], ubi })),
      })),
  };
}
