import type { Server } from 'node:http';
import { CommandError } from './command-error.js';
import type { CounterValues } from './counters.js';
import type { DataSet } from './data-set.js';
import type { FaultRule, FaultStatus } from './faults.js';
import type { RuntimeOptions } from './options.js';
import { Random } from './random.js';
import type { LoggedRequest } from './request-log.js';
import type { RawFields, RowValue, SimulatedLicense, TableName } from './row.js';
import { generateAddress } from './sample-data.js';
import type { Simulation } from './simulation.js';
import { PRIVILEGES, type Privilege, type UserKey } from './users.js';

/** `training: true` selects the training data. Defaults to production. */
export interface DataSetInput {
  readonly training?: boolean;
}
export interface LicenseTarget extends DataSetInput {
  readonly location: string;
}
export interface AddressChange {
  readonly address1?: string | null;
  readonly address2?: string | null;
  readonly city?: string | null;
  readonly state?: string | null;
  readonly zip?: string | null;
}
/** The first row of the license in a table. */
export interface RowTarget extends LicenseTarget {
  /** Defaults to `vendor`. */
  readonly table?: TableName;
  /** Keeps the transaction number of the row. */
  readonly unchanged?: boolean;
}
export interface FieldValue extends RowTarget {
  /** Named as in the dialect. */
  readonly field: string;
  /** Without `value` and `json`, the field is omitted. */
  readonly value?: RowValue;
  /** Any text to send instead of JSON of `value`: large numbers, unusual escapes, even invalid JSON. */
  readonly json?: string;
}
export interface NewSite extends DataSetInput, AddressChange {
  readonly ubi: string | null;
  /** Generated if absent. */
  readonly location?: string;
  readonly name?: string | null;
  readonly locationType?: number | null;
  readonly producer?: boolean;
  readonly processor?: boolean;
  readonly retail?: boolean;
  readonly medical?: boolean;
}
export interface NewVendor extends DataSetInput {
  /** Generated if absent. */
  readonly ubi?: string;
  readonly name?: string;
  /** The number of sites. Defaults to 1. */
  readonly sites?: number;
}
/** The transaction number of the change. */
export interface ChangeResult {
  readonly transactionId: number;
}
export interface UserView extends UserKey {
  readonly privileges: readonly Privilege[];
}
/** A row with its actual values, named as in the `api4` dialect, however they are written in responses. */
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

/** The commands of the control port, as functions for tests in the same process. */
export interface SimulatorControl {
  rows(query?: DataSetInput & { readonly ubi?: string }): readonly RowView[];
  rename(input: LicenseTarget & { readonly name: string | null }): ChangeResult;
  moveAddress(input: LicenseTarget & AddressChange): ChangeResult;
  dropFlags(input: LicenseTarget): ChangeResult;
  delete(input: LicenseTarget): ChangeResult;
  vanish(input: LicenseTarget): void;
  restore(input: LicenseTarget & { readonly unchanged?: boolean }): ChangeResult;
  sell(input: LicenseTarget & { readonly toUbi: string }): ChangeResult;
  setUbi(input: LicenseTarget & { readonly ubi: string | null }): ChangeResult;
  swapUbis(input: DataSetInput & { readonly a: string; readonly b: string }): ChangeResult;
  swapNames(input: DataSetInput & { readonly a: string; readonly b: string }): ChangeResult;
  setField(input: FieldValue): ChangeResult;
  /** Undoes `setField` for all fields of the row. */
  clearFields(input: RowTarget): ChangeResult;
  addSite(input: NewSite): ChangeResult & { readonly location: string };
  addVendor(input?: NewVendor): ChangeResult & { readonly ubi: string; readonly locations: readonly string[] };
  addElement(input: DataSetInput & { readonly element: RowValue }): void;
  users(): readonly UserView[];
  addUser(input: UserKey & { readonly password: string; readonly privileges?: readonly Privilege[] }): void;
  deleteUser(input: UserKey): void;
  changePassword(input: UserKey & { readonly password: string; readonly endSessions?: boolean }): void;
  setPrivileges(input: UserKey & { readonly privileges: readonly Privilege[] }): void;
  expireSessions(input?: Partial<UserKey>): { readonly expired: number };
  advanceClock(input: { readonly seconds: number }): void;
  injectFault(input: FaultRule): { readonly id: number };
  clearFaults(input?: { readonly id?: number }): { readonly cleared: number };
  faults(): readonly FaultStatus[];
  options(): Readonly<RuntimeOptions>;
  setOptions(input: Partial<RuntimeOptions>): Readonly<RuntimeOptions>;
  counters(): CounterValues;
  requests(): readonly LoggedRequest[];
  reset(): void;
}

export const createControl = (simulation: Simulation, protocol: Server): SimulatorControl => {
  const getData = (input: DataSetInput | undefined): DataSet => simulation.getDataSet(input?.training ?? false);
  const edit = (input: LicenseTarget, change: Partial<SimulatedLicense>): ChangeResult => ({
    transactionId: getData(input).edit(input.location, () => change),
  });
  const swap = (
    input: DataSetInput & { a: string; b: string },
    pick: (row: SimulatedLicense) => Partial<SimulatedLicense>,
  ): ChangeResult => {
    const data = getData(input);
    const [first, second] = [data.get(input.a), data.get(input.b)];
    return {
      transactionId: data.editMany([
        { location: input.a, change: () => pick(second) },
        { location: input.b, change: () => pick(first) },
      ]),
    };
  };
  const addSite = (input: NewSite): ChangeResult & { location: string } => {
    const data = getData(input);
    const random = Random.of(simulation.setup.seed, 'site', data.lastTransactionId);
    const location = input.location ?? generateUnusedLicense(simulation, data, random);
    const { training: _training, ...site } = input;
    const { address1, address2, city, state, zip, phone } = generateAddress(random, simulation.setup.profile);
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
      ...site,
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
      getData(query)
        .list.filter((row) => query?.ubi === undefined || row.ubi === query.ubi)
        .map(toRowView),
    rename: (input) => edit(input, { name: input.name }),
    moveAddress: (input) => {
      const { location: _location, training: _training, ...address } = input;
      return edit(input, address);
    },
    dropFlags: (input) => edit(input, { flagsDropped: true }),
    delete: (input) => ({ transactionId: getData(input).delete(input.location) }),
    vanish: (input) => getData(input).vanish(input.location),
    restore: (input) => ({ transactionId: getData(input).restore(input.location, input.unchanged ?? false) }),
    sell: (input) => edit(input, { ubi: input.toUbi }),
    setUbi: (input) => edit(input, { ubi: input.ubi }),
    swapUbis: (input) => swap(input, ({ ubi }) => ({ ubi })),
    swapNames: (input) => swap(input, ({ name }) => ({ name })),
    setField: ({ table = 'vendor', field, value, json, unchanged = false, ...input }) => {
      const text = json ?? (value === undefined ? null : JSON.stringify(value));
      const change = (raw: RawFields | undefined): RawFields => ({ ...raw, [field]: text });
      return { transactionId: getData(input).editRaw({ table, location: input.location, unchanged, change }) };
    },
    clearFields: ({ table = 'vendor', unchanged = false, ...input }) => {
      const change = () => undefined;
      return { transactionId: getData(input).editRaw({ table, location: input.location, unchanged, change }) };
    },
    addSite,
    addVendor: (input = {}) => {
      const data = getData(input);
      const random = Random.of(simulation.setup.seed, 'vendor', data.lastTransactionId);
      const ubi = input.ubi ?? `4${random.digits(8)}`;
      const name = input.name ?? 'NEW VENDOR';
      const sites = Array.from({ length: input.sites ?? 1 }, () =>
        addSite({ ubi, name, training: input.training ?? false }),
      );
      return { ubi, locations: sites.map(({ location }) => location), transactionId: data.lastTransactionId };
    },
    addElement: (input) => getData(input).addElement(input.element),
    users: () =>
      simulation.users.list().map(({ ubi, username, privileges }) => ({ ubi, username, privileges: [...privileges] })),
    addUser: ({ privileges, ...user }) =>
      simulation.users.add({ ...user, privileges: new Set(privileges ?? PRIVILEGES) }),
    deleteUser: (input) => simulation.users.delete(input),
    changePassword: (input) => {
      simulation.users.update(input, { password: input.password });
      if (input.endSessions === true) simulation.sessions.expireAll(input);
    },
    setPrivileges: (input) => simulation.users.update(input, { privileges: new Set(input.privileges) }),
    expireSessions: (input = {}) => {
      const { ubi, username } = input;
      if (ubi === undefined && username === undefined) return { expired: simulation.sessions.expireAll() };
      if (ubi === undefined || username === undefined)
        throw new CommandError('ubi and username must be given together', 400);
      return { expired: simulation.sessions.expireAll({ ubi, username }) };
    },
    advanceClock: ({ seconds }) => simulation.clock.advance(seconds),
    injectFault: (input) => {
      const id = simulation.faults.inject(input);
      // The fault strikes new connections only, so idle ones must not be reused.
      if (input.fault === 'reset_at_connect') protocol.closeIdleConnections();
      return { id };
    },
    clearFaults: (input) => ({ cleared: simulation.faults.clear(input?.id) }),
    faults: () => simulation.faults.list(),
    options: () => simulation.options,
    setOptions: (input) => {
      simulation.updateOptions(input);
      return simulation.options;
    },
    counters: () => simulation.counters.values(simulation.sessions.countOpen()),
    requests: () => simulation.log.list(),
    reset: () => simulation.reset(),
  };
};

const generateUnusedLicense = (simulation: Simulation, data: DataSet, random: Random): string => {
  for (;;) {
    const license = simulation.setup.profile.license(random);
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
