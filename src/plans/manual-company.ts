import type { Tx } from '../db/database.js';
import type { CompanyState, LicenseStep } from '../mapping/index.js';
import { applyPlan } from './apply.js';
import { loadDecisionInputs } from './inputs.js';
import { makePlan } from './make-plan.js';
import { applyDisplayNames } from './names.js';
import { NO_STEPS, savePlannedRows } from './rows-repository.js';
import { findPlanSettings } from './settings-repository.js';

export interface ManualCompanyToApply {
  readonly company: CompanyState;
  /** The steps that assign licenses to the company. */
  readonly licenses: readonly LicenseStep[];
  readonly actor: string;
  readonly at: Date;
  readonly newId: () => string;
}

/** Creates a manual company, with everything that the next sync of the same list would plan for it. */
export async function applyManualCompany(
  tx: Tx,
  tenantId: string,
  { company, licenses, actor, at, newId }: ManualCompanyToApply,
): Promise<void> {
  const created = { kind: 'company.created', before: undefined, after: company } as const;
  const settings = await findPlanSettings(tx);
  if (settings === undefined) {
    const origin = { actor, runId: null };
    await savePlannedRows(tx, tenantId, { ...NO_STEPS, companies: [created], licenses }, origin);
    return applyDisplayNames(tx, tenantId, company.id, [company.nameGroup], origin);
  }
  const assigned = licenses.map(({ after }) => after);
  const keys = assigned.map(({ licenseKey }) => licenseKey);
  const { snapshot, ...others } = await loadDecisionInputs(tx, settings, {
    licenseKeys: keys,
    listed: [{ name: company.editedName, licenseNumber: '' }],
  });
  const isOther = ({ licenseKey }: { readonly licenseKey: string }): boolean => !keys.includes(licenseKey);
  const inputs = {
    ...others,
    snapshot: {
      ...snapshot,
      companies: [...snapshot.companies, company],
      licenses: [...snapshot.licenses.filter(isOther), ...assigned],
    },
  };
  const plan = await makePlan(inputs, { runId: newId(), at });
  const steps = {
    companies: combineSteps([created], plan.companies),
    licenses: combineSteps(licenses, plan.licenses),
  };
  await applyPlan(tx, tenantId, { inputs, plan: { ...plan, ...steps }, actor, runId: null, newId });
}

interface Step {
  readonly after: { readonly id: string };
}

/** Every object once: as the first steps change it and the next ones leave it. */
function combineSteps<S extends Step>(first: readonly S[], next: readonly S[]): S[] {
  const left = new Map(next.map((step) => [step.after.id, step]));
  const combined = first.map((step) => {
    const { after } = left.get(step.after.id) ?? step;
    left.delete(step.after.id);
    return { ...step, after };
  });
  return [...combined, ...left.values()];
}
