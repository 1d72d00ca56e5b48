import { compareAge } from './compare.js';
import type { Memory } from './memory.js';
import type { PlanConflict } from './plan.js';

/** A license of a group: what the choice of the vendor company needs to know. */
export interface GroupMember {
  readonly licenseKey: string;
  readonly transactionIdOriginal: string | null;
  /** The manual company that names this license by hand, if one does. */
  readonly handNamedFor: string | null;
}

export interface VendorChoice {
  /** Undefined: every license of the group is named by hand, and their companies contradict each other. */
  readonly companyId: string | undefined;
  /** A manual company became the vendor company just now. */
  readonly adopted: boolean;
  readonly conflict: PlanConflict | undefined;
}

/**
 * The company that stands for a UBI, given the active licenses of that UBI. In this order: the remembered one; the one
 * manual company that names one of the licenses; the own company of the oldest license whose own company does not stand
 * for another UBI; a new one.
 */
export function chooseVendorCompany(ubiKey: string, group: readonly GroupMember[], memory: Memory): VendorChoice {
  const manual = [...new Set(group.flatMap(({ handNamedFor }) => handNamedFor ?? []))].sort();
  const remembered = memory.findVendorCompany(ubiKey);
  if (remembered !== undefined) {
    const others = manual.filter((companyId) => companyId !== remembered);
    return { companyId: remembered, adopted: false, conflict: toConflict(ubiKey, others, remembered) };
  }
  const [only] = manual;
  if (only !== undefined && manual.length === 1 && memory.findUbiOf(only) === undefined) {
    memory.becomeVendorCompany(ubiKey, only);
    return { companyId: only, adopted: true, conflict: undefined };
  }
  const free = group.filter(({ handNamedFor }) => handNamedFor === null).sort(compareAge);
  const companyId = free.length === 0 ? undefined : adoptOwnCompany(ubiKey, free, memory);
  return { companyId, adopted: false, conflict: toConflict(ubiKey, manual, companyId) };
}

function adoptOwnCompany(ubiKey: string, byAge: readonly GroupMember[], memory: Memory): string {
  for (const { licenseKey } of byAge) {
    const own = memory.findOwnCompany(licenseKey);
    if (own === undefined || memory.findUbiOf(own) !== undefined) continue;
    memory.becomeVendorCompany(ubiKey, own);
    return own;
  }
  return memory.newVendorCompany(ubiKey, (byAge[0] as GroupMember).licenseKey);
}

function toConflict(
  ubiKey: string,
  manual: readonly string[],
  companyId: string | undefined,
): PlanConflict | undefined {
  if (manual.length === 0) return undefined;
  return { ubiKey, companyIds: companyId === undefined ? manual : [companyId, ...manual] };
}
