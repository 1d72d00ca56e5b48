import type { Deadline } from './deadline.js';
import type { BiotrackLogin, DialectClient, VendorCheck } from './dialect-client.js';
import { BiotrackError, isLoginRefusal } from './errors.js';
import type { VendorList } from './list.js';
import type { Offers } from './states.js';
import type { ListName } from './to-listed-vendor.js';

/** One login for several reads. It needs no close: BioTrack has no logout. */
export interface BiotrackSession {
  /** All vendors of the state. Throws a BiotrackError rather than return an incomplete list. */
  fetchVendors(): Promise<VendorList>;
  /** All laboratories of the state. Undefined if the state does not offer the list. */
  readonly fetchLabs: (() => Promise<VendorList>) | undefined;
  /** Undefined if the state does not offer the list. */
  readonly fetchTransporters: (() => Promise<VendorList>) | undefined;
  /** A cheap check for changes; undefined if the state does not offer it. Only the full list is reliable. */
  readonly checkVendors: (() => Promise<VendorCheck>) | undefined;
}

/** What a deadline is for. */
export type DeadlineKind = 'list' | 'optional_list' | 'short';

export interface SessionDeps {
  readonly client: DialectClient;
  readonly login: BiotrackLogin;
  /** Logs in again. */
  logIn(): Promise<string>;
  readonly offers: Offers;
  withDeadline<T>(kind: DeadlineKind, work: (deadline: Deadline) => Promise<T>): Promise<T>;
  onRenewed(): void;
}

export function createSession(deps: SessionDeps, firstSession: string): BiotrackSession {
  const { client, login, logIn, offers, withDeadline, onRenewed } = deps;
  let session = firstSession;
  let renewal: Promise<string> | undefined;

  /** Called at most once per session, however many of its reads find it lost. */
  const renewSession = (): Promise<string> => {
    onRenewed();
    return logIn();
  };

  const fetchWithSession = <T>(
    kind: DeadlineKind,
    work: (session: string, deadline: Deadline) => Promise<T>,
  ): Promise<T> =>
    withDeadline(kind, async (deadline) => {
      const used = session;
      try {
        return await work(used, deadline);
      } catch (error) {
        const isLost = error instanceof BiotrackError && error.reason === 'upstream_session_lost';
        if (!isLost || (renewal !== undefined && used !== firstSession)) throw error;
        renewal ??= renewSession();
        session = await renewal;
        return await work(session, deadline);
      }
    });

  const fetchList = (list: ListName): Promise<VendorList> =>
    fetchWithSession(list === 'vendors' ? 'list' : 'optional_list', (current, deadline) =>
      client.fetchList(list, login, current, deadline),
    );

  return {
    fetchVendors: () => fetchList('vendors'),
    fetchLabs: offers.labs ? () => fetchList('labs') : undefined,
    fetchTransporters: offers.transporters ? () => fetchList('transporters') : undefined,
    checkVendors: offers.syncCheck
      ? () =>
          fetchWithSession('short', (current, deadline) => client.checkVendors(login, current, deadline)).catch(
            toUnknownSum,
          )
      : undefined,
  };
}

/** The check is only a hint: if it fails, the sum is unknown and the caller reads the full list. */
function toUnknownSum(error: unknown): VendorCheck {
  if (error instanceof BiotrackError && !isLoginRefusal(error.reason)) return { sum: undefined };
  throw error;
}
