import type { Activity, Skip, Vendor } from '../../domain/vendor.js';
import { toAddress } from '../address.js';
import { toObject } from '../document.js';
import { toFlag, toText, toTransactionId } from '../row-values.js';
import type { LicenseTypes } from '../states.js';
import { type ListName, toActivities, toSkipOfNoObject, toVendorOrSkip } from '../to-listed-vendor.js';
import { toWireVendor, type WireVendor } from './wire.js';

/** A row of one of the three lists. Laboratories and transporters have no flags: the list itself says what they do. */
export function toVendor(row: unknown, list: ListName, licenseTypes: LicenseTypes): Vendor | Skip {
  const object = toObject(row);
  if (object === undefined) return toSkipOfNoObject();
  const wire = toWireVendor(object);
  return toVendorOrSkip(wire, licenseTypes, () => ({
    name: toText(wire.name),
    licenseTypeRaw: toText(wire.locationtype),
    activities: readActivities(wire, list),
    address: toAddress({
      line1: wire.address1,
      line2: wire.address2,
      city: wire.city,
      state: wire.state,
      zip: wire.zip,
    }),
    isDeleted: toFlag(wire.deleted),
    isLab: list === 'labs',
    transactionId: toTransactionId(wire.transactionid),
    transactionIdOriginal: toTransactionId(wire.transactionid_original),
  }));
}

function readActivities(wire: WireVendor, list: ListName): readonly Activity[] {
  if (list === 'labs') return ['lab'];
  if (list === 'transporters') return ['transporter'];
  return toActivities([
    ['producer', toFlag(wire.producer)],
    ['processor', toFlag(wire.processor)],
    ['retail', toFlag(wire.retail)],
    ['medical', toFlag(wire.medical)],
  ]);
}
