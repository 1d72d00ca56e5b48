import {
  type DialectSpeaker,
  type IncomingCall,
  type SimulatedAnswer,
  type SimulatorCall,
  toBound,
  toRecord,
} from './dialect.js';
import type { FaultOrder } from './faults.js';
import { selectRows } from './list-answer.js';
import { inBrackets, writeObject, writeRows } from './list-body.js';
import { credentialRefusal, privilegeRefusal, SIMULATED_REFUSALS, sessionRefusal } from './refusals.js';
import type { World } from './world.js';

interface Route {
  readonly method: string;
  readonly action: string;
}

const ROUTES: Readonly<Record<string, Route>> = {
  '/v1/user/login': { method: 'POST', action: 'login' },
  '/v1/vendor': { method: 'GET', action: 'sync_vendor' },
};

/**
 * The licensee REST dialect. Its actions carry the names of the other dialect, so that faults, counters and privileges
 * are the same in both. How the cursor is sent back and which status a refusal has are unknown: both are settings.
 */
export class RestSpeaker implements DialectSpeaker {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  read({ request, body, number, random }: IncomingCall): SimulatorCall | SimulatedAnswer {
    const url = new URL(request.url ?? '/', 'http://simulator');
    const route = ROUTES[url.pathname];
    if (route === undefined) return this.#write(404, { Error: 'Not found.' }, 'not_found');
    if (request.method !== route.method) {
      return this.#write(405, { Error: 'Method not allowed.' }, 'wrong_method', { allow: route.method });
    }
    const document = toRecord(parse(body));
    if (route.action === 'login' && document === undefined) {
      return this.#write(
        this.#world.settings.restErrorStatus,
        { Error: SIMULATED_REFUSALS.unreadable.error },
        'unreadable',
      );
    }
    const query = Object.fromEntries(url.searchParams);
    return {
      action: route.action,
      ubi: request.headers['x-ubi'] ?? document?.UBI,
      username: document?.Username ?? document?.username,
      password: document?.Password ?? document?.password,
      sessionId: request.headers['x-session-token'],
      training: query.Training === '1' || query.Training === 'true',
      nosession: false,
      transactionStart: toBound(query.TransactionID),
      transactionEnd: 0,
      details: { ...query, license: request.headers['x-license'] },
      random,
      number,
    };
  }

  async answer(call: SimulatorCall, listFault: FaultOrder | undefined): Promise<SimulatedAnswer> {
    if (call.action === 'login') return this.#login(call);
    const session = this.#world.sessions.check(call.sessionId);
    if (session.outcome !== 'open') return this.#refuse(sessionRefusal(session.outcome).error);
    if (session.user.ubi !== call.ubi) return this.#refuse(SIMULATED_REFUSALS.invalidSession.error);
    const user = this.#world.users.find(session.user);
    if (user === undefined) return this.#refuse(SIMULATED_REFUSALS.invalidSession.error);
    if (!this.#isLicenseOf(call)) return this.#refuse(SIMULATED_REFUSALS.invalidLicenseNumber.error);
    if (!user.privileges.has('sync_vendor')) return this.#refuse(privilegeRefusal(call.action).error);
    return this.#vendors(call, listFault);
  }

  refuse(_call: SimulatorCall, error: string | null): SimulatedAnswer {
    return this.#refuse(error);
  }

  #login(call: SimulatorCall): SimulatedAnswer {
    const { users, sessions, settings, counters } = this.#world;
    const data = this.#world.dataSet(call.training);
    const checked = users.check(call.ubi, call.username, call.password, (ubi) => data.hasUbi(ubi));
    const isAccepted = checked.outcome === 'accepted' && this.#isLicenseOf(call);
    counters.login(this.#world.callerOf(call), isAccepted ? 'accepted' : 'rejected');
    if (checked.outcome !== 'accepted') return this.#refuse(credentialRefusal(checked.outcome).error);
    if (!isAccepted) return this.#refuse(SIMULATED_REFUSALS.invalidLicenseNumber.error);
    return this.#write(200, { session: sessions.open(checked.user, settings) }, 'accepted');
  }

  /** `X-License`, where it is sent, is a license of the UBI, compared exactly. */
  #isLicenseOf(call: SimulatorCall): boolean {
    const { license } = call.details;
    if (license === undefined || license === '') return true;
    return this.#world.dataSet(call.training).list.some((row) => row.ubi === call.ubi && row.location === license);
  }

  async #vendors(call: SimulatorCall, fault: FaultOrder | undefined): Promise<SimulatedAnswer> {
    const { settings, writer, counters } = this.#world;
    const data = this.#world.dataSet(call.training);
    const cursor = call.details[settings.restCursorParameter];
    const after = toBound(cursor);
    if (cursor !== undefined && cursor !== '' && String(after) !== cursor) return this.#refuse('Invalid cursor.');
    const all = selectRows(data, { start: call.transactionStart, end: 0 }, settings, fault);
    const left = all.filter((row) => row.id > after);
    const page = left.slice(0, settings.restPageSize);
    const isLast = page.length === left.length;
    const elements = isLast && fault === undefined && call.transactionStart === 0 ? data.elements : [];
    counters.listAnswered();
    const written = await writeRows(page, (row) => writer.license(row), elements, settings, call.random);
    const members: (readonly [string, readonly Buffer[]])[] = [
      ['NextTransactionID', [Buffer.from(String(data.lastTransactionId + 1))]],
    ];
    const nextCursor = isLast ? LAST_CURSOR[settings.restLastCursor] : `"${page.at(-1)?.id ?? ''}"`;
    if (nextCursor !== undefined) members.unshift(['NextCursor', [Buffer.from(nextCursor)]]);
    if (fault?.fault !== 'missing_list') members.push(['Vendor', inBrackets(written)]);
    const body = writeObject(members, settings.shuffleKeys ? call.random : undefined);
    return { status: 200, contentType: settings.contentType, body, outcome: `${page.length + elements.length}_rows` };
  }

  #refuse(error: string | null): SimulatedAnswer {
    return this.#write(this.#world.settings.restErrorStatus, error === null ? {} : { Error: error }, 'refused');
  }

  #write(
    status: number,
    document: Readonly<Record<string, string | null>>,
    outcome: string,
    headers: Readonly<Record<string, string>> = {},
  ): SimulatedAnswer {
    const { contentType } = this.#world.settings;
    return { status, contentType, headers, body: [Buffer.from(JSON.stringify(document))], outcome };
  }
}

const LAST_CURSOR: Readonly<Record<'null' | 'empty' | 'absent', string | undefined>> = {
  null: 'null',
  empty: '""',
  absent: undefined,
};

const parse = (body: Buffer): unknown => {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
};
