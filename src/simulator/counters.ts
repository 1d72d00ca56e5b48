import { type UserKey, userKeyOf } from './users.js';

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
  /** Of `login` alone, by what the caller sent as UBI and username. */
  readonly loginsByUser: readonly LoginCount[];
  /** Calls that carried the credentials themselves (`nosession:1`), and how many of those were refused. */
  readonly nosessionCalls: number;
  readonly nosessionRejected: number;
  /** `sync_vendor` calls, and how many list pages or lists were answered. */
  readonly listCalls: number;
  readonly listsAnswered: number;
  readonly callsInFlight: number;
  readonly mostCallsInFlight: number;
  readonly listCallsInFlight: number;
  readonly mostListCallsInFlight: number;
  readonly connections: number;
  readonly openConnections: number;
  readonly openSessions: number;
  readonly redirectsFollowed: number;
  readonly faultsFired: Readonly<Record<string, number>>;
}

/** What tests assert instead of assuming: how often BioTrack was really asked. */
export class Counters {
  #calls = 0;
  readonly #callsByAction = new Map<string, number>();
  readonly #logins = new Map<string, LoginCount>();
  readonly #faults = new Map<string, number>();
  #nosessionCalls = 0;
  #nosessionRejected = 0;
  #listsAnswered = 0;
  #inFlight = 0;
  #mostInFlight = 0;
  #listsInFlight = 0;
  #mostListsInFlight = 0;
  #connections = 0;
  #openConnections = 0;
  #redirectsFollowed = 0;

  /** The number of the call, from 1. */
  arrived(): number {
    this.#calls += 1;
    this.#inFlight += 1;
    this.#mostInFlight = Math.max(this.#mostInFlight, this.#inFlight);
    return this.#calls;
  }

  left(): void {
    this.#inFlight -= 1;
  }

  named(action: string): void {
    add(this.#callsByAction, action);
  }

  listArrived(): void {
    this.#listsInFlight += 1;
    this.#mostListsInFlight = Math.max(this.#mostListsInFlight, this.#listsInFlight);
  }

  listLeft(): void {
    this.#listsInFlight -= 1;
  }

  listAnswered(): void {
    this.#listsAnswered += 1;
  }

  /** A login that a fault kept from being decided is an attempt all the same. */
  login(user: UserKey, outcome: 'accepted' | 'rejected' | 'undecided'): void {
    const key = userKeyOf(user);
    const count = this.#logins.get(key) ?? { ...user, attempts: 0, accepted: 0, rejected: 0 };
    this.#logins.set(key, {
      ...count,
      attempts: count.attempts + 1,
      accepted: count.accepted + (outcome === 'accepted' ? 1 : 0),
      rejected: count.rejected + (outcome === 'rejected' ? 1 : 0),
    });
  }

  nosession(isAccepted: boolean): void {
    this.#nosessionCalls += 1;
    if (!isAccepted) this.#nosessionRejected += 1;
  }

  connected(): void {
    this.#connections += 1;
    this.#openConnections += 1;
  }

  disconnected(): void {
    this.#openConnections -= 1;
  }

  redirectFollowed(): void {
    this.#redirectsFollowed += 1;
  }

  faultFired(name: string): void {
    add(this.#faults, name);
  }

  /** Calls that are under way go on counting: their end must find the beginning. */
  reset(): void {
    this.#calls = 0;
    this.#callsByAction.clear();
    this.#logins.clear();
    this.#faults.clear();
    this.#nosessionCalls = 0;
    this.#nosessionRejected = 0;
    this.#listsAnswered = 0;
    this.#mostInFlight = this.#inFlight;
    this.#mostListsInFlight = this.#listsInFlight;
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
      listsAnswered: this.#listsAnswered,
      callsInFlight: this.#inFlight,
      mostCallsInFlight: this.#mostInFlight,
      listCallsInFlight: this.#listsInFlight,
      mostListCallsInFlight: this.#mostListsInFlight,
      connections: this.#connections,
      openConnections: this.#openConnections,
      openSessions,
      redirectsFollowed: this.#redirectsFollowed,
      faultsFired: Object.fromEntries(this.#faults),
    };
  }
}

const add = (counts: Map<string, number>, name: string): void => {
  counts.set(name, (counts.get(name) ?? 0) + 1);
};

const sum = (logins: readonly LoginCount[], of: (count: LoginCount) => number): number =>
  logins.reduce((total, count) => total + of(count), 0);
