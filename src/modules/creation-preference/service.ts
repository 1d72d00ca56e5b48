import type { Db, Tx } from '../../db/database.js';
import { checkPrecondition, type Precondition } from '../../domain/precondition.js';
import { ServiceError } from '../../domain/service-error.js';
import { setupIncomplete } from '../../domain/setup.js';
import type { Strategy } from '../../domain/strategy.js';
import { inLockedTenant, inTenant, type Tenant } from '../tenants/index.js';
import { requireUbi } from '../ubi/index.js';
import { type CreationPreference, findCreationPreference, saveCreationPreference } from './repository.js';

export interface CreationPreferenceInput {
  readonly strategy: Strategy;
  readonly includeLabs: boolean;
}

/** The choice is free until the first sync has made companies of it. */
export function putCreationPreference(
  db: Db,
  tenantId: string,
  input: CreationPreferenceInput,
  precondition: Precondition,
): Promise<{ preference: CreationPreference; created: boolean }> {
  return inLockedTenant(db, tenantId, async (tx, tenant) => {
    await requireUbi(tx, tenantId);
    const present = await findCreationPreference(tx);
    checkPrecondition(precondition, present?.version);
    return { preference: await applyCreationPreference(tx, tenant, input), created: present === undefined };
  });
}

/**
 * Makes the choice, while it is free. The tenant must be locked.
 * @throws Fault `setup_incomplete` before the UBI, `preview_required` when companies were made by another choice
 */
export async function applyCreationPreference(
  tx: Tx,
  tenant: Tenant,
  input: CreationPreferenceInput,
): Promise<CreationPreference> {
  await requireUbi(tx, tenant.id);
  const present = await findCreationPreference(tx);
  if (tenant.firstSyncedAt !== null && present !== undefined) checkSwitch(present, input);
  await saveCreationPreference(tx, tenant.id, input);
  return (await findCreationPreference(tx)) as CreationPreference;
}

/** Wanting labs only adds companies; every other change moves or archives some that people work with. */
function checkSwitch(present: CreationPreference, input: CreationPreferenceInput): void {
  if (present.strategy === input.strategy && (input.includeLabs || !present.includeLabs)) return;
  throw new ServiceError(
    'preview_required',
    'Companies were made by the present choice. POST …/company-creation-preference/preview shows what another one does; send its id as "preview_id".',
  );
}

export const getCreationPreference = (db: Db, tenantId: string): Promise<CreationPreference> =>
  inTenant(db, tenantId, async (tx) => {
    const preference = await findCreationPreference(tx);
    if (preference === undefined) throw new ServiceError('not_found', 'The preference is not set yet.');
    return preference;
  });

/** @throws Fault `setup_incomplete` before the choice is made */
export async function requireCreationPreference(tx: Tx, tenantId: string): Promise<CreationPreference> {
  const preference = await findCreationPreference(tx);
  if (preference !== undefined) return preference;
  throw setupIncomplete(
    tenantId,
    'company_creation_preference',
    'How vendors become companies has to be chosen first.',
  );
}
