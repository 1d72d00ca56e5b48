import { findMember, type WireObject } from '../document.js';
import type { ListName } from '../to-listed-vendor.js';

/**
 * One row of `sync_vendor`: one licensed site. Ids and flags arrive as numbers, numeric strings, null, or not at all
 * (observed in public adapters), so every member is unknown.
 */
export interface Api4WireVendor {
  readonly ubi: unknown;
  /** BioTrack's name for the license number. */
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

/**
 * Rows of laboratories and transporters can have their license number in `license_number` instead of `location` (observed
 * in public adapters). In a login, the same name means the UBI, so it is not read from rows of vendors.
 */
export const toApi4WireVendor = (row: WireObject, list: ListName): Api4WireVendor => ({
  ubi: findMember(row, 'ubi'),
  location: findMember(row, 'location') ?? (list === 'vendors' ? undefined : findMember(row, 'license_number')),
  name: findMember(row, 'name'),
  locationtype: findMember(row, 'locationtype'),
  address1: findMember(row, 'address1'),
  address2: findMember(row, 'address2'),
  city: findMember(row, 'city'),
  state: findMember(row, 'state'),
  zip: findMember(row, 'zip'),
  producer: findMember(row, 'producer'),
  processor: findMember(row, 'processor'),
  retail: findMember(row, 'retail'),
  medical: findMember(row, 'medical'),
  deleted: findMember(row, 'deleted'),
  transactionid: findMember(row, 'transactionid'),
  transactionid_original: findMember(row, 'transactionid_original'),
});
