import type { Environment } from '../domain/environment.js';
import type { Secret } from '../domain/secret.js';
import type { Action } from './classify.js';
import type { Deadline } from './deadline.js';
import type { VendorList } from './list.js';
import type { BiotrackEnvironment, LicenseTypes } from './states.js';
import type { ListName } from './to-listed-vendor.js';
import type { Upstream } from './upstream.js';

export interface BiotrackLogin {
  /** BioTrack's login calls this `license_number`. */
  readonly ubi: string;
  readonly username: string;
  readonly password: Secret;
  /** Sent as `X-License` by `rest`; `api4` has no such member. */
  readonly licenseNumber?: string | null;
}

export interface DialectContext {
  readonly state: string;
  readonly environment: Environment;
  readonly config: BiotrackEnvironment;
  readonly licenseTypes: LicenseTypes;
  readonly upstream: Upstream;
}

export interface VendorCheck {
  /**
   * The sum of the transaction numbers of all vendor rows; undefined if BioTrack does not return it to this user. Equal
   * sums make a change unlikely, not impossible.
   */
  readonly sum: string | undefined;
}

/** The calls that both dialects have. A session is an opaque string. */
export interface DialectClient {
  login(login: BiotrackLogin, deadline: Deadline): Promise<string>;
  /** The cheapest call that needs the privilege to read the list. Its result is ignored. */
  probeList(list: ListName, login: BiotrackLogin, session: string, deadline: Deadline): Promise<void>;
  fetchList(list: ListName, login: BiotrackLogin, session: string, deadline: Deadline): Promise<VendorList>;
  checkVendors(login: BiotrackLogin, session: string, deadline: Deadline): Promise<VendorCheck>;
}

/**
 * Above every transaction number (New Mexico's are around 31 million) and within 32 bits, because the effect of a larger
 * number on BioTrack is unknown.
 */
export const BEYOND_ALL_TRANSACTIONS = 2_147_483_647;

/** The privilege for an action has the same name. */
export const LIST_ACTIONS = {
  vendors: 'sync_vendor',
  labs: 'sync_qa_lab',
  transporters: 'sync_third_party_transporter',
} as const satisfies Record<ListName, Action>;
