import type { Environment } from '../domain/environment.js';
import type { Secret } from '../domain/secret.js';
import type { Action } from './classify.js';
import type { Deadline } from './deadline.js';
import type { VendorList } from './list.js';
import type { BiotrackEnvironment, LicenseTypes } from './states.js';
import type { ListName } from './to-listed-vendor.js';
import type { Upstream } from './upstream.js';

export interface BiotrackLogin {
  /** BioTrack's login calls it `license_number`. */
  readonly ubi: string;
  readonly username: string;
  readonly password: Secret;
}

/** Where a client asks, and what it knows of the state there. */
export interface DialectContext {
  readonly state: string;
  readonly environment: Environment;
  readonly config: BiotrackEnvironment;
  readonly licenseTypes: LicenseTypes;
  readonly upstream: Upstream;
}

export interface VendorCheck {
  /**
   * The sum of the transaction numbers of all vendor rows; undefined when BioTrack does not tell it to this user. Equal
   * sums mean that very likely nothing changed, never that nothing did.
   */
  readonly sum: string | undefined;
}

/** What both dialects can do, each in its words. A session is a text and nothing else. */
export interface DialectClient {
  login(login: BiotrackLogin, deadline: Deadline): Promise<string>;
  /** The cheapest call that needs the privilege to read vendors; its answer is not looked at. */
  probeVendors(login: BiotrackLogin, session: string, deadline: Deadline): Promise<void>;
  fetchList(list: ListName, login: BiotrackLogin, session: string, deadline: Deadline): Promise<VendorList>;
  checkVendors(login: BiotrackLogin, session: string, deadline: Deadline): Promise<VendorCheck>;
}

/**
 * Beyond any transaction number (New Mexico's are at 31 million), and still within 32 bits: what a larger one does to
 * BioTrack's database is not known.
 */
export const BEYOND_ALL_TRANSACTIONS = 2_147_483_647;

/** A privilege is called like the action; so the action says which list it is. */
export const LIST_ACTIONS = {
  vendors: 'sync_vendor',
  labs: 'sync_qa_lab',
  transporters: 'sync_third_party_transporter',
} as const satisfies Record<ListName, Action>;
