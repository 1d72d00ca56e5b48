import { parseAddress, UNKNOWN_ADDRESS } from '../address.js';
import { toObject } from '../document.js';
import { parseFlag, parseIdentifier, parseText, parseTransactionId } from '../row-values.js';
import type { LicenseTypes } from '../states.js';
import { type ListedVendor, toActivities, toListedVendor, toNotAnObjectSkip } from '../to-listed-vendor.js';
import { toRestWireVendor } from './wire.js';

/** Laboratories have another member for the license number, and no activity flags: their list defines the activity. */
export function fromRestVendor(row: unknown, list: 'vendors' | 'labs', licenseTypes: LicenseTypes): ListedVendor {
  const object = toObject(row);
  if (object === undefined) return toNotAnObjectSkip();
  const wire = toRestWireVendor(object);
  const isLab = list === 'labs';
  const identity = { location: isLab ? wire.LicenseNumber : wire.LocationLicense, ubi: wire.UBI, name: wire.Name };
  return toListedVendor(identity, licenseTypes, (read) => ({
    ubi: read('ubi', parseIdentifier, wire.UBI, null),
    name: read('name', parseText, wire.Name, null),
    licenseTypeRaw: read('license_type', parseType, wire.Type, null),
    activities: isLab
      ? ['lab']
      : toActivities([
          ['producer', read('producer', parseFlag, wire.Producer, false)],
          ['processor', read('processor', parseFlag, wire.Processor, false)],
          ['retail', read('retail', parseFlag, wire.Retail, false)],
          ['transporter', read('transporter', parseFlag, wire.Transporter, false)],
        ]),
    address: read(
      'address',
      parseAddress,
      { line1: wire.Address, line2: wire.Address2, city: wire.City, state: wire.State, zip: wire.Zip },
      UNKNOWN_ADDRESS,
    ),
    isDeleted: read('deleted', parseFlag, wire.Deleted, false),
    isLab,
    transactionId: read('transaction_id', parseTransactionId, wire.TransactionID, null),
    // This dialect does not return the number at creation.
    transactionIdOriginal: null,
  }));
}

/** This dialect writes 0 for an unknown number (inferred). */
const parseType = (value: unknown): string | null => (value === 0 || value === '0' ? null : parseText(value));
