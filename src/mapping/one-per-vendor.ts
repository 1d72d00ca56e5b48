import { compareAge } from './compare.js';
import type { Memory } from './memory.js';
import type { PlanConflict } from './plan.js';
import type { VendorDecision } from './snapshot.js';

/** A license of a group: what the choice of the vendor company needs to know. */
export interface GroupMember {
  readonly licenseKey: string;
  readonly transactionIdOriginal: string | null;
  readonly namedByCompanyId: string | null;
}

export interface VendorChoice {
  /** Undefined: every license of the group is named by hand, and their companies contradict each other. */
  readonly companyId: string | undefined;
  /** A person decided so, and knew of these companies: licenses named by hand for them go there too. */
  readonly merged: readonly string[];
  readonly conflict: PlanConflict | undefined;
}

/**
 * The company that stands for a UBI, given the active licenses of that UBI. In this order: the one that a person decided
 * on; the remembered one; the one manual company that names one of the licenses; the own company of the oldest license
 * whose own company does not stand for another UBI; a new one.
 */
export function chooseVendorCompany(
  ubiKey: string,
  group: readonly GroupMember[],
  memory: Memory,
  decision: VendorDecision | undefined,
): VendorChoice {
  const manual = [...new Set(group.flatMap(({ namedByCompanyId }) => namedByCompanyId ?? []))].sort();
  if (decision !== undefined && decision.companyId !== null) {
    const { companyId, companyIds: merged } = decision;
    const asked = [...new Set([companyId, memory.findVendorCompany(ubiKey) ?? companyId, ...manual])];
    const isNew = manual.some((id) => id !== companyId && !merged.includes(id));
    return { companyId, merged, conflict: isNew ? { ubiKey, companyIds: asked } : undefined };
  }
  const remembered = memory.findVendorCompany(ubiKey);
  if (remembered !== undefined) {
    const others = manual.filter((companyId) => companyId !== remembered);
    const conflict = toConflict(ubiKey, others, remembered, decision);
    return { companyId: remembered, merged: [], conflict };
  }
  const [only] = manual;
  if (only !== undefined && manual.length === 1 && memory.findUbiOf(only) === undefined) {
    memory.becomeVendorCompany(ubiKey, only);
    return { companyId: only, merged: [], conflict: undefined };
  }
  const free = group.filter(({ namedByCompanyId }) => namedByCompanyId === null).sort(compareAge);
  const companyId = free.length === 0 ? undefined : adoptOwnCompany(ubiKey, free, memory);
  const conflict = toConflict(ubiKey, manual, companyId, decision);
  return { companyId, merged: [], conflict };
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

/** Undefined as well if a person knows of all these companies and wants them apart. */
function toConflict(
  ubiKey: string,
  manual: readonly string[],
  companyId: string | undefined,
  decision: VendorDecision | undefined,
): PlanConflict | undefined {
  if (manual.length === 0) return undefined;
  const companyIds = companyId === undefined ? manual : [companyId, ...manual];
  // One that stands for another UBI as well: there is nothing to choose between.
  if (companyIds.length === 1) return undefined;
  const isKnown = companyIds.every((id) => decision?.companyIds.includes(id));
  return isKnown ? undefined : { ubiKey, companyIds };
}
