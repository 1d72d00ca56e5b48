import { readMember, type WireObject } from '../document.js';

/**
 * One row of `sync_vendor`: one licensed site. Ids and flags arrive as numbers, numeric texts, null, or not at all, in
 * any order (seen in public adapters); so every member is unknown until `to-vendor.ts` has read it.
 */
export interface Api4WireVendor {
  readonly ubi: unknown;
  /** The license number, under BioTrack's own name for it. */
  readonly location: unknown;
  readonly name: unknown;
  readonly locationtype: unknown;
  readonly address1: unknown;
  readonly address2: unknown;
  readonly city: unknown;
  readonly state: unknown;
  readonly zip: unknown;
  readonly producer: unknown;
  readonly processor: unknown;
  readonly retail: unknown;
  readonly medical: unknown;
  readonly deleted: unknown;
  readonly transactionid: unknown;
  readonly transactionid_original: unknown;
}

export const toApi4WireVendor = (row: WireObject): Api4WireVendor => ({
  ubi: readMember(row, 'ubi'),
  location: readMember(row, 'location'),
  name: readMember(row, 'name'),
  locationtype: readMember(row, 'locationtype'),
  address1: readMember(row, 'address1'),
  address2: readMember(row, 'address2'),
  city: readMember(row, 'city'),
  state: readMember(row, 'state'),
  zip: readMember(row, 'zip'),
  producer: readMember(row, 'producer'),
  processor: readMember(row, 'processor'),
  retail: readMember(row, 'retail'),
  medical: readMember(row, 'medical'),
  deleted: readMember(row, 'deleted'),
  transactionid: readMember(row, 'transactionid'),
  transactionid_original: readMember(row, 'transactionid_original'),
});
