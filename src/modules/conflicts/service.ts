import type { Db } from '../../db/database.js';
import { type PageOf, type PageRequest, toPage } from '../../domain/page.js';
import { type Principal, toActor } from '../../domain/principal.js';
import { notFound, ServiceError } from '../../domain/service-error.js';
import {
  applyDecision,
  findPlanInputs,
  type PlanInputs,
  planDecision,
  saveResolution,
  toPlanRequest,
} from '../syncs/index.js';
import { inLockedTenant, inTenant } from '../tenants/index.js';
import { type ConflictRow, findConflict, findOtherUbi, selectConflicts, touchRevision } from './repository.js';

export interface ConflictPorts {
  readonly newId: () => string;
  readonly clock: () => Date;
}

export const listConflicts = (
  db: Db,
  tenantId: string,
  status: ConflictRow['status'] | undefined,
  { size, after }: PageRequest,
): Promise<PageOf<ConflictRow>> =>
  inTenant(db, tenantId, async (tx) => toPage(await selectConflicts(tx, status, size, after), size));

export interface ResolveInput {
  readonly decision: 'merge' | 'keep_apart';
  /** With `merge`: the company that shall hold all licenses of the UBI. */
  readonly companyId: string | undefined;
}

/**
 * Keeps a person's decision, and carries it out at once. It can be changed: another call takes the place of the last
 * decision, and nothing of what the companies were before is forgotten.
 */
export const resolveConflict = (
  db: Db,
  { newId, clock }: ConflictPorts,
  tenantId: string,
  id: string,
  { decision, companyId }: ResolveInput,
  principal: Principal,
): Promise<ConflictRow> =>
  inLockedTenant(db, tenantId, async (tx, tenant) => {
    const conflict = await findConflict(tx, id);
    if (conflict === undefined) throw notFound('conflict');
    if (conflict.status === 'gone') {
      throw new ServiceError('conflict_decided', 'There is nothing to decide any more: the companies changed since.');
    }
    checkChoice(conflict, decision, companyId);
    if (companyId !== undefined && (await findOtherUbi(tx, companyId, conflict.ubi_key)) !== undefined) {
      throw unknownCompany('It stands for another UBI already, and a company stands for one.');
    }
    const actor = toActor(principal);
    // A conflict comes of a sync: the list and the set-up are there.
    const ground = (await findPlanInputs(tx, tenant)) as PlanInputs;
    await saveResolution(tx, conflict, { decision, companyId: companyId ?? null, decidedBy: actor });
    await touchRevision(tx);
    const planned = await planDecision(tx, toPlanRequest(ground, ground.preference, newId(), clock()), {
      companyIds: conflict.company_ids,
      ubiKeys: [conflict.ubi_key],
    });
    await applyDecision(tx, tenantId, { ground, planned, actor, ids: newId });
    return (await findConflict(tx, id)) as ConflictRow;
  });

function checkChoice(
  { company_ids }: ConflictRow,
  decision: ResolveInput['decision'],
  companyId: string | undefined,
): void {
  if ((decision === 'merge') !== (companyId !== undefined)) {
    const detail = decision === 'merge' ? 'is required to merge' : 'is not for companies that are kept apart';
    throw new ServiceError('invalid_request', `/company_id: ${detail}.`, {
      errors: [{ pointer: '/company_id', detail }],
    });
  }
  if (companyId !== undefined && !company_ids.includes(companyId)) {
    throw unknownCompany('Choose one of the companies of the conflict.');
  }
}

const unknownCompany = (detail: string): ServiceError =>
  new ServiceError('company_unknown', detail, { errors: [{ pointer: '/company_id', detail: 'cannot be chosen' }] });
