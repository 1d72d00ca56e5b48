import type { Skip, Vendor } from '../../domain/vendor.js';
import { toAddress } from '../address.js';
import { toObject } from '../document.js';
import { toFlag, toText, toTransactionId } from '../row-values.js';
import type { LicenseTypes } from '../states.js';
import { toActivities, toSkipOfNoObject, toVendorOrSkip } from '../to-listed-vendor.js';
import { toWireVendor } from './wire.js';

export function toVendor(row: unknown, licenseTypes: LicenseTypes): Vendor | Skip {
  const object = toObject(row);
  if (object === undefined) return toSkipOfNoObject();
  const wire = toWireVendor(object);
  const identity = { location: wire.LocationLicense, ubi: wire.UBI, name: wire.Name };
  return toVendorOrSkip(identity, licenseTypes, () => ({
    name: toText(wire.Name),
    // In this dialect an unknown number is 0 (inferred).
    licenseTypeRaw: wire.Type === 0 || wire.Type === '0' ? null : toText(wire.Type),
    activities: toActivities([
      ['producer', toFlag(wire.Producer)],
      ['processor', toFlag(wire.Processor)],
      ['retail', toFlag(wire.Retail)],
      ['transporter', toFlag(wire.Transporter)],
    ]),
    address: toAddress({
      line1: wire.Address,
      line2: wire.Address2,
      city: wire.City,
      state: wire.State,
      zip: wire.Zip,
    }),
    isDeleted: toFlag(wire.Deleted),
    isLab: false,
    transactionId: toTransactionId(wire.TransactionID),
    // This dialect does not tell the number at creation.
    transactionIdOriginal: null,
  }));
}
