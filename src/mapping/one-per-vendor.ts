import { compareAge } from './compare.js';
import type { Memory } from './memory.js';
import type { PlanConflict } from './plan.js';
import type { VendorDecision } from './snapshot.js';

/** The fields of an active license of a UBI that choosing its vendor company depends on. */
export interface GroupMember {
  readonly licenseKey: string;
  readonly transactionIdOriginal: string | null;
  readonly namedByCompanyId: string | null;
}

export interface VendorChoice {
  /** Undefined if every license of the UBI was added manually, to different companies. */
  readonly companyId: string | undefined;
  /** Companies that a user merged into `companyId`: licenses added to them manually move there too. */
  readonly merged: readonly string[];
  readonly conflict: PlanConflict | undefined;
}

/**
 * Chooses the vendor company of a UBI, given its active licenses. In this order: the company that a user decided on;
 * the recorded vendor company; the only manual company that one of the licenses was added to; the own company of the
 * oldest license whose own company does not represent another UBI; a new company.
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
    const candidates = [...new Set([companyId, memory.findVendorCompany(ubiKey) ?? companyId, ...manual])];
    const isNew = manual.some((id) => id !== companyId && !merged.includes(id));
    return { companyId, merged, conflict: isNew ? { ubiKey, companyIds: candidates } : undefined };
  }
  const recorded = memory.findVendorCompany(ubiKey);
  if (recorded !== undefined) {
    const others = manual.filter((companyId) => companyId !== recorded);
    const conflict = toConflict(ubiKey, others, recorded, decision);
    return { companyId: recorded, merged: [], conflict };
  }
  const [only] = manual;
  if (only !== undefined && manual.length === 1 && memory.findUbiOf(only) === undefined) {
    memory.assignVendorCompany(ubiKey, only);
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
    memory.assignVendorCompany(ubiKey, own);
    return own;
  }
  return memory.createVendorCompany(ubiKey, (byAge[0] as GroupMember).licenseKey);
}

/** Undefined if there is only one company, or if a user decided to keep all these companies apart. */
function toConflict(
  ubiKey: string,
  manual: readonly string[],
  companyId: string | undefined,
  decision: VendorDecision | undefined,
): PlanConflict | undefined {
  if (manual.length === 0) return undefined;
  const companyIds = companyId === undefined ? manual : [companyId, ...manual];
  // The only candidate represents another UBI: there is no alternative to choose.
  if (companyIds.length === 1) return undefined;
  const isKnown = companyIds.every((id) => decision?.companyIds.includes(id));
  return isKnown ? undefined : { ubiKey, companyIds };
}
