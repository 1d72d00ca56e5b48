import type { Activity } from '../../domain/vendor.js';
import { parseAddress, UNKNOWN_ADDRESS } from '../address.js';
import { toObject } from '../document.js';
import { parseFlag, parseIdentifier, parseText, parseTransactionId } from '../row-values.js';
import type { LicenseTypes } from '../states.js';
import {
  type ListedVendor,
  type ListName,
  type ReadField,
  toActivities,
  toListedVendor,
  toNotAnObjectSkip,
} from '../to-listed-vendor.js';
import { type Api4WireVendor, toApi4WireVendor } from './wire.js';

/** Laboratories and transporters have no activity flags: their list defines the activity. */
export function fromApi4Vendor(row: unknown, list: ListName, licenseTypes: LicenseTypes): ListedVendor {
  const object = toObject(row);
  if (object === undefined) return toNotAnObjectSkip();
  const wire = toApi4WireVendor(object, list);
  return toListedVendor(wire, licenseTypes, (read) => ({
    ubi: read('ubi', parseIdentifier, wire.ubi, null),
    name: read('name', parseText, wire.name, null),
    licenseTypeRaw: read('license_type', parseText, wire.locationtype, null),
    activities: readActivities(read, wire, list),
    address: read(
      'address',
      parseAddress,
      { line1: wire.address1, line2: wire.address2, city: wire.city, state: wire.state, zip: wire.zip },
      UNKNOWN_ADDRESS,
    ),
    isDeleted: read('deleted', parseFlag, wire.deleted, false),
    isLab: list === 'labs',
    transactionId: read('transaction_id', parseTransactionId, wire.transactionid, null),
    transactionIdOriginal: read('transaction_id_original', parseTransactionId, wire.transactionid_original, null),
  }));
}

function readActivities(read: ReadField, wire: Api4WireVendor, list: ListName): readonly Activity[] {
  if (list === 'labs') return ['lab'];
  if (list === 'transporters') return ['transporter'];
  return toActivities([
    ['producer', read('producer', parseFlag, wire.producer, false)],
    ['processor', read('processor', parseFlag, wire.processor, false)],
    ['retail', read('retail', parseFlag, wire.retail, false)],
    ['medical', read('medical', parseFlag, wire.medical, false)],
  ]);
}
