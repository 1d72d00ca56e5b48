import type { Activity, Skip, Vendor } from '../../domain/vendor.js';
import { parseAddress } from '../address.js';
import { toObject } from '../document.js';
import { parseFlag, parseText, parseTransactionId } from '../row-values.js';
import type { LicenseTypes } from '../states.js';
import { type ListName, toActivities, toNotAnObjectSkip, toVendorOrSkip } from '../to-listed-vendor.js';
import { type Api4WireVendor, toApi4WireVendor } from './wire.js';

/** Laboratories and transporters have no activity flags: their list defines the activity. */
export function fromApi4Vendor(row: unknown, list: ListName, licenseTypes: LicenseTypes): Vendor | Skip {
  const object = toObject(row);
  if (object === undefined) return toNotAnObjectSkip();
  const wire = toApi4WireVendor(object);
  return toVendorOrSkip(wire, licenseTypes, () => ({
    name: parseText(wire.name),
    licenseTypeRaw: parseText(wire.locationtype),
    activities: parseActivities(wire, list),
    address: parseAddress({
      line1: wire.address1,
      line2: wire.address2,
      city: wire.city,
      state: wire.state,
      zip: wire.zip,
    }),
    isDeleted: parseFlag(wire.deleted),
    isLab: list === 'labs',
    transactionId: parseTransactionId(wire.transactionid),
    transactionIdOriginal: parseTransactionId(wire.transactionid_original),
  }));
}

function parseActivities(wire: Api4WireVendor, list: ListName): readonly Activity[] {
  if (list === 'labs') return ['lab'];
  if (list === 'transporters') return ['transporter'];
  return toActivities([
    ['producer', parseFlag(wire.producer)],
    ['processor', parseFlag(wire.processor)],
    ['retail', parseFlag(wire.retail)],
    ['medical', parseFlag(wire.medical)],
  ]);
}
