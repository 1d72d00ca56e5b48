import { toLicenseKey } from '../../domain/key.js';
import {
  ACTIVITIES,
  type Activity,
  type PartlyReadVendor,
  type RowField,
  type Skip,
  type UnreadableValue,
  type Vendor,
} from '../../domain/vendor.js';
import { filterMapYielding, forEachYielding, type Yielding } from '../../domain/yielding.js';
import type { DirectoryEntry } from './listing-repository.js';

export interface ResolvedRows {
  readonly vendors: readonly Vendor[];
  /** Includes the rows of licenses that are withheld. */
  readonly skips: readonly Skip[];
  /** Rows beyond the first of licenses that stay as they are published. */
  readonly dropped: number;
}

interface RowsOfLicense {
  readonly readable: Vendor[];
  readonly partlyRead: PartlyReadVendor[];
}

export const toPartlyReadKeys = (partlyRead: readonly PartlyReadVendor[]): ReadonlySet<string> =>
  new Set(partlyRead.map(({ vendor }) => toLicenseKey(vendor.licenseNumber)));

/**
 * Completes partly read rows, so that a value that cannot be read never changes a license:
 * - A published license keeps the published value of each field that cannot be read. If several rows list it and any of
 *   them is only partly read, it stays whole, because which of the rows is the latest is unknown.
 * - A license that is not published is withheld while its UBI or its deleted flag cannot be read. Other values that
 *   cannot be read stay null.
 * @param published by license key, for every license with a partly read row that is or was listed
 */
export function* resolvePartlyRead(
  { vendors, partlyRead, skips }: Omit<ResolvedRows, 'dropped'> & { readonly partlyRead: readonly PartlyReadVendor[] },
  published: ReadonlyMap<string, DirectoryEntry>,
): Yielding<ResolvedRows> {
  const rows = new Map<string, RowsOfLicense>();
  for (const key of toPartlyReadKeys(partlyRead)) rows.set(key, { readable: [], partlyRead: [] });
  for (const row of partlyRead) rows.get(toLicenseKey(row.vendor.licenseNumber))?.partlyRead.push(row);
  const resolved = yield* filterMapYielding(vendors, (vendor) => {
    const ofLicense = rows.get(toLicenseKey(vendor.licenseNumber));
    ofLicense?.readable.push(vendor);
    return ofLicense === undefined ? vendor : undefined;
  });
  const withheld: Skip[] = [];
  let dropped = 0;
  yield* forEachYielding(rows, ([key, ofLicense]) => {
    const entry = published.get(key);
    const isListed = entry !== undefined && entry.missingSince === null;
    const undecided = ofLicense.partlyRead.flatMap(({ unreadable }) => unreadable).find(isDecisive);
    const all = [...ofLicense.readable, ...ofLicense.partlyRead.map(({ vendor }) => vendor)];
    if (isListed && all.length > 1) {
      resolved.push({ ...entry, transactionId: null });
      dropped += all.length - 1;
    } else if (!isListed && undecided !== undefined) {
      withheld.push(...all.map((vendor) => toWithheld(vendor, undecided.reason)));
    } else {
      resolved.push(...ofLicense.readable, ...ofLicense.partlyRead.map((row) => complete(row, entry)));
    }
  });
  return { vendors: resolved, skips: [...skips, ...withheld], dropped };
}

/** Without these, it is unknown whose license it is, or whether it is active. */
const DECISIVE: readonly RowField[] = ['ubi', 'deleted'];

const isDecisive = ({ field }: UnreadableValue): boolean => DECISIVE.includes(field);

const toWithheld = ({ licenseNumber, ubi, name }: Vendor, reason: UnreadableValue['reason']): Skip => ({
  reason,
  licenseNumber,
  ubi,
  name,
});

/** The vendor with the published value of each field that cannot be read. */
function complete({ vendor, unreadable }: PartlyReadVendor, entry: DirectoryEntry | undefined): Vendor {
  if (entry === undefined) return vendor;
  const isUnreadable = (name: RowField): boolean => unreadable.some(({ field }) => field === name);
  const activities = ACTIVITIES.filter((activity) =>
    (isFlag(activity) && isUnreadable(activity) ? entry : vendor).activities.includes(activity),
  );
  return {
    ...vendor,
    activities: activities.sort(),
    ...(isUnreadable('ubi') && { ubi: entry.ubi }),
    ...(isUnreadable('name') && { name: entry.name }),
    ...(isUnreadable('license_type') && { licenseType: entry.licenseType, licenseTypeRaw: entry.licenseTypeRaw }),
    // As a whole: half of the old address with half of the new one would be no address at all.
    ...(isUnreadable('address') && { address: entry.address }),
    ...(isUnreadable('deleted') && { isDeleted: entry.isDeleted }),
    ...(isUnreadable('transaction_id_original') && { transactionIdOriginal: entry.transactionIdOriginal }),
  };
}

/** A laboratory has no flag: its list defines the activity. */
const isFlag = (activity: Activity): activity is Exclude<Activity, 'lab'> => activity !== 'lab';
