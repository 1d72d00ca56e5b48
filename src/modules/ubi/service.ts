import type { Db, Tx } from '../../db/database.js';
import { Fault } from '../../domain/fault.js';
import { toUbiKey } from '../../domain/key.js';
import { checkPrecondition, type Precondition } from '../../domain/precondition.js';
import { setupIncomplete } from '../../domain/setup.js';
import { wakeSchedule } from '../schedules/index.js';
import { forgetVerdicts, inLockedTenant, inTenant } from '../tenants/index.js';
import { findUbi, hasLicenses, saveUbi, type Ubi, updateUbiStatus } from './repository.js';

export interface UbiInput {
  readonly ubi: string;
  readonly confirmed: boolean;
}

/** Sets the UBI, or replaces it; the first time returns `created`. */
export function putUbi(
  db: Db,
  tenantId: string,
  { ubi, confirmed }: UbiInput,
  precondition: Precondition,
): Promise<{ ubi: Ubi; created: boolean }> {
  return inLockedTenant(db, tenantId, async (tx) => {
    const present = await findUbi(tx);
    checkPrecondition(precondition, present?.version);
    const ubiKey = toUbiKey(ubi) as string;
    const isAnother = present !== undefined && present.ubiKey !== ubiKey;
    if (isAnother && !confirmed && (await hasLicenses(tx))) {
      throw new Fault(
        'confirmation_required',
        'Licenses were created for the present UBI. Another UBI is another business; send "confirm": "change_ubi" if that is meant.',
        { reason: 'change_ubi' },
      );
    }
    if (isAnother) {
      await forgetVerdicts(tx);
      await wakeSchedule(tx);
    }
    // Another spelling of the same UBI keeps what was found out of it.
    const status = present === undefined || isAnother ? 'unverified' : present.status;
    await saveUbi(tx, tenantId, { ubi, ubiKey, status });
    return { ubi: (await findUbi(tx)) as Ubi, created: present === undefined };
  });
}

export const getUbi = (db: Db, tenantId: string): Promise<Ubi> =>
  inTenant(db, tenantId, async (tx) => {
    const ubi = await findUbi(tx);
    if (ubi === undefined) throw new Fault('not_found', 'The UBI is not set yet.');
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
export async function noteUbiVerdict(tx: Tx, ubiKey: string, known: boolean): Promise<void> {
  if (known) return updateUbiStatus(tx, ubiKey, 'verified');
  const present = await findUbi(tx);
  if (present?.status === 'unverified') await updateUbiStatus(tx, ubiKey, 'rejected');
}
