import type { Db, Tx } from '../../db/database.js';
import { type PageOf, type PageRequest, toPage } from '../../domain/page.js';
import { type Principal, toActor } from '../../domain/principal.js';
import { notFound, ServiceError } from '../../domain/service-error.js';
import {
  applyPlan,
  type CompanySummary,
  findPlanSettings,
  loadDecisionInputs,
  makePlan,
  saveResolution,
  selectCompanySummaries,
} from '../../plans/index.js';
import { inLockedTenant, inTenant } from '../tenants/index.js';
import { findConflict, getConflict, selectConflicts, type VendorConflict } from './repository.js';

export interface ConflictPorts {
  readonly newId: () => string;
  readonly clock: () => Date;
}

/** A conflict with the companies that can be chosen, as they are now. */
export interface ConflictView extends VendorConflict {
  readonly companies: readonly CompanySummary[];
  readonly decidedCompanyName: string | null;
}

export const listConflicts = (
  db: Db,
  tenantId: string,
  status: VendorConflict['status'] | undefined,
  page: PageRequest,
): Promise<PageOf<ConflictView>> => inTenant(db, tenantId, (tx) => loadConflictPage(tx, status, page));

/** Newest first. */
export async function loadConflictPage(
  tx: Tx,
  status: VendorConflict['status'] | undefined,
  { size, after }: PageRequest,
): Promise<PageOf<ConflictView>> {
  const { items, nextAfter } = toPage(await selectConflicts(tx, status, size, after), size);
  return { items: await toConflictViews(tx, items), nextAfter };
}

/** Reads all companies at once. */
async function toConflictViews(tx: Tx, conflicts: readonly VendorConflict[]): Promise<ConflictView[]> {
  const ids = conflicts.flatMap(({ companyIds, decidedCompanyId }) => [...companyIds, decidedCompanyId]);
  const summaries = await selectCompanySummaries(tx, ids);
  return conflicts.map((conflict) => ({
    ...conflict,
    companies: conflict.companyIds.flatMap((id) => summaries.get(id) ?? []),
    decidedCompanyName: summaries.get(conflict.decidedCompanyId ?? '')?.name ?? null,
  }));
}

export interface ResolveInput {
  readonly decision: 'merge' | 'keep_apart';
  /** Required with `merge`: the company that gets all licenses of the UBI. */
  readonly companyId: string | undefined;
  readonly principal: Principal;
}

/** Saves a user's decision and applies it. Another call replaces the decision; no memory of the companies is lost. */
export const resolveConflict = (
  db: Db,
  { newId, clock }: ConflictPorts,
  tenantId: string,
  id: string,
  { decision, companyId, principal }: ResolveInput,
): Promise<ConflictView> =>
  inLockedTenant(db, tenantId, async (tx) => {
    const conflict = await findConflict(tx, id);
    if (conflict === undefined) throw notFound('conflict');
    if (conflict.status === 'closed') {
      throw new ServiceError(
        'conflict_closed',
        'The companies changed before a decision, so there is nothing to resolve.',
      );
    }
    checkChoice(conflict, decision, companyId);
    const actor = toActor(principal);
    const settings = await findPlanSettings(tx);
    // Only syncs find conflicts, and syncs require the setup and the list.
    if (settings === undefined) throw new Error('a conflict exists, but the setup or the list of the state is missing');
    await saveResolution(tx, conflict, { decision, companyId: companyId ?? null, decidedBy: actor });
    const subject = { companyIds: [...conflict.claimantIds, ...conflict.decidedIds], ubiKeys: [conflict.ubiKey] };
    const inputs = await loadDecisionInputs(tx, settings, subject);
    const plan = await makePlan(inputs, { runId: newId(), at: clock() });
    await applyPlan(tx, tenantId, { inputs, plan, actor, runId: null, newId });
    // Read last, because applying the decision can reopen the conflict.
    const [view] = await toConflictViews(tx, [await getConflict(tx, id)]);
    return view as ConflictView;
  });

function checkChoice(
  { companyIds }: VendorConflict,
  decision: ResolveInput['decision'],
  companyId: string | undefined,
): void {
  if ((decision === 'merge') !== (companyId !== undefined)) {
    const detail = decision === 'merge' ? 'is required with merge' : 'is not allowed with keep_apart';
    throw new ServiceError('invalid_request', `/company_id ${detail}.`, {
      errors: [{ pointer: '/company_id', detail }],
    });
  }
  if (companyId !== undefined && !companyIds.includes(companyId)) {
    throw new ServiceError('company_unknown', 'Choose one of the company_ids of the conflict.', {
      errors: [{ pointer: '/company_id', detail: 'cannot be chosen for this conflict' }],
    });
  }
}
