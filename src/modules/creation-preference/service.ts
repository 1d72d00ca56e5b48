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
 * Saves the preference. The tenant must be locked.
 * @throws ServiceError `setup_incomplete` without a UBI, `preview_required` if it would move or archive companies
 */
export async function applyCreationPreference(
  tx: Tx,
  tenant: Tenant,
  input: CreationPreferenceInput,
): Promise<CreationPreference> {
  await requireUbi(tx, tenant.id);
  const present = await findCreationPreference(tx);
  if (tenant.firstSyncedAt !== null && present !== undefined) checkSwitch(present, input);
  return saveCreationPreference(tx, tenant.id, input);
}

/** Including laboratories only adds companies. Every other change moves or archives existing ones. */
function checkSwitch(present: CreationPreference, input: CreationPreferenceInput): void {
  if (present.strategy === input.strategy && (input.includeLabs || !present.includeLabs)) return;
  throw new ServiceError(
    'preview_required',
    'Companies exist for the current preference. Call POST …/company-creation-preference/preview to see what would change, then send the id of the preview as "preview_id".',
  );
}

export const getCreationPreference = (db: Db, tenantId: string): Promise<CreationPreference> =>
  inTenant(db, tenantId, async (tx) => {
    const preference = await findCreationPreference(tx);
    if (preference === undefined)
      throw new ServiceError('not_found', 'The preference is not set. Call putCompanyCreationPreference to set it.');
    return preference;
  });

/** @throws ServiceError `setup_incomplete` */
export async function requireCreationPreference(tx: Tx, tenantId: string): Promise<CreationPreference> {
  const preference = await findCreationPreference(tx);
  if (preference !== undefined) return preference;
  throw setupIncomplete(tenantId, 'company_creation_preference', 'Set the company creation preference first.');
}
