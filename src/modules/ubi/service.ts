import type { Db, Tx } from '../../db/database.js';
import { toUbiKey } from '../../domain/key.js';
import { checkPrecondition, type Precondition } from '../../domain/precondition.js';
import { notFound, ServiceError } from '../../domain/service-error.js';
import { setupIncomplete } from '../../domain/setup.js';
import { findDirectory, findKeyUse } from '../directory/index.js';
import { resumeAfterFix } from '../schedules/index.js';
import { inLockedTenant, inTenant, type ResetVerification, selectTenant, type Tenant } from '../tenants/index.js';
import { findUbi, loadUbiChangeEffect, saveUbi, type Ubi, updateUbiStatus } from './repository.js';

export interface UbiPorts {
  readonly resetVerification: ResetVerification;
}

export interface UbiInput {
  readonly ubi: string;
  readonly confirmed: boolean;
}

export function putUbi(
  db: Db,
  ports: UbiPorts,
  tenantId: string,
  input: UbiInput,
  precondition: Precondition,
): Promise<{ ubi: Ubi; created: boolean }> {
  return inLockedTenant(db, tenantId, async (tx, tenant) => {
    const present = await findUbi(tx);
    checkPrecondition(precondition, present?.version);
    return { ubi: await applyUbi(tx, ports, tenant, present, input), created: present === undefined };
  });
}

/**
 * Sets or replaces the UBI. Another UBI makes the credentials unverified. The tenant must be locked.
 * @throws ServiceError `confirmation_required`, `ubi_is_license_number`
 */
export async function applyUbi(
  tx: Tx,
  { resetVerification }: UbiPorts,
  tenant: Tenant,
  present: Ubi | undefined,
  { ubi, confirmed }: UbiInput,
): Promise<Ubi> {
  const ubiKey = toUbiKey(ubi) as string;
  const isAnother = present !== undefined && present.ubiKey !== ubiKey;
  // Another spelling of the same UBI keeps its status and needs no confirmation.
  if (present === undefined || isAnother) await checkNotLicenseNumber(tx, tenant, ubiKey);
  if (isAnother && !confirmed) await requireConfirmation(tx, [present.ubiKey, ubiKey]);
  if (isAnother) {
    await resetVerification(tx, ubiKey);
    await resumeAfterFix(tx);
  }
  const status = present === undefined || isAnother ? 'unverified' : present.status;
  return saveUbi(tx, tenant.id, { ubi, ubiKey, status });
}

async function requireConfirmation(tx: Tx, ubiKeys: readonly string[]): Promise<void> {
  const effect = await loadUbiChangeEffect(tx, ubiKeys);
  if (effect.licenses === 0) return;
  throw new ServiceError(
    'confirmation_required',
    'Licenses exist for the current UBI, and another UBI means another business. To change it, send "confirm": "change_ubi".',
    { reason: 'change_ubi', effect },
  );
}

/**
 * Catches the common mistake of entering a license number. Reveals nothing else of the state's list, because the caller may
 * not have a BioTrack login yet.
 */
async function checkNotLicenseNumber(tx: Tx, { state, environment }: Tenant, ubiKey: string): Promise<void> {
  const directory = await findDirectory(tx, state, environment);
  if (directory === undefined) return;
  const { isLicense, isUbi } = await findKeyUse(tx, directory.id, ubiKey);
  if (!isLicense || isUbi) return;
  throw new ServiceError(
    'ubi_is_license_number',
    'Enter the UBI: the number of the business that holds the license, which the BioTrack login form calls "license number".',
    { errors: [{ pointer: '/ubi', detail: 'is a license number in this state' }] },
  );
}

export const getUbi = (db: Db, tenantId: string): Promise<Ubi> =>
  inTenant(db, tenantId, async (tx) => {
    const ubi = await findUbi(tx);
    if (ubi === undefined) throw new ServiceError('not_found', 'The UBI is not set. Call putUbi to set it.');
    return ubi;
  });

/** @throws ServiceError `setup_incomplete` */
export async function requireUbi(tx: Tx, tenantId: string): Promise<Ubi> {
  const ubi = await findUbi(tx);
  if (ubi === undefined) throw noUbi(tenantId);
  return ubi;
}

/** The tenant and its UBI. @throws ServiceError `not_found`, `setup_incomplete` */
export async function requireTenantWithUbi(
  tx: Tx,
  tenantId: string,
): Promise<{ readonly tenant: Tenant; readonly ubiKey: string }> {
  const row = await selectTenant(tx)
    .leftJoin('ubis', 'ubis.tenant_id', 'tenants.tenant_id')
    .select('ubis.ubi_key as ubiKey')
    .executeTakeFirst();
  if (row === undefined) throw notFound('tenant');
  const { ubiKey, ...tenant } = row;
  if (ubiKey === null) throw noUbi(tenantId);
  return { tenant, ubiKey };
}

const noUbi = (tenantId: string): ServiceError => setupIncomplete(tenantId, 'ubi', "Set the tenant's UBI first.");

/**
 * Saves whether BioTrack recognized the UBI at a login. A refusal does not override an earlier successful login, because
 * BioTrack may refuse for another reason.
 */
export async function recordUbiStatus(tx: Tx, ubiKey: string, known: boolean): Promise<void> {
  if (known) return updateUbiStatus(tx, ubiKey, 'verified');
  const present = await findUbi(tx);
  if (present?.status === 'unverified') await updateUbiStatus(tx, ubiKey, 'rejected');
}
