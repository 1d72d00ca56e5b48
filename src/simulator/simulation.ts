import { Clock } from './clock.js';
import { Counters } from './counters.js';
import { DataSet } from './data-set.js';
import { DEMO_USER, LIMITED_USER, SECOND_USER } from './demo.js';
import type { SimulatorCall } from './dialect.js';
import { Faults } from './faults.js';
import { type GeneratedData, generateData } from './generate.js';
import type { RuntimeOptions, SimulatorSetup } from './options.js';
import { Random } from './random.js';
import { RequestLog, redactSecrets } from './request-log.js';
import { LIST_TABLES, type TableName } from './row.js';
import { RowWriter } from './row-writer.js';
import { Sessions } from './sessions.js';
import { PRIVILEGES, type Privilege, SimulatedUsers, type UserKey } from './users.js';

/** The complete state of a running simulator. */
export class Simulation {
  readonly setup: SimulatorSetup;
  readonly counters = new Counters();
  readonly log = new RequestLog();
  readonly faults = new Faults();
  options: RuntimeOptions;
  clock = new Clock();
  users = new SimulatedUsers();
  sessions: Sessions;
  writer: RowWriter;
  readonly #generated = new Map<boolean, GeneratedData>();
  readonly #dataSets = new Map<boolean, DataSet>();

  constructor(setup: SimulatorSetup) {
    this.setup = setup;
    this.options = { ...setup.runtimeOptions };
    this.sessions = new Sessions(this.clock, setup.seed);
    this.writer = new RowWriter(setup.profile, setup.runtimeOptions.shapeSeed);
    this.#addUsers();
  }

  /** The production or training data, generated on first use. */
  getDataSet(training: boolean): DataSet {
    const known = this.#dataSets.get(training);
    if (known !== undefined) return known;
    const { profile, seed, dirtyRows, licenses, trainingLicenses } = this.setup;
    const data =
      this.#generated.get(training) ??
      generateData({ profile, seed, dirtyRows, training, licenses: training ? trainingLicenses : licenses });
    this.#generated.set(training, data);
    const created = new DataSet(data, Random.of(seed, training ? 'training' : 'production', 'edits'));
    this.#dataSets.set(training, created);
    return created;
  }

  updateOptions(options: Partial<RuntimeOptions>): void {
    const isReshaped = options.shapeSeed !== undefined && options.shapeSeed !== this.options.shapeSeed;
    this.options = { ...this.options, ...options };
    if (isReshaped) this.writer = new RowWriter(this.setup.profile, this.options.shapeSeed);
  }

  /** Whether the state's BioTrack has the action. Others are refused like a missing privilege. */
  offers(action: string): action is Privilege {
    if (action === 'sync_check') return this.options.offersSyncCheck;
    if (action === 'sync_third_party_transporter') return this.options.offersTransporters;
    return action === 'sync_vendor' || action === 'sync_qa_lab';
  }

  get offeredTables(): readonly TableName[] {
    return Object.entries(LIST_TABLES).flatMap(([action, table]) => (this.offers(action) ? [table] : []));
  }

  /** Redacts a value that contains a secret. Null if the value is not a string. */
  redact(value: unknown, call: SimulatorCall | undefined): string | null {
    const sent = [call?.password, call?.sessionId];
    const text = typeof value === 'string' ? value : null;
    return redactSecrets(text, sent, (candidate) => this.users.isPassword(candidate));
  }

  /** The user of a call, for the counters. */
  toCaller(call: SimulatorCall): UserKey {
    return { ubi: this.redact(call.ubi, call) ?? '', username: this.redact(call.username, call) ?? '' };
  }

  /** Restores the initial state: the same calls get the same responses again. */
  reset(): void {
    this.updateOptions(this.setup.runtimeOptions);
    this.clock = new Clock();
    this.users = new SimulatedUsers();
    this.sessions = new Sessions(this.clock, this.setup.seed);
    this.#addUsers();
    this.#dataSets.clear();
    this.faults.clear();
    this.counters.reset();
    this.log.clear();
  }

  #addUsers(): void {
    const all = new Set<Privilege>(PRIVILEGES);
    this.users.add({ ...DEMO_USER, privileges: all });
    this.users.add({ ...LIMITED_USER, privileges: new Set(PRIVILEGES.filter((name) => name !== 'sync_vendor')) });
    this.users.add({ ...SECOND_USER, privileges: all });
  }
}
