import type { Clock } from './clock.js';
import { Random } from './random.js';
import { type SimulatedUser, toUserKeyText, type UserKey } from './users.js';

interface Session {
  readonly user: UserKey;
  readonly endsAt: number;
  readonly isExpired: boolean;
}

export type SessionCheck =
  | { readonly outcome: 'open'; readonly user: UserKey }
  | { readonly outcome: 'expired' | 'unknown' };

export interface SessionRules {
  readonly sessionTtlSeconds: number;
  readonly oneSessionPerUser: boolean;
}

/** BioTrack's session lifetime, and whether a second login ends the first session, are unknown: both are options. */
export class Sessions {
  readonly #clock: Clock;
  readonly #seed: number;
  readonly #sessions = new Map<string, Session>();
  #opened = 0;

  constructor(clock: Clock, seed: number) {
    this.#clock = clock;
    this.#seed = seed;
  }

  /** @returns the session id: 128 hexadecimal digits, like BioTrack's */
  open(user: SimulatedUser, rules: SessionRules): string {
    if (rules.oneSessionPerUser) {
      for (const [id, session] of this.#sessions) {
        if (toUserKeyText(session.user) === toUserKeyText(user)) this.#sessions.delete(id);
      }
    }
    this.#opened += 1;
    const id = Random.of(this.#seed, 'session', this.#opened).hex(128);
    this.#sessions.set(id, {
      user: { ubi: user.ubi, username: user.username },
      endsAt: this.#clock.seconds + rules.sessionTtlSeconds,
      isExpired: false,
    });
    return id;
  }

  check(id: unknown): SessionCheck {
    const session = typeof id === 'string' ? this.#sessions.get(id) : undefined;
    if (session === undefined) return { outcome: 'unknown' };
    return session.isExpired || this.#clock.seconds >= session.endsAt
      ? { outcome: 'expired' }
      : { outcome: 'open', user: session.user };
  }

  expire(id: string): void {
    const session = this.#sessions.get(id);
    if (session !== undefined) this.#sessions.set(id, { ...session, isExpired: true });
  }

  /** Expires the sessions of one user, or all sessions. @returns how many were open */
  expireAll(user?: UserKey): number {
    let count = 0;
    for (const [id, session] of this.#sessions) {
      if (user !== undefined && toUserKeyText(session.user) !== toUserKeyText(user)) continue;
      if (this.check(id).outcome === 'open') count += 1;
      this.expire(id);
    }
    return count;
  }

  countOpen(): number {
    return [...this.#sessions.keys()].filter((id) => this.check(id).outcome === 'open').length;
  }
}
