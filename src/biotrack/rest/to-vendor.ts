import type { Skip, Vendor } from '../../domain/vendor.js';
import { parseAddress } from '../address.js';
import { toObject } from '../document.js';
import { parseFlag, parseText, parseTransactionId } from '../row-values.js';
import type { LicenseTypes } from '../states.js';
import { toActivities, toNotAnObjectSkip, toVendorOrSkip } from '../to-listed-vendor.js';
import { toRestWireVendor } from './wire.js';

export function fromRestVendor(row: unknown, licenseTypes: LicenseTypes): Vendor | Skip {
  const object = toObject(row);
  if (object === undefined) return toNotAnObjectSkip();
  const wire = toRestWireVendor(object);
  const identity = { location: wire.LocationLicense, ubi: wire.UBI, name: wire.Name };
  return toVendorOrSkip(identity, licenseTypes, () => ({
    name: parseText(wire.Name),
    // This dialect writes 0 for an unknown number (inferred).
    licenseTypeRaw: wire.Type === 0 || wire.Type === '0' ? null : parseText(wire.Type),
    activities: toActivities([
      ['producer', parseFlag(wire.Producer)],
      ['processor', parseFlag(wire.Processor)],
      ['retail', parseFlag(wire.Retail)],
      ['transporter', parseFlag(wire.Transporter)],
    ]),
    address: parseAddress({
      line1: wire.Address,
      line2: wire.Address2,
      city: wire.City,
      state: wire.State,
      zip: wire.Zip,
    }),
    isDeleted: parseFlag(wire.Deleted),
    isLab: false,
    transactionId: parseTransactionId(wire.TransactionID),
    // This dialect does not return the number at creation.
    transactionIdOriginal: null,
  }));
}
