import type { DataSet } from './data-set.js';
import {
  type DialectSpeaker,
  type IncomingCall,
  isSet,
  type SimulatedAnswer,
  type SimulatorCall,
  toBound,
  toHtml,
  toRecord,
} from './dialect.js';
import type { FaultOrder } from './faults.js';
import { isBounded, isWithin, selectRows } from './list-answer.js';
import { inBrackets, writeObject, writeRows } from './list-body.js';
import {
  credentialRefusal,
  privilegeRefusal,
  SIMULATED_REFUSALS,
  type SimulatedRefusal,
  sessionRefusal,
} from './refusals.js';
import { summarizeTable } from './sync-check.js';
import type { SimulatedUser } from './users.js';
import type { World } from './world.js';

const PATH = '/serverjson.asp';
/** The answer's `time`: made of the call number, since a clock would make two runs differ. */
const EPOCH_SECONDS = 1_700_000_000;

type Members = (readonly [key: string, value: readonly Buffer[]])[];

/** "API 4.0": one address, POST only, the action in the body, and errors in HTTP 200. */
export class Api4Speaker implements DialectSpeaker {
  readonly #world: World;
  /** The whole list as it was last written, while nothing is shuffled, and what it was written from. */
  #kept: { readonly data: DataSet; readonly key: string; readonly rows: readonly Buffer[] } | undefined;

  constructor(world: World) {
    this.#world = world;
  }

  read({ request, body, number, random }: IncomingCall): SimulatorCall | SimulatedAnswer {
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
    const document = parse(body);
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
      details: document ?? {},
      random,
      number,
    };
    if (!isJsonType(request.headers['content-type'])) return this.#refuse(call, SIMULATED_REFUSALS.contentType);
    if (document === undefined) return this.#refuse(call, SIMULATED_REFUSALS.unreadable);
    return document.API === '4.0' ? call : this.#refuse(call, SIMULATED_REFUSALS.apiVersion);
  }

  async answer(call: SimulatorCall, listFault: FaultOrder | undefined): Promise<SimulatedAnswer> {
    if (call.action === 'login') return this.#login(call);
    const user = this.#authenticate(call);
    if ('error' in user) return this.#refuse(call, user);
    if (!this.#world.offers(call.action) || !user.privileges.has(call.action)) {
      return this.#refuse(call, privilegeRefusal(call.action));
    }
    const data = this.#world.dataSet(call.training);
    const { writer } = this.#world;
    switch (call.action) {
      case 'sync_vendor':
        return this.#vendors(call, listFault);
      case 'sync_check': {
        const summary = summarizeTable(call.details.data, data, this.#world.settings);
        return this.#succeed(call, [['summary', [Buffer.from(JSON.stringify(summary))]]], 'ok');
      }
      case 'sync_qa_lab':
        return this.#list(call, 'qa_lab', data.labs, (lab) => writer.lab(lab));
      case 'sync_third_party_transporter':
        return this.#list(call, 'third_party_transporter', data.transporters, (row) => writer.transporter(row));
    }
  }

  refuse(call: SimulatorCall, error: string | null, errorcode: number | string | null): SimulatedAnswer {
    return this.#refuse(call, { error, errorcode });
  }

  #login(call: SimulatorCall): SimulatedAnswer {
    const { users, sessions, settings, counters, clock } = this.#world;
    const checked = this.#check(call);
    counters.login(this.#world.callerOf(call), checked.outcome === 'accepted' ? 'accepted' : 'rejected');
    if (checked.outcome !== 'accepted') return this.#refuse(call, credentialRefusal(checked.outcome));
    const user = users.get(checked.user);
    const time = EPOCH_SECONDS + call.number + Math.floor(clock.advancedSeconds);
    const members: Members = [
      ['admin', json(1)],
      ['sessionid', json(sessions.open(user, settings))],
      ['time', json(time)],
    ];
    return this.#succeed(call, members, 'accepted');
  }

  #authenticate(call: SimulatorCall): SimulatedUser | SimulatedRefusal {
    const { users, sessions, counters } = this.#world;
    if (call.nosession) {
      const checked = this.#check(call);
      counters.nosession(checked.outcome === 'accepted');
      return checked.outcome === 'accepted' ? checked.user : credentialRefusal(checked.outcome);
    }
    const session = sessions.check(call.sessionId);
    if (session.outcome !== 'open') return sessionRefusal(session.outcome);
    return users.find(session.user) ?? SIMULATED_REFUSALS.invalidSession;
  }

  #check(call: SimulatorCall) {
    return this.#world.users.check(call.ubi, call.username, call.password, (ubi) =>
      this.#world.dataSet(call.training).hasUbi(ubi),
    );
  }

  async #vendors(call: SimulatorCall, fault: FaultOrder | undefined): Promise<SimulatedAnswer> {
    const { settings, writer, counters } = this.#world;
    const data = this.#world.dataSet(call.training);
    const bounds = { start: call.transactionStart, end: call.transactionEnd };
    const rows = selectRows(data, bounds, settings, fault);
    const isWhole = fault === undefined && !isBounded(bounds);
    const elements = isWhole ? data.elements : [];
    counters.listAnswered();
    // BioTrack facts: the key may be missing when there is nothing, and also when something broke.
    if (rows.length + elements.length === 0) return this.#succeed(call, [], 'no_rows');
    const canKeep = isWhole && !settings.shuffleKeys && !settings.shuffleRows;
    const key = `${data.version}|${settings.shapeSeed}|${settings.deletedRows}`;
    const isKept = canKeep && this.#kept?.data === data && this.#kept.key === key;
    const kept = isKept ? this.#kept?.rows : undefined;
    const written = kept ?? (await writeRows(rows, (row) => writer.license(row), elements, settings, call.random));
    if (canKeep) this.#kept = { data, key, rows: written };
    return this.#succeed(call, [['vendor', inBrackets(written)]], `${rows.length + elements.length}_rows`);
  }

  async #list<Row extends { readonly transactionId: number }>(
    call: SimulatorCall,
    key: string,
    all: readonly Row[],
    write: (row: Row) => readonly string[],
  ): Promise<SimulatedAnswer> {
    const bounds = { start: call.transactionStart, end: call.transactionEnd };
    const rows = all.filter((row) => isWithin(row.transactionId, bounds));
    if (rows.length === 0) return this.#succeed(call, [], 'no_rows');
    const written = await writeRows(rows, write, [], this.#world.settings, call.random);
    return this.#succeed(call, [[key, inBrackets(written)]], `${rows.length}_rows`);
  }

  #succeed(call: SimulatorCall, members: Members, outcome: string): SimulatedAnswer {
    const success = this.#world.settings.shuffleKeys ? call.random.pick([1, '1'] as const) : 1;
    return this.#answer(call, [['success', json(success)], ...members], outcome);
  }

  #refuse(call: SimulatorCall, { error, errorcode }: SimulatedRefusal): SimulatedAnswer {
    const varies = this.#world.settings.shuffleKeys;
    const members: Members = [['success', json(varies ? call.random.pick([0, '0'] as const) : 0)]];
    if (error !== null) members.push(['error', json(error)]);
    if (errorcode !== null) {
      members.push(['errorcode', json(varies && call.random.chance(0.5) ? String(errorcode) : errorcode)]);
    }
    return this.#answer(call, members, errorcode === null ? 'refused' : `refused_${errorcode}`);
  }

  #answer(call: SimulatorCall, members: Members, outcome: string): SimulatedAnswer {
    const { contentType, shuffleKeys } = this.#world.settings;
    const body = writeObject(members, shuffleKeys ? call.random : undefined);
    return { status: 200, contentType, body, outcome };
  }
}

const json = (value: unknown): Buffer[] => [Buffer.from(JSON.stringify(value), 'utf8')];

const isJsonType = (contentType: string | undefined): boolean =>
  /^(text|application)\/json\s*(;|$)/i.test(contentType ?? '');

const parse = (body: Buffer): Readonly<Record<string, unknown>> | undefined => {
  try {
    return toRecord(JSON.parse(body.toString('utf8')));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
};
