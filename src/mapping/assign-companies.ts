import type { Strategy } from '../domain/strategy.js';
import { Memory } from './memory.js';
import type { NextLicense } from './next-licenses.js';
import { assignOnePerLicense } from './one-per-license.js';
import { chooseVendorCompany, type GroupMember } from './one-per-vendor.js';
import type { PlanConflict } from './plan.js';
import type { LicenseState, Snapshot } from './snapshot.js';

/** A license as it was and as it shall be, with the company that holds it. */
export interface AssignedLicense {
  readonly before: LicenseState | undefined;
  readonly after: LicenseState;
}

export interface Assignment {
  readonly licenses: readonly AssignedLicense[];
  readonly memory: Memory;
  readonly conflicts: readonly PlanConflict[];
  /** Manual companies that became the vendor company of a UBI. */
  readonly adopted: number;
}

/** Gives each active license the company that the strategy says; an inactive one stays where it is. */
export function assignCompanies(
  licenses: readonly NextLicense[],
  snapshot: Snapshot,
  strategy: Strategy,
  newId: () => string,
): Assignment {
  const memory = new Memory(snapshot, newId);
  const vendors =
    strategy === 'one_per_vendor'
      ? chooseVendorCompanies(licenses, memory)
      : { companyIds: new Map(), conflicts: [], adopted: 0 };
  const companyIds = licenses.map((license) => toCompanyId(license, vendors.companyIds, memory));
  return {
    // After all companies are chosen: a vendor's choice can give a license its own company.
    licenses: licenses.map(({ before, next }, index) => ({
      before,
      after: {
        ...next,
        id: before?.id ?? newId(),
        companyId: companyIds[index] as string,
        ownCompanyId: memory.findOwnCompany(next.licenseKey) ?? null,
      },
    })),
    memory,
    conflicts: vendors.conflicts,
    adopted: vendors.adopted,
  };
}

function toCompanyId(
  { before, next }: NextLicense,
  vendorCompanyIds: ReadonlyMap<string, string>,
  memory: Memory,
): string {
  if (before !== undefined && (!next.active || before.isHandNamed)) return before.companyId;
  const vendorCompanyId = next.ubiKey === null ? undefined : vendorCompanyIds.get(next.ubiKey);
  return vendorCompanyId ?? assignOnePerLicense(next.licenseKey, memory);
}

interface VendorCompanies {
  readonly companyIds: ReadonlyMap<string, string>;
  readonly conflicts: readonly PlanConflict[];
  readonly adopted: number;
}

function chooseVendorCompanies(licenses: readonly NextLicense[], memory: Memory): VendorCompanies {
  const groups = new Map<string, GroupMember[]>();
  for (const { before, next } of licenses) {
    // Without a UBI a license stands alone: blanks have nothing in common.
    if (!next.active || next.ubiKey === null) continue;
    const member = {
      licenseKey: next.licenseKey,
      transactionIdOriginal: next.transactionIdOriginal,
      handNamedFor: before?.isHandNamed ? before.companyId : null,
    };
    const group = groups.get(next.ubiKey);
    if (group === undefined) groups.set(next.ubiKey, [member]);
    else group.push(member);
  }
  const companyIds = new Map<string, string>();
  const conflicts: PlanConflict[] = [];
  let adopted = 0;
  for (const [ubiKey, group] of groups) {
    const choice = chooseVendorCompany(ubiKey, group, memory);
    if (choice.companyId !== undefined) companyIds.set(ubiKey, choice.companyId);
    if (choice.conflict !== undefined) conflicts.push(choice.conflict);
    if (choice.adopted) adopted += 1;
  }
  return { companyIds, conflicts, adopted };
}
