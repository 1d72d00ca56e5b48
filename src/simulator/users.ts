import { CommandError } from './command-error.js';

/** Login needs no privilege. */
export const PRIVILEGES = ['sync_vendor', 'sync_check', 'sync_qa_lab', 'sync_third_party_transporter'] as const;
export type Privilege = (typeof PRIVILEGES)[number];

/** The same username with another UBI is another user. */
export interface UserKey {
  readonly ubi: string;
  readonly username: string;
}

export interface SimulatedUser extends UserKey {
  readonly password: string;
  /** A user without `sync_vendor` can log in, but not read the list. */
  readonly privileges: ReadonlySet<Privilege>;
}

export type CredentialCheck =
  | { readonly outcome: 'accepted'; readonly user: SimulatedUser }
  | { readonly outcome: 'unknown_ubi' | 'wrong_credentials' };

export const toUserKeyText = ({ ubi, username }: UserKey): string => JSON.stringify([ubi, username]);

export class SimulatedUsers {
  readonly #users = new Map<string, SimulatedUser>();
  readonly #passwords = new Set<string>();

  add(user: SimulatedUser): void {
    const key = toUserKeyText(user);
    if (this.#users.has(key)) throw new CommandError(`user ${user.username} already exists for UBI ${user.ubi}`, 409);
    this.#save(user);
  }

  delete(key: UserKey): void {
    this.get(key);
    this.#users.delete(toUserKeyText(key));
  }

  update(key: UserKey, change: Partial<Pick<SimulatedUser, 'password' | 'privileges'>>): void {
    this.#save({ ...this.get(key), ...change });
  }

  get(key: UserKey): SimulatedUser {
    const user = this.#users.get(toUserKeyText(key));
    if (user === undefined) throw new CommandError(`user ${key.username} does not exist for UBI ${key.ubi}`);
    return user;
  }

  find(key: UserKey): SimulatedUser | undefined {
    return this.#users.get(toUserKeyText(key));
  }

  list(): readonly SimulatedUser[] {
    return [...this.#users.values()];
  }

  /** Compares exactly, without trimming or case folding. Numbers never match. */
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

  /** Whether the text is or was a password, to keep it out of the request log. */
  isPassword(text: string): boolean {
    return this.#passwords.has(text);
  }

  #save(user: SimulatedUser): void {
    this.#users.set(toUserKeyText(user), user);
    this.#passwords.add(user.password);
  }
}
