import type { Server } from 'node:http';
import { CommandRefused } from './command-refused.js';
import type { CounterValues } from './counters.js';
import type { DataSet } from './data-set.js';
import type { FaultOrder, FaultStatus } from './faults.js';
import { inventAddress } from './inventions.js';
import { Random } from './random.js';
import type { LoggedRequest } from './request-log.js';
import type { RowValue, SimulatedLicense } from './row.js';
import type { Settings } from './settings.js';
import { PRIVILEGES, type Privilege, type UserKey } from './users.js';
import type { World } from './world.js';

/** Every command about the list may say `training: true` and then means the training data. */
export interface InData {
  readonly training?: boolean;
}
export interface OfLicense extends InData {
  readonly location: string;
}
export interface AddressChange {
  readonly address1?: string | null;
  readonly address2?: string | null;
  readonly city?: string | null;
  readonly state?: string | null;
  readonly zip?: string | null;
}
export interface NewSite extends InData, AddressChange {
  readonly ubi: string | null;
  /** Invented if absent. */
  readonly location?: string;
  readonly name?: string | null;
  readonly locationType?: number | null;
  readonly producer?: boolean;
  readonly processor?: boolean;
  readonly retail?: boolean;
  readonly medical?: boolean;
}
export interface NewVendor extends InData {
  /** Invented if absent. */
  readonly ubi?: string;
  readonly name?: string;
  /** How many sites (1). */
  readonly sites?: number;
}
/** The transaction that the state assigned to a change. */
export interface Changed {
  readonly transactionId: number;
}
export interface UserView extends UserKey {
  readonly privileges: readonly Privilege[];
}
/** A row as the state means it, in the words of the `api4` dialect. */
export interface RowView {
  readonly ubi: string | null;
  readonly location: string;
  readonly name: string | null;
  readonly locationtype: number | null;
  readonly address1: string | null;
  readonly address2: string | null;
  readonly city: string | null;
  readonly state: string | null;
  readonly zip: string | null;
  readonly producer: boolean;
  readonly processor: boolean;
  readonly retail: boolean;
  readonly medical: boolean;
  readonly deleted: boolean;
  readonly transactionid: number;
  readonly transactionid_original: number;
}

/** The commands: the same over the control port, as JSON, and here as functions for tests in the same process. */
export interface SimulatorControl {
  rows(query?: InData & { readonly ubi?: string }): readonly RowView[];
  rename(input: OfLicense & { readonly name: string | null }): Changed;
  moveAddress(input: OfLicense & AddressChange): Changed;
  dropFlags(input: OfLicense): Changed;
  delete(input: OfLicense): Changed;
  vanish(input: OfLicense): void;
  restore(input: OfLicense & { readonly unchanged?: boolean }): Changed;
  sell(input: OfLicense & { readonly toUbi: string }): Changed;
  setUbi(input: OfLicense & { readonly ubi: string | null }): Changed;
  swapUbis(input: InData & { readonly a: string; readonly b: string }): Changed;
  swapNames(input: InData & { readonly a: string; readonly b: string }): Changed;
  setField(input: OfLicense & { readonly field: string; readonly value?: RowValue }): Changed;
  addSite(input: NewSite): Changed & { readonly location: string };
  addVendor(input?: NewVendor): Changed & { readonly ubi: string; readonly locations: readonly string[] };
  addElement(input: InData & { readonly element: RowValue }): void;
  users(): readonly UserView[];
  addUser(input: UserKey & { readonly password: string; readonly privileges?: readonly Privilege[] }): void;
  removeUser(input: UserKey): void;
  changePassword(input: UserKey & { readonly password: string; readonly endSessions?: boolean }): void;
  setPrivileges(input: UserKey & { readonly privileges: readonly Privilege[] }): void;
  expireSessions(input?: Partial<UserKey>): { readonly expired: number };
  advanceClock(input: { readonly seconds: number }): void;
  injectFault(input: FaultOrder): { readonly id: number };
  clearFaults(input?: { readonly id?: number }): { readonly cleared: number };
  faults(): readonly FaultStatus[];
  options(): Readonly<Settings>;
  setOptions(input: Partial<Settings>): Readonly<Settings>;
  counters(): CounterValues;
  requests(): readonly LoggedRequest[];
  reset(): void;
}

export const createControl = (world: World, protocol: Server): SimulatorControl => {
  const dataOf = (input: InData | undefined): DataSet => world.dataSet(input?.training ?? false);
  const edit = (input: OfLicense, change: Partial<SimulatedLicense>): Changed => ({
    transactionId: dataOf(input).edit(input.location, () => change),
  });
  const swap = (
    input: InData & { a: string; b: string },
    pick: (row: SimulatedLicense) => Partial<SimulatedLicense>,
  ): Changed => {
    const data = dataOf(input);
    const [first, second] = [data.get(input.a), data.get(input.b)];
    return {
      transactionId: data.editTogether([
        { location: input.a, change: () => pick(second) },
        { location: input.b, change: () => pick(first) },
      ]),
    };
  };
  const addSite = (input: NewSite): Changed & { location: string } => {
    const data = dataOf(input);
    const random = Random.of(world.setup.seed, 'site', data.lastTransactionId);
    const location = input.location ?? freeLicense(world, data, random);
    const { training: _, ...given } = input;
    const { address1, address2, city, state, zip, phone } = inventAddress(random, world.setup.profile);
    const row = {
      address1,
      address2,
      city,
      state,
      zip,
      phone,
      name: 'NEW SITE',
      locationType: 8,
      producer: false,
      processor: false,
      retail: true,
      medical: false,
      ...given,
      location,
      flagsDropped: false,
      deleted: false,
      vanished: false,
      raw: undefined,
    };
    return { transactionId: data.add(row), location };
  };

  return {
    rows: (query) =>
      dataOf(query)
        .list.filter((row) => query?.ubi === undefined || row.ubi === query.ubi)
        .map(toRowView),
    rename: (input) => edit(input, { name: input.name }),
    moveAddress: (input) => {
      const { location: _location, training: _training, ...address } = input;
      return edit(input, address);
    },
    dropFlags: (input) => edit(input, { flagsDropped: true }),
    delete: (input) => ({ transactionId: dataOf(input).delete(input.location) }),
    vanish: (input) => dataOf(input).vanish(input.location),
    restore: (input) => ({ transactionId: dataOf(input).restore(input.location, input.unchanged ?? false) }),
    sell: (input) => edit(input, { ubi: input.toUbi }),
    setUbi: (input) => edit(input, { ubi: input.ubi }),
    swapUbis: (input) => swap(input, ({ ubi }) => ({ ubi })),
    swapNames: (input) => swap(input, ({ name }) => ({ name })),
    setField: (input) => {
      const value = input.value === undefined ? null : JSON.stringify(input.value);
      const transactionId = dataOf(input).edit(input.location, (row) => ({
        raw: { ...row.raw, [input.field]: value },
      }));
      return { transactionId };
    },
    addSite,
    addVendor: (input = {}) => {
      const data = dataOf(input);
      const random = Random.of(world.setup.seed, 'vendor', data.lastTransactionId);
      const ubi = input.ubi ?? `4${random.digits(8)}`;
      const name = input.name ?? 'NEW VENDOR';
      const sites = Array.from({ length: input.sites ?? 1 }, () =>
        addSite({ ubi, name, training: input.training ?? false }),
      );
      return { ubi, locations: sites.map(({ location }) => location), transactionId: data.lastTransactionId };
    },
    addElement: (input) => dataOf(input).addElement(input.element),
    users: () =>
      world.users.list().map(({ ubi, username, privileges }) => ({ ubi, username, privileges: [...privileges] })),
    addUser: ({ privileges, ...user }) => world.users.add({ ...user, privileges: new Set(privileges ?? PRIVILEGES) }),
    removeUser: (input) => world.users.remove(input),
    changePassword: (input) => {
      world.users.change(input, { password: input.password });
      if (input.endSessions === true) world.sessions.expireAll(input);
    },
    setPrivileges: (input) => world.users.change(input, { privileges: new Set(input.privileges) }),
    expireSessions: (input = {}) => {
      const { ubi, username } = input;
      if (ubi === undefined && username === undefined) return { expired: world.sessions.expireAll() };
      if (ubi === undefined || username === undefined) throw new CommandRefused('a user is a ubi and a username', 400);
      return { expired: world.sessions.expireAll({ ubi, username }) };
    },
    advanceClock: ({ seconds }) => world.clock.advance(seconds),
    injectFault: (input) => {
      const id = world.faults.inject(input);
      // A kept connection would never meet a fault of new ones.
      if (input.fault === 'reset_at_connect') protocol.closeIdleConnections();
      return { id };
    },
    clearFaults: (input) => ({ cleared: world.faults.clear(input?.id) }),
    faults: () => world.faults.list(),
    options: () => world.settings,
    setOptions: (input) => {
      world.change(input);
      return world.settings;
    },
    counters: () => world.counters.values(world.sessions.countOpen()),
    requests: () => world.log.list(),
    reset: () => world.reset(),
  };
};

const freeLicense = (world: World, data: DataSet, random: Random): string => {
  for (;;) {
    const license = world.setup.profile.license(random);
    if (!data.hasLicense(license)) return license;
  }
};

const toRowView = (row: SimulatedLicense): RowView => ({
  ubi: row.ubi,
  location: row.location,
  name: row.name,
  locationtype: row.locationType,
  address1: row.address1,
  address2: row.address2,
  city: row.city,
  state: row.state,
  zip: row.zip,
  producer: row.producer && !row.flagsDropped,
  processor: row.processor && !row.flagsDropped,
  retail: row.retail && !row.flagsDropped,
  medical: row.medical && !row.flagsDropped,
  deleted: row.deleted,
  transactionid: row.transactionId,
  transactionid_original: row.transactionIdOriginal,
});
