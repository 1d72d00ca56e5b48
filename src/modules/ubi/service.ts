import type { Db, Tx } from '../../db/database.js';
import { toUbiKey } from '../../domain/key.js';
import { checkPrecondition, type Precondition } from '../../domain/precondition.js';
import { ServiceError } from '../../domain/service-error.js';
import { setupIncomplete } from '../../domain/setup.js';
import { findDirectory, findMeaning } from '../directory/index.js';
import { resumeAfterFix } from '../schedules/index.js';
import { inLockedTenant, inTenant, type Tenant, unverifyCredentials } from '../tenants/index.js';
import { countUbiChangeEffect, findUbi, saveUbi, type Ubi, updateUbiStatus } from './repository.js';

export interface UbiInput {
  readonly ubi: string;
  readonly confirmed: boolean;
}

/** Sets the UBI, or replaces it; the first time returns `created`. */
export function putUbi(
  db: Db,
  tenantId: string,
  input: UbiInput,
  precondition: Precondition,
): Promise<{ ubi: Ubi; created: boolean }> {
  return inLockedTenant(db, tenantId, async (tx, tenant) => {
    const present = await findUbi(tx);
    checkPrecondition(precondition, present?.version);
    return { ubi: await applyUbi(tx, tenant, present, input), created: present === undefined };
  });
}

/**
 * Sets the UBI in place of the present one. The tenant must be locked.
 * @throws Fault `confirmation_required`, `ubi_is_license_number`
 */
export async function applyUbi(
  tx: Tx,
  tenant: Tenant,
  present: Ubi | undefined,
  { ubi, confirmed }: UbiInput,
): Promise<Ubi> {
  const ubiKey = toUbiKey(ubi) as string;
  const isAnother = present !== undefined && present.ubiKey !== ubiKey;
  // Another spelling of the same UBI keeps what was found out of it, and is nothing to be asked about.
  if (present === undefined || isAnother) await refuseLicenseNumber(tx, tenant, ubiKey);
  if (isAnother && !confirmed) await requireConfirmation(tx, [present.ubiKey, ubiKey]);
  if (isAnother) {
    await unverifyCredentials(tx, ubiKey);
    await resumeAfterFix(tx);
  }
  const status = present === undefined || isAnother ? 'unverified' : present.status;
  await saveUbi(tx, tenant.id, { ubi, ubiKey, status });
  return (await findUbi(tx)) as Ubi;
}

async function requireConfirmation(tx: Tx, ubiKeys: readonly string[]): Promise<void> {
  const effect = await countUbiChangeEffect(tx, ubiKeys);
  if (effect.licenses === 0) return;
  throw new ServiceError(
    'confirmation_required',
    'Licenses were created for the present UBI. Another UBI is another business; send "confirm": "change_ubi" if that is meant.',
    { reason: 'change_ubi', effect },
  );
}

/**
 * People paste the number of their license, which is the other number that the state gave them. Nothing more of the
 * state's list is told: who asks may have no login there yet.
 */
async function refuseLicenseNumber(tx: Tx, { state, environment }: Tenant, ubiKey: string): Promise<void> {
  const directory = await findDirectory(tx, state, environment);
  if (directory === undefined) return;
  const { isLicense, isUbi } = await findMeaning(tx, directory.id, ubiKey);
  if (!isLicense || isUbi) return;
  throw new ServiceError(
    'ubi_is_license_number',
    'The state knows this as the number of a license. The UBI is the number of the business that holds the license, and what BioTrack asks for at login as "license number".',
    { errors: [{ pointer: '/ubi', detail: 'is a license number' }] },
  );
}

export const getUbi = (db: Db, tenantId: string): Promise<Ubi> =>
  inTenant(db, tenantId, async (tx) => {
    const ubi = await findUbi(tx);
    if (ubi === undefined) throw new ServiceError('not_found', 'The UBI is not set yet.');
    return ubi;
  });

/** @throws Fault `setup_incomplete` before step 1 */
export async function requireUbi(tx: Tx, tenantId: string): Promise<Ubi> {
  const ubi = await findUbi(tx);
  if (ubi === undefined) throw setupIncomplete(tenantId, 'ubi', "The tenant's UBI comes first.");
  return ubi;
}

/**
 * Notes what a login said of a UBI. A bare refusal is weak evidence, so it never takes back what a successful login
 * has shown.
 */
export async function recordUbiStatus(tx: Tx, ubiKey: string, known: boolean): Promise<void> {
  if (known) return updateUbiStatus(tx, ubiKey, 'verified');
  const present = await findUbi(tx);
  if (present?.status === 'unverified') await updateUbiStatus(tx, ubiKey, 'rejected');
}
