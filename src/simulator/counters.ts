import { toUserKeyText, type UserKey } from './users.js';

export interface LoginCount extends UserKey {
  readonly attempts: number;
  readonly accepted: number;
  readonly rejected: number;
}

export interface CounterValues {
  readonly calls: number;
  readonly callsByAction: Readonly<Record<string, number>>;
  readonly logins: number;
  readonly loginsAccepted: number;
  readonly loginsRejected: number;
  /** Calls of `login` only, by the UBI and username that were sent. */
  readonly loginsByUser: readonly LoginCount[];
  /** Calls with credentials instead of a session (`nosession:1`), and how many of them were refused. */
  readonly nosessionCalls: number;
  readonly nosessionRejected: number;
  /** Calls of `sync_vendor`, and how many lists or list pages were sent in response. */
  readonly listCalls: number;
  readonly listsSent: number;
  readonly callsInFlight: number;
  readonly maxCallsInFlight: number;
  readonly listCallsInFlight: number;
  readonly maxListCallsInFlight: number;
  readonly connections: number;
  readonly openConnections: number;
  readonly openSessions: number;
  readonly redirectsFollowed: number;
  readonly faultsFired: Readonly<Record<string, number>>;
}

/** Lets tests assert how often BioTrack was called. */
export class Counters {
  #calls = 0;
  readonly #callsByAction = new Map<string, number>();
  readonly #logins = new Map<string, LoginCount>();
  readonly #faults = new Map<string, number>();
  #nosessionCalls = 0;
  #nosessionRejected = 0;
  #listsSent = 0;
  #inFlight = 0;
  #maxInFlight = 0;
  #listsInFlight = 0;
  #maxListsInFlight = 0;
  #connections = 0;
  #openConnections = 0;
  #redirectsFollowed = 0;

  /** @returns the number of the call, starting at 1 */
  recordCall(): number {
    this.#calls += 1;
    this.#inFlight += 1;
    this.#maxInFlight = Math.max(this.#maxInFlight, this.#inFlight);
    return this.#calls;
  }

  recordCallEnd(): void {
    this.#inFlight -= 1;
  }

  recordAction(action: string): void {
    increment(this.#callsByAction, action);
  }

  recordListCall(): void {
    this.#listsInFlight += 1;
    this.#maxListsInFlight = Math.max(this.#maxListsInFlight, this.#listsInFlight);
  }

  recordListCallEnd(): void {
    this.#listsInFlight -= 1;
  }

  recordList(): void {
    this.#listsSent += 1;
  }

  /** `undecided`: a fault replaced the response. It counts as an attempt. */
  recordLogin(user: UserKey, outcome: 'accepted' | 'rejected' | 'undecided'): void {
    const key = toUserKeyText(user);
    const count = this.#logins.get(key) ?? { ...user, attempts: 0, accepted: 0, rejected: 0 };
    this.#logins.set(key, {
      ...count,
      attempts: count.attempts + 1,
      accepted: count.accepted + (outcome === 'accepted' ? 1 : 0),
      rejected: count.rejected + (outcome === 'rejected' ? 1 : 0),
    });
  }

  recordNosessionCall(isAccepted: boolean): void {
    this.#nosessionCalls += 1;
    if (!isAccepted) this.#nosessionRejected += 1;
  }

  recordConnection(): void {
    this.#connections += 1;
    this.#openConnections += 1;
  }

  recordDisconnection(): void {
    this.#openConnections -= 1;
  }

  recordRedirectFollowed(): void {
    this.#redirectsFollowed += 1;
  }

  recordFault(name: string): void {
    increment(this.#faults, name);
  }

  /** Calls in progress and open connections stay counted, because their end will be recorded. */
  reset(): void {
    this.#calls = 0;
    this.#callsByAction.clear();
    this.#logins.clear();
    this.#faults.clear();
    this.#nosessionCalls = 0;
    this.#nosessionRejected = 0;
    this.#listsSent = 0;
    this.#maxInFlight = this.#inFlight;
    this.#maxListsInFlight = this.#listsInFlight;
    this.#connections = this.#openConnections;
    this.#redirectsFollowed = 0;
  }

  values(openSessions: number): CounterValues {
    const logins = [...this.#logins.values()];
    return {
      calls: this.#calls,
      callsByAction: Object.fromEntries(this.#callsByAction),
      logins: sum(logins, (count) => count.attempts),
      loginsAccepted: sum(logins, (count) => count.accepted),
      loginsRejected: sum(logins, (count) => count.rejected),
      loginsByUser: logins,
      nosessionCalls: this.#nosessionCalls,
      nosessionRejected: this.#nosessionRejected,
      listCalls: this.#callsByAction.get('sync_vendor') ?? 0,
      listsSent: this.#listsSent,
      callsInFlight: this.#inFlight,
      maxCallsInFlight: this.#maxInFlight,
      listCallsInFlight: this.#listsInFlight,
      maxListCallsInFlight: this.#maxListsInFlight,
      connections: this.#connections,
      openConnections: this.#openConnections,
      openSessions,
      redirectsFollowed: this.#redirectsFollowed,
      faultsFired: Object.fromEntries(this.#faults),
    };
  }
}

const increment = (counts: Map<string, number>, name: string): void => {
  counts.set(name, (counts.get(name) ?? 0) + 1);
};

const sum = (logins: readonly LoginCount[], toNumber: (count: LoginCount) => number): number =>
  logins.reduce((total, count) => total + toNumber(count), 0);
