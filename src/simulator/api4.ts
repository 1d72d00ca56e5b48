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
import { isBounded, isWithin, selectRows } from './select-rows.js';
import type { Simulation } from './simulation.js';
import { summarizeTables } from './sync-check.js';
import type { SimulatedUser } from './users.js';

const PATH = '/serverjson.asp';
/** The base of the `time` of a login. The real time would make two runs differ. */
const EPOCH_SECONDS = 1_700_000_000;

type Members = (readonly [key: string, value: readonly Buffer[]])[];

/** "API 4.0": one URL, POST only, the action in the body, errors with HTTP 200. */
export class Api4Handler implements DialectHandler {
  readonly #simulation: Simulation;
  /** The last complete list, reused while its data and options are unchanged and nothing is shuffled. */
  #cached: { readonly data: DataSet; readonly key: string; readonly rows: readonly Buffer[] } | undefined;

  constructor(simulation: Simulation) {
    this.#simulation = simulation;
  }

  parseRequest({ request, body, number, random }: IncomingCall): SimulatorCall | SimulatedResponse {
    const path = (request.url ?? '').split('?')[0];
    if (path !== PATH)
      return { status: 404, contentType: 'text/html', body: toHtml('404 Not Found'), outcome: 'not_found' };
    if (request.method !== 'POST') {
      const headers = { allow: 'POST' };
      return {
        status: 405,
        contentType: 'text/html',
        headers,
        body: toHtml('405 Method Not Allowed'),
        outcome: 'not_post',
      };
    }
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
    return document.API === '4.0' ? call : this.#refuse(call, SIMULATED_REFUSALS.apiVersion);
  }

  async respond(call: SimulatorCall, listFault: FaultRule | undefined): Promise<SimulatedResponse> {
    if (call.action === 'login') return this.#login(call);
    const user = this.#authenticate(call);
    if ('error' in user) return this.#refuse(call, user);
    if (!this.#simulation.offers(call.action) || !user.privileges.has(call.action)) {
      return this.#refuse(call, toPrivilegeRefusal(call.action));
    }
    const data = this.#simulation.getDataSet(call.training);
    const { writer } = this.#simulation;
    switch (call.action) {
      case 'sync_vendor':
        return this.#respondWithVendors(call, listFault);
      case 'sync_check': {
        const summary = summarizeTables(call.members.data, data, this.#simulation.options);
        return this.#succeed(call, [['summary', [Buffer.from(JSON.stringify(summary))]]], 'ok');
      }
      case 'sync_qa_lab':
        return this.#respondWithList(call, 'qa_lab', data.labs, (lab) => writer.lab(lab));
      case 'sync_third_party_transporter':
        return this.#respondWithList(call, 'third_party_transporter', data.transporters, (row) =>
          writer.transporter(row),
        );
    }
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

  async #respondWithVendors(call: SimulatorCall, fault: FaultRule | undefined): Promise<SimulatedResponse> {
    const { options, writer, counters } = this.#simulation;
    const data = this.#simulation.getDataSet(call.training);
    const bounds = { start: call.transactionStart, end: call.transactionEnd };
    const rows = selectRows(data, bounds, options, fault);
    const isWhole = fault === undefined && !isBounded(bounds);
    const elements = isWhole ? data.elements : [];
    counters.recordList();
    // BioTrack omits the key if there are no rows (observed), and also if something failed.
    if (rows.length + elements.length === 0) return this.#succeed(call, [], 'no_rows');
    const isCacheable = isWhole && !options.shuffleKeys && !options.shuffleRows;
    const key = `${data.version}|${options.shapeSeed}|${options.deletedRows}`;
    const isCached = isCacheable && this.#cached?.data === data && this.#cached.key === key;
    const cached = isCached ? this.#cached?.rows : undefined;
    const written = cached ?? (await writeRows(rows, (row) => writer.license(row), elements, options, call.random));
    if (isCacheable) this.#cached = { data, key, rows: written };
    return this.#succeed(call, [['vendor', toJsonArray(written)]], `${rows.length + elements.length}_rows`);
  }

  async #respondWithList<Row extends { readonly transactionId: number }>(
    call: SimulatorCall,
    key: string,
    all: readonly Row[],
    write: (row: Row) => readonly string[],
  ): Promise<SimulatedResponse> {
    const bounds = { start: call.transactionStart, end: call.transactionEnd };
    const rows = all.filter((row) => isWithin(row.transactionId, bounds));
    if (rows.length === 0) return this.#succeed(call, [], 'no_rows');
    const written = await writeRows(rows, write, [], this.#simulation.options, call.random);
    return this.#succeed(call, [[key, toJsonArray(written)]], `${rows.length}_rows`);
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
