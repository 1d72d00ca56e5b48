import type { Deadline } from './deadline.js';
import type { BiotrackLogin, DialectClient, VendorCheck } from './dialect-client.js';
import { BiotrackError } from './errors.js';
import type { VendorList } from './list.js';
import type { Offers } from './states.js';
import type { ListName } from './to-listed-vendor.js';

/** A login that is good for several reads. It needs no end: BioTrack has no logout, and nothing is held here. */
export interface BiotrackSession {
  /** All vendors of the state, or an error; never a part of them. */
  fetchVendors(): Promise<VendorList>;
  /** The state's laboratories; none where it has no such list. */
  fetchLabs(): Promise<VendorList>;
  /** Undefined where the state has no such list. */
  readonly fetchTransporters: (() => Promise<VendorList>) | undefined;
  /** The cheap "anything new?"; undefined where it is not offered. The full list stays the truth. */
  readonly checkVendors: (() => Promise<VendorCheck>) | undefined;
}

export interface SessionDeps {
  readonly client: DialectClient;
  readonly login: BiotrackLogin;
  readonly offers: Offers;
  /** Runs a piece of work under the deadline of lists, or of short calls. */
  withDeadline<T>(kind: 'list' | 'short', work: (deadline: Deadline) => Promise<T>): Promise<T>;
  onRenewed(): void;
}

const NO_LABS: VendorList = { vendors: [], skips: [], fetched: 0, transactionSum: '0' };

export function createSession(deps: SessionDeps, firstSession: string): BiotrackSession {
  const { client, login, offers, withDeadline, onRenewed } = deps;
  let session = firstSession;
  let renewal: Promise<string> | undefined;

  /** One new login in the life of a session, however many of its reads find it lost. */
  const renew = (deadline: Deadline): Promise<string> => {
    onRenewed();
    return client.login(login, deadline);
  };

  const read = <T>(kind: 'list' | 'short', work: (session: string, deadline: Deadline) => Promise<T>): Promise<T> =>
    withDeadline(kind, async (deadline) => {
      const used = session;
      try {
        return await work(used, deadline);
      } catch (error) {
        const isLost = error instanceof BiotrackError && error.reason === 'upstream_session_lost';
        if (!isLost || (renewal !== undefined && used !== firstSession)) throw error;
        renewal ??= renew(deadline);
        session = await renewal;
        return await work(session, deadline);
      }
    });

  const fetchList = (list: ListName): Promise<VendorList> =>
    read('list', (given, deadline) => client.fetchList(list, login, given, deadline));

  return {
    fetchVendors: () => fetchList('vendors'),
    fetchLabs: () => (offers.labs ? fetchList('labs') : Promise.resolve(NO_LABS)),
    fetchTransporters: offers.transporters ? () => fetchList('transporters') : undefined,
    checkVendors: offers.syncCheck
      ? () => read('short', (given, deadline) => checkVendors(client, login, given, deadline))
      : undefined,
  };
}

/** Who may not ask, or is not understood, learns nothing, and reads the list. */
async function checkVendors(
  client: DialectClient,
  login: BiotrackLogin,
  session: string,
  deadline: Deadline,
): Promise<VendorCheck> {
  try {
    return await client.checkVendors(login, session, deadline);
  } catch (error) {
    const isRefused = error instanceof BiotrackError && NOT_TOLD.has(error.reason);
    if (isRefused) return { sum: undefined };
    throw error;
  }
}

const NOT_TOLD: ReadonlySet<string> = new Set(['privilege_missing', 'upstream_rejected']);
