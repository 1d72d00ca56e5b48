import { readMember, type WireObject } from '../document.js';

/** One row of `GET /v1/vendor`: one licensed site (seen in public adapters). Plain types, and still nothing is trusted. */
export interface RestWireVendor {
  readonly UBI: unknown;
  /** The license number. */
  readonly LocationLicense: unknown;
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
  UBI: readMember(row, 'UBI'),
  LocationLicense: readMember(row, 'LocationLicense'),
  Name: readMember(row, 'Name'),
  Type: readMember(row, 'Type'),
  Address: readMember(row, 'Address'),
  Address2: readMember(row, 'Address2'),
  City: readMember(row, 'City'),
  State: readMember(row, 'State'),
  Zip: readMember(row, 'Zip'),
  Producer: readMember(row, 'Producer'),
  Processor: readMember(row, 'Processor'),
  Retail: readMember(row, 'Retail'),
  Transporter: readMember(row, 'Transporter'),
  Deleted: readMember(row, 'Deleted'),
  TransactionID: readMember(row, 'TransactionID'),
});
