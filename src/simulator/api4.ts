import type { DataSet } from './data-set.js';
import {
  type DialectHandler,
  type IncomingCall,
  isSet,
  type SimulatedResponse,
  type SimulatorCall,
  toBound,
  toHtml,
  toRecord,
} from './dialect.js';
import type { FaultRule } from './faults.js';
import { toJsonArray, writeObject, writeRows } from './list-body.js';
import {
  SIMULATED_REFUSALS,
  type SimulatedRefusal,
  toCredentialRefusal,
  toPrivilegeRefusal,
  toSessionRefusal,
} from './refusals.js';
import { isListAction, LIST_TABLES, type ListAction, type TableName } from './row.js';
import type { WireRow } from './row-writer.js';
import { type Bounds, isBounded, selectRows } from './select-rows.js';
import type { Simulation } from './simulation.js';
import { checkTables } from './sync-check.js';
import type { SimulatedUser } from './users.js';

const PATH = '/serverjson.asp';
/** The base of the `time` of a login. The real time would make two runs differ. */
const EPOCH_SECONDS = 1_700_000_000;

type Members = (readonly [key: string, value: readonly Buffer[]])[];

interface WrittenList {
  readonly count: number;
  readonly rows: readonly Buffer[];
}

/** "API 4.0": one URL, POST only, the action in the body, errors with HTTP 200. */
export class Api4Handler implements DialectHandler {
  readonly #simulation: Simulation;
  /** The last complete list, reused while its data and options are unchanged and nothing is shuffled. */
  #cached: { readonly data: DataSet; readonly key: string; readonly list: WrittenList } | undefined;

  constructor(simulation: Simulation) {
    this.#simulation = simulation;
  }

  parseRequest({ request, body, number, random }: IncomingCall): SimulatorCall | SimulatedResponse {
    const path = (request.url ?? '').split('?')[0];
    if (path !== PATH)
      return { status: 404, contentType: 'text/html', body: toHtml('404 Not Found'), outcome: 'not_found' };
    if (request.method !== 'POST') return this.#respondToOtherMethod(request.method);
    const document = parseJsonObject(body);
    const call: SimulatorCall = {
      action: typeof document?.action === 'string' ? document.action : '',
      ubi: document?.license_number,
      username: document?.username,
      password: document?.password,
      sessionId: document?.sessionid,
      training: isSet(document?.training),
      nosession: isSet(document?.nosession),
      transactionStart: toBound(document?.transaction_start),
      transactionEnd: toBound(document?.transaction_end),
      members: document ?? {},
      random,
      number,
    };
    if (!isJsonType(request.headers['content-type'])) return this.#refuse(call, SIMULATED_REFUSALS.contentType);
    if (document === undefined) return this.#refuse(call, SIMULATED_REFUSALS.unreadable);
    const isMissing = document.API === undefined && this.#simulation.options.apiMember === 'optional';
    return document.API === '4.0' || isMissing ? call : this.#refuse(call, SIMULATED_REFUSALS.apiVersion);
  }

  async respond(call: SimulatorCall, listFault: FaultRule | undefined): Promise<SimulatedResponse> {
    if (call.action === 'login') return this.#login(call);
    const user = this.#authenticate(call);
    if ('error' in user) return this.#refuse(call, user);
    if (!this.#simulation.offers(call.action) || !user.privileges.has(call.action)) {
      return this.#refuse(call, toPrivilegeRefusal(call.action));
    }
    if (isListAction(call.action)) return this.#respondWithList(call, call.action, listFault);
    return this.#respondToCheck(call);
  }

  refuse(call: SimulatorCall, error: string | null, errorcode: number | string | null): SimulatedResponse {
    return this.#refuse(call, { error, errorcode });
  }

  #login(call: SimulatorCall): SimulatedResponse {
    const { users, sessions, options, counters, clock } = this.#simulation;
    const checked = this.#check(call);
    counters.recordLogin(this.#simulation.toCaller(call), checked.outcome === 'accepted' ? 'accepted' : 'rejected');
    if (checked.outcome !== 'accepted') return this.#refuse(call, toCredentialRefusal(checked.outcome));
    const user = users.get(checked.user);
    const time = EPOCH_SECONDS + call.number + Math.floor(clock.advancedSeconds);
    const members: Members = [
      ['admin', json(1)],
      ['sessionid', json(sessions.open(user, options))],
      ['time', json(time)],
    ];
    return this.#succeed(call, members, 'accepted');
  }

  #authenticate(call: SimulatorCall): SimulatedUser | SimulatedRefusal {
    const { users, sessions, counters } = this.#simulation;
    if (call.nosession) {
      const checked = this.#check(call);
      counters.recordNosessionCall(checked.outcome === 'accepted');
      return checked.outcome === 'accepted' ? checked.user : toCredentialRefusal(checked.outcome);
    }
    const session = sessions.check(call.sessionId);
    if (session.outcome !== 'open') return toSessionRefusal(session.outcome);
    return users.find(session.user) ?? SIMULATED_REFUSALS.invalidSession;
  }

  #check(call: SimulatorCall) {
    return this.#simulation.users.check(call.ubi, call.username, call.password, (ubi) =>
      this.#simulation.getDataSet(call.training).hasUbi(ubi),
    );
  }

  async #respondWithList(
    call: SimulatorCall,
    action: ListAction,
    fault: FaultRule | undefined,
  ): Promise<SimulatedResponse> {
    const table = LIST_TABLES[action];
    if (table === 'vendor') this.#simulation.counters.recordList();
    const list = await this.#writeTable(call, table, { start: call.transactionStart, end: call.transactionEnd }, fault);
    // BioTrack omits the key if there are no rows (observed), and also if something failed.
    if (list.count === 0) return this.#succeed(call, [], 'no_rows');
    return this.#succeed(call, [[table, toJsonArray(list.rows)]], `${list.count}_rows`);
  }

  /** With `download:1`, also returns the rows of each table whose sum differs from that of the caller. */
  async #respondToCheck(call: SimulatorCall): Promise<SimulatedResponse> {
    const data = this.#simulation.getDataSet(call.training);
    const checks = checkTables(call.members.data, this.#simulation.offeredTables, data, this.#simulation.options);
    const members: Members = [['summary', json(checks.map(({ table, sum, match }) => ({ table, sum, match })))]];
    for (const { table, bounds, match } of isSet(call.members.download) ? checks : []) {
      const known = this.#simulation.offeredTables.find((name) => name === table);
      if (known === undefined || match === 1) continue;
      const list = await this.#writeTable(call, known, bounds, undefined);
      if (list.count > 0) members.push([known, toJsonArray(list.rows)]);
    }
    return this.#succeed(call, members, 'ok');
  }

  #writeTable(
    call: SimulatorCall,
    table: TableName,
    bounds: Bounds,
    fault: FaultRule | undefined,
  ): Promise<WrittenList> {
    const { options, writer } = this.#simulation;
    const data = this.#simulation.getDataSet(call.training);
    switch (table) {
      case 'vendor':
        return this.#writeVendors(call, bounds, fault);
      case 'qa_lab':
        return this.#write(call, selectRows(data.labs, bounds, options, fault), (lab) => writer.lab(lab));
      case 'third_party_transporter':
        return this.#write(call, selectRows(data.transporters, bounds, options, fault), (row) =>
          writer.transporter(row, options.transporterKey),
        );
    }
  }

  async #writeVendors(call: SimulatorCall, bounds: Bounds, fault: FaultRule | undefined): Promise<WrittenList> {
    const { options, writer } = this.#simulation;
    const data = this.#simulation.getDataSet(call.training);
    const isWhole = fault === undefined && !isBounded(bounds);
    const isCacheable = isWhole && !options.shuffleKeys && !options.shuffleRows;
    const key = `${data.version}|${options.shapeSeed}|${options.deletedRows}`;
    if (isCacheable && this.#cached?.data === data && this.#cached.key === key) return this.#cached.list;
    const rows = selectRows(data.list, bounds, options, fault);
    const list = await this.#write(call, rows, (row) => writer.license(row), isWhole ? data.elements : []);
    if (isCacheable) this.#cached = { data, key, list };
    return list;
  }

  async #write<Row>(
    call: SimulatorCall,
    rows: readonly Row[],
    write: (row: Row) => WireRow,
    elements: readonly string[] = [],
  ): Promise<WrittenList> {
    const written = await writeRows(rows, write, elements, this.#simulation.options, call.random);
    return { count: rows.length + elements.length, rows: written };
  }

  #respondToOtherMethod(method: string | undefined): SimulatedResponse {
    const status = method === 'GET' ? this.#simulation.options.getStatus : 405;
    return {
      status,
      contentType: 'text/html',
      ...(status === 405 ? { headers: { allow: 'POST' } } : {}),
      body: toHtml(status === 405 ? '405 Method Not Allowed' : 'BioTrack'),
      outcome: 'not_post',
    };
  }

  #succeed(call: SimulatorCall, members: Members, outcome: string): SimulatedResponse {
    const success = this.#simulation.options.shuffleKeys ? call.random.pick([1, '1'] as const) : 1;
    return this.#respond(call, [['success', json(success)], ...members], outcome);
  }

  #refuse(call: SimulatorCall, { error, errorcode }: SimulatedRefusal): SimulatedResponse {
    const varies = this.#simulation.options.shuffleKeys;
    const members: Members = [['success', json(varies ? call.random.pick([0, '0'] as const) : 0)]];
    if (error !== null) members.push(['error', json(error)]);
    if (errorcode !== null) {
      members.push(['errorcode', json(varies && call.random.chance(0.5) ? String(errorcode) : errorcode)]);
    }
    return this.#respond(call, members, errorcode === null ? 'refused' : `refused_${errorcode}`);
  }

  #respond(call: SimulatorCall, members: Members, outcome: string): SimulatedResponse {
    const { contentType, shuffleKeys } = this.#simulation.options;
    const body = writeObject(members, shuffleKeys ? call.random : undefined);
    return { status: 200, contentType, body, outcome };
  }
}

const json = (value: unknown): Buffer[] => [Buffer.from(JSON.stringify(value), 'utf8')];

const isJsonType = (contentType: string | undefined): boolean =>
  /^(text|application)\/json\s*(;|$)/i.test(contentType ?? '');

const parseJsonObject = (body: Buffer): Readonly<Record<string, unknown>> | undefined => {
  try {
    return toRecord(JSON.parse(body.toString('utf8')));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
};
