import { BiotrackError, type BiotrackSession, type VendorList } from '../../biotrack/index.js';
import type { OptionalAction } from '../../domain/directory-warning.js';
import type { UpstreamReason } from '../../domain/failure-reason.js';
import { toLicenseKey } from '../../domain/key.js';
import type { PartlyReadVendor, Skip, Vendor } from '../../domain/vendor.js';

/** Everything that one refresh read from the state. */
export interface StateList {
  readonly vendors: readonly Vendor[];
  readonly partlyRead: readonly PartlyReadVendor[];
  readonly skips: readonly Skip[];
  /** How many of `skips` are from each list. */
  readonly illegible: { readonly vendors: number; readonly labs: number };
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
  const { vendors, partlyRead, skips, fetched, transactionSum } = await session.fetchVendors();
  const transporters = await fetchOptional(session.fetchTransporters);
  const labs = includeLabs ? ((await fetchOptional(session.fetchLabs)) ?? 'absent') : undefined;
  const notRead: OptionalAction[] = [];
  if (transporters === 'failed') notRead.push('sync_third_party_transporter');
  if (labs === 'failed' || labs === 'absent') notRead.push('sync_qa_lab');
  const labList = typeof labs === 'object' ? labs : undefined;
  const transporterList = typeof transporters === 'object' ? transporters : undefined;
  return {
    vendors: [...vendors, ...(labList?.vendors ?? [])],
    partlyRead: [...partlyRead, ...(labList?.partlyRead ?? [])],
    skips: [...skips, ...(labList?.skips ?? [])],
    illegible: { vendors: skips.length, labs: labList?.skips.length ?? 0 },
    fetched: fetched + (labList?.fetched ?? 0),
    transactionSum,
    transporters: toKeys(transporterList),
    hasTransporters: transporters === undefined || transporterList?.skips.length === 0,
    hasLabs: labList !== undefined,
    notRead,
  };
}

/** Errors of the login: it is not used for further calls. */
const LOGIN_ERRORS: readonly UpstreamReason[] = ['credentials_rejected', 'ubi_rejected'];

/**
 * Undefined if the state does not offer the list. `absent`: the response has no list. BioTrack omits a list that is empty
 * and one that it does not have.
 * @throws BiotrackError only for errors of the login
 */
async function fetchOptional(
  fetch: (() => Promise<VendorList>) | undefined,
): Promise<VendorList | 'absent' | 'failed' | undefined> {
  if (fetch === undefined) return undefined;
  try {
    return await fetch();
  } catch (error) {
    if (!(error instanceof BiotrackError) || LOGIN_ERRORS.includes(error.reason)) throw error;
    return error.reason === 'list_empty' ? 'absent' : 'failed';
  }
}

function toKeys(list: VendorList | undefined): ReadonlySet<string> {
  const vendors = list === undefined ? [] : [...list.vendors, ...list.partlyRead.map(({ vendor }) => vendor)];
  return new Set(vendors.map(({ licenseNumber }) => toLicenseKey(licenseNumber)));
}
