import { findMember, type WireObject } from '../document.js';

/** One row of `GET /v1/vendor` or `GET /v1/lab`: one licensed site (observed in public adapters). */
export interface RestWireVendor {
  readonly UBI: unknown;
  /** The license number of a vendor. */
  readonly LocationLicense: unknown;
  /** The license number of a laboratory. */
  readonly LicenseNumber: unknown;
  readonly Name: unknown;
  readonly Type: unknown;
  readonly Address: unknown;
  readonly Address2: unknown;
  readonly City: unknown;
  readonly State: unknown;
  readonly Zip: unknown;
  readonly Producer: unknown;
  readonly Processor: unknown;
  readonly Retail: unknown;
  readonly Transporter: unknown;
  readonly Deleted: unknown;
  readonly TransactionID: unknown;
}

export const toRestWireVendor = (row: WireObject): RestWireVendor => ({
  UBI: findMember(row, 'UBI'),
  LocationLicense: findMember(row, 'LocationLicense'),
  LicenseNumber: findMember(row, 'LicenseNumber'),
  Name: findMember(row, 'Name'),
  Type: findMember(row, 'Type'),
  Address: findMember(row, 'Address'),
  Address2: findMember(row, 'Address2'),
  City: findMember(row, 'City'),
  State: findMember(row, 'State'),
  Zip: findMember(row, 'Zip'),
  Producer: findMember(row, 'Producer'),
  Processor: findMember(row, 'Processor'),
  Retail: findMember(row, 'Retail'),
  Transporter: findMember(row, 'Transporter'),
  Deleted: findMember(row, 'Deleted'),
  TransactionID: findMember(row, 'TransactionID'),
});
