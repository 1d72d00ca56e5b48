import { BiotrackError, type BiotrackSession, isLoginRefusal, type VendorList } from '../../biotrack/index.js';
import type { OptionalAction } from '../../domain/directory-warning.js';
import { toLicenseKey } from '../../domain/key.js';
import type { PartlyReadVendor, Skip, Vendor } from '../../domain/vendor.js';

/** A digest of each row without a readable license number. */
export interface IllegibleRows {
  readonly vendors: readonly string[];
  readonly labs: readonly string[];
}

/** Everything that one refresh read from the state. */
export interface StateList {
  readonly vendors: readonly Vendor[];
  readonly partlyRead: readonly PartlyReadVendor[];
  readonly skips: readonly Skip[];
  /** Digests of the rows of each list that have no readable license number. */
  readonly illegible: IllegibleRows;
  readonly fetched: number;
  /** Of the list of vendors, see `VendorList`. */
  readonly transactionSum: string | null;
  /** Licenses that the state also lists as transporters. */
  readonly transporters: ReadonlySet<string>;
  /** False if the list of transporters is offered but could not be read, or not all of it. Those that are published stay. */
  readonly hasTransporters: boolean;
  /** Whether the state's laboratories are in it. If not, those that are published stay. */
  readonly hasLabs: boolean;
  /** Optional lists that could not be read. */
  readonly notRead: readonly OptionalAction[];
}

/** Reads the state's lists. Only the list of vendors is essential: the others never prevent a refresh. */
export async function fetchStateList(session: BiotrackSession, includeLabs: boolean): Promise<StateList> {
  const { vendors, partlyRead, skips, skippedDigests, fetched, transactionSum } = await session.fetchVendors();
  const transporters = await fetchOptional(session.fetchTransporters);
  const labs = includeLabs ? await fetchOptional(session.fetchLabs) : undefined;
  const notRead: OptionalAction[] = [];
  if (session.fetchTransporters !== undefined && transporters === undefined)
    notRead.push('sync_third_party_transporter');
  if (includeLabs && labs === undefined) notRead.push('sync_qa_lab');
  return {
    vendors: [...vendors, ...(labs?.vendors ?? [])],
    partlyRead: [...partlyRead, ...(labs?.partlyRead ?? [])],
    skips: [...skips, ...(labs?.skips ?? [])],
    illegible: { vendors: skippedDigests, labs: labs?.skippedDigests ?? [] },
    fetched: fetched + (labs?.fetched ?? 0),
    transactionSum,
    transporters: toKeys(transporters),
    hasTransporters: session.fetchTransporters === undefined || transporters?.skips.length === 0,
    hasLabs: labs !== undefined,
    notRead,
  };
}

/**
 * Undefined if the state does not offer the list, or it cannot be read. An absent or empty list counts as not read: BioTrack
 * omits a list that is empty and one that it does not have.
 * @throws only if BioTrack refuses the login
 */
async function fetchOptional(fetch: (() => Promise<VendorList>) | undefined): Promise<VendorList | undefined> {
  try {
    return await fetch?.();
  } catch (error) {
    if (error instanceof BiotrackError && !isLoginRefusal(error.reason)) return undefined;
    throw error;
  }
}

function toKeys(list: VendorList | undefined): ReadonlySet<string> {
  const vendors = list === undefined ? [] : [...list.vendors, ...list.partlyRead.map(({ vendor }) => vendor)];
  return new Set(vendors.map(({ licenseNumber }) => toLicenseKey(licenseNumber)));
}
