import type { Strategy } from '../domain/strategy.js';
import { forEachYielding, mapYielding, type Yielding } from '../domain/yielding.js';
import { Memory } from './memory.js';
import type { NextLicense } from './next-licenses.js';
import { assignOnePerLicense } from './one-per-license.js';
import { chooseVendorCompany, type GroupMember, type VendorChoice } from './one-per-vendor.js';
import type { PlanConflict } from './plan.js';
import type { LicenseState, Snapshot } from './snapshot.js';

/** A license before and after the plan, with the company that holds it. */
export interface AssignedLicense {
  readonly before: LicenseState | undefined;
  readonly after: LicenseState;
}

export interface Assignment {
  readonly licenses: readonly AssignedLicense[];
  readonly memory: Memory;
  readonly conflicts: readonly PlanConflict[];
}

type VendorChoices = ReadonlyMap<string, VendorChoice>;

/** Assigns each active license to a company according to the strategy. Inactive licenses keep their company. */
export function* assignCompanies(
  licenses: readonly NextLicense[],
  snapshot: Snapshot,
  strategy: Strategy,
  newId: () => string,
): Yielding<Assignment> {
  const memory = new Memory(snapshot, newId);
  const choices: VendorChoices =
    strategy === 'one_per_vendor' ? yield* chooseVendorCompanies(licenses, snapshot, memory) : new Map();
  const companyIds = yield* mapYielding(licenses, (license) => toCompanyId(license, choices, memory));
  // In a second pass, because choosing a vendor company can assign a license its own company.
  const assigned = yield* mapYielding(licenses, ({ before, next }, index) => {
    const companyId = companyIds[index] as string;
    const ownCompanyId = memory.findOwnCompany(next.licenseKey) ?? null;
    if (before === next && before.companyId === companyId && before.ownCompanyId === ownCompanyId)
      return { before, after: before };
    return { before, after: withCompany(next, before?.id ?? newId(), companyId, ownCompanyId) };
  });
  return {
    licenses: assigned,
    memory,
    conflicts: [...choices.values()].flatMap(({ conflict }) => conflict ?? []),
  };
}

// Lists every field because object spread is several times slower for a hundred thousand licenses.
const withCompany = (
  license: NextLicense['next'],
  id: string,
  companyId: string,
  ownCompanyId: string | null,
): LicenseState => ({
  id,
  companyId,
  ownCompanyId,
  licenseKey: license.licenseKey,
  licenseNumber: license.licenseNumber,
  ubi: license.ubi,
  ubiKey: license.ubiKey,
  namingUbiKey: license.namingUbiKey,
  name: license.name,
  licenseType: license.licenseType,
  licenseTypeRaw: license.licenseTypeRaw,
  activities: license.activities,
  address: license.address,
  isLab: license.isLab,
  namedByCompanyId: license.namedByCompanyId,
  active: license.active,
  missingSinceDatetime: license.missingSinceDatetime,
  transactionIdOriginal: license.transactionIdOriginal,
  contentHash: license.contentHash,
});

function toCompanyId({ before, next }: NextLicense, choices: VendorChoices, memory: Memory): string {
  if (before !== undefined && !next.active) return before.companyId;
  const choice = next.ubiKey === null ? undefined : choices.get(next.ubiKey);
  const namedBy = next.namedByCompanyId;
  if (namedBy !== null && choice?.merged.includes(namedBy) !== true) return namedBy;
  return choice?.companyId ?? assignOnePerLicense(next.licenseKey, memory);
}

function* chooseVendorCompanies(
  licenses: readonly NextLicense[],
  snapshot: Snapshot,
  memory: Memory,
): Yielding<VendorChoices> {
  const groups = new Map<string, GroupMember[]>();
  yield* forEachYielding(licenses, ({ next }) => {
    // Licenses without a UBI are not grouped: they are not known to belong to one vendor.
    if (!next.active || next.ubiKey === null) return;
    const group = groups.get(next.ubiKey);
    if (group === undefined) groups.set(next.ubiKey, [next]);
    else group.push(next);
  });
  const decisions = new Map(snapshot.decisions.map((decision) => [decision.ubiKey, decision]));
  const choices = new Map<string, VendorChoice>();
  yield* forEachYielding(groups, ([ubiKey, group]) => {
    choices.set(ubiKey, chooseVendorCompany(ubiKey, group, memory, decisions.get(ubiKey)));
  });
  return choices;
}
