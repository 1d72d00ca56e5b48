import { CommandRefused } from './command-refused.js';

/** What a user may be allowed to do. Login itself needs no privilege. */
export const PRIVILEGES = ['sync_vendor', 'sync_check', 'sync_qa_lab', 'sync_third_party_transporter'] as const;
export type Privilege = (typeof PRIVILEGES)[number];

/** A user belongs to one UBI: the same username under another UBI is another user. */
export interface UserKey {
  readonly ubi: string;
  readonly username: string;
}

export interface SimulatedUser extends UserKey {
  readonly password: string;
  /** Every privilege is per action and per user: login may succeed while `sync_vendor` is refused. */
  readonly privileges: ReadonlySet<Privilege>;
}

export type CredentialCheck =
  | { readonly outcome: 'accepted'; readonly user: SimulatedUser }
  | { readonly outcome: 'unknown_ubi' | 'wrong_credentials' };

export const userKeyOf = ({ ubi, username }: UserKey): string => JSON.stringify([ubi, username]);

export class SimulatedUsers {
  readonly #users = new Map<string, SimulatedUser>();
  readonly #passwords = new Set<string>();

  add(user: SimulatedUser): void {
    const key = userKeyOf(user);
    if (this.#users.has(key)) throw new CommandRefused(`user ${user.username} exists already for this UBI`, 409);
    this.#put(user);
  }

  remove(key: UserKey): void {
    this.get(key);
    this.#users.delete(userKeyOf(key));
  }

  change(key: UserKey, change: Partial<Pick<SimulatedUser, 'password' | 'privileges'>>): void {
    this.#put({ ...this.get(key), ...change });
  }

  get(key: UserKey): SimulatedUser {
    const user = this.#users.get(userKeyOf(key));
    if (user === undefined) throw new CommandRefused(`there is no user ${key.username} for UBI ${key.ubi}`);
    return user;
  }

  find(key: UserKey): SimulatedUser | undefined {
    return this.#users.get(userKeyOf(key));
  }

  list(): readonly SimulatedUser[] {
    return [...this.#users.values()];
  }

  /** UBI, username and password are compared exactly, as text: no trimming, no folding of case, no numbers. */
  check(ubi: unknown, username: unknown, password: unknown, isKnownUbi: (ubi: string) => boolean): CredentialCheck {
    if (typeof ubi !== 'string' || ubi === '') return { outcome: 'unknown_ubi' };
    const hasUsers = this.list().some((user) => user.ubi === ubi);
    if (!hasUsers && !isKnownUbi(ubi)) return { outcome: 'unknown_ubi' };
    if (typeof username !== 'string') return { outcome: 'wrong_credentials' };
    const user = this.find({ ubi, username });
    return user !== undefined && user.password === password
      ? { outcome: 'accepted', user }
      : { outcome: 'wrong_credentials' };
  }

  /** Every password there is or was, so that the log can keep them out. */
  isPassword(text: string): boolean {
    return this.#passwords.has(text);
  }

  #put(user: SimulatedUser): void {
    this.#users.set(userKeyOf(user), user);
    this.#passwords.add(user.password);
  }
}
