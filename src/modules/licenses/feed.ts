import type { Tx } from '../../db/database.js';
import { findDifference } from '../../domain/difference.js';
import { type License, SETTING_NAMES } from '../../domain/license.js';
import { type Principal, toActor } from '../../domain/principal.js';
import { toFieldPairs, toSnakeCaseFields } from '../../domain/snake-case.js';
import { type FeedObject, type FeedObjectPage, insertLicenseChange, readAsOf } from '../../plans/index.js';
import { selectLicenses } from './repository.js';

const FEED_FIELDS = toFieldPairs(['id', 'licenseNumber', ...SETTING_NAMES, 'archived']);

const withArchived = (license: License) => ({ ...license, archived: license.archivedDatetime !== null });

/** Adds a change of one of the tenant's licenses to the feed. */
export async function recordChange(
  tx: Tx,
  tenantId: string,
  { before, after, principal }: { before: License | undefined; after: License; principal: Principal },
): Promise<void> {
  const difference = findDifference(before && withArchived(before), withArchived(after), FEED_FIELDS);
  if (difference === undefined) return;
  const kind = `own_license.${toChangeKind(before, after)}` as const;
  await insertLicenseChange(tx, tenantId, { kind, licenseId: after.id, actor: toActor(principal), ...difference });
}

function toChangeKind(before: License | undefined, after: License): 'created' | 'updated' | 'archived' | 'restored' {
  if (before === undefined) return 'created';
  const isArchived = after.archivedDatetime !== null;
  if (isArchived === (before.archivedDatetime !== null)) return 'updated';
  return isArchived ? 'archived' : 'restored';
}

/** The tenant's licenses for a snapshot of the feed, in the order of their ids. */
export const selectOwnLicensesAsOf = (tx: Tx, page: FeedObjectPage): Promise<FeedObject[]> =>
  readAsOf(tx, page, 'license_id', async (after, limit) => {
    const licenses = await selectLicenses(tx, 'include', limit, after);
    return licenses.slice(0, limit).map((license) => ({
      id: license.id,
      insertedAt: license.insertedDatetime,
      fields: toSnakeCaseFields(withArchived(license), FEED_FIELDS),
    }));
  });
