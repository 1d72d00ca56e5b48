import {
  type DialectHandler,
  type IncomingCall,
  type SimulatedResponse,
  type SimulatorCall,
  toBound,
  toRecord,
} from './dialect.js';
import type { FaultRule } from './faults.js';
import { toJsonArray, writeObject, writeRows } from './list-body.js';
import { SIMULATED_REFUSALS, toCredentialRefusal, toPrivilegeRefusal, toSessionRefusal } from './refusals.js';
import type { WireRow } from './row-writer.js';
import { selectRows, type TableRow } from './select-rows.js';
import type { Simulation } from './simulation.js';

interface RestList {
  /** The response member with the rows. */
  readonly member: string;
  /** Ids rise; the cursor is the id of the last row of a page. */
  readonly rows: readonly { readonly id: number; readonly write: () => WireRow }[];
  readonly elements: readonly string[];
}

interface Route {
  readonly method: string;
  readonly action: string;
}

const ROUTES: Readonly<Record<string, Route>> = {
  '/v1/user/login': { method: 'POST', action: 'login' },
  '/v1/vendor': { method: 'GET', action: 'sync_vendor' },
  '/v1/lab': { method: 'GET', action: 'sync_qa_lab' },
};

/**
 * The licensee REST dialect. Its actions have the names of `api4`, so that faults, counters and privileges are the same
 * in both. The cursor parameter and the status of refusals are unknown, so both are options.
 */
export class RestHandler implements DialectHandler {
  readonly #simulation: Simulation;

  constructor(simulation: Simulation) {
    this.#simulation = simulation;
  }

  parseRequest({ request, body, number, random }: IncomingCall): SimulatorCall | SimulatedResponse {
    const url = new URL(request.url ?? '/', 'http://simulator');
    const route = ROUTES[url.pathname];
    if (route === undefined) return this.#toResponse(404, { Error: 'Not found.' }, 'not_found');
    if (request.method !== route.method) {
      return this.#toResponse(405, { Error: 'Method not allowed.' }, 'wrong_method', { allow: route.method });
    }
    const document = toRecord(parseJson(body));
    if (route.action === 'login' && document === undefined) {
      return this.#toResponse(
        this.#simulation.options.restErrorStatus,
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
      members: { ...query, license: request.headers['x-license'] },
      random,
      number,
    };
  }

  async respond(call: SimulatorCall, listFault: FaultRule | undefined): Promise<SimulatedResponse> {
    if (call.action === 'login') return this.#login(call);
    const session = this.#simulation.sessions.check(call.sessionId);
    if (session.outcome !== 'open') return this.#refuse(toSessionRefusal(session.outcome).error);
    if (session.user.ubi !== call.ubi) return this.#refuse(SIMULATED_REFUSALS.invalidSession.error);
    const user = this.#simulation.users.find(session.user);
    if (user === undefined) return this.#refuse(SIMULATED_REFUSALS.invalidSession.error);
    if (!this.#isLicenseOf(call)) return this.#refuse(SIMULATED_REFUSALS.invalidLicenseNumber.error);
    if (!this.#simulation.offers(call.action) || !user.privileges.has(call.action)) {
      return this.#refuse(toPrivilegeRefusal(call.action).error);
    }
    return call.action === 'sync_qa_lab'
      ? this.#respondWithLabs(call, listFault)
      : this.#respondWithVendors(call, listFault);
  }

  refuse(_call: SimulatorCall, error: string | null): SimulatedResponse {
    return this.#refuse(error);
  }

  #login(call: SimulatorCall): SimulatedResponse {
    const { users, sessions, options, counters } = this.#simulation;
    const data = this.#simulation.getDataSet(call.training);
    const checked = users.check(call.ubi, call.username, call.password, (ubi) => data.hasUbi(ubi));
    const isAccepted = checked.outcome === 'accepted' && this.#isLicenseOf(call);
    counters.recordLogin(this.#simulation.toCaller(call), isAccepted ? 'accepted' : 'rejected');
    if (checked.outcome !== 'accepted') return this.#refuse(toCredentialRefusal(checked.outcome).error);
    if (!isAccepted) return this.#refuse(SIMULATED_REFUSALS.invalidLicenseNumber.error);
    return this.#toResponse(200, { session: sessions.open(checked.user, options) }, 'accepted');
  }

  /** Whether `X-License`, if sent, is exactly a license of the UBI. */
  #isLicenseOf(call: SimulatorCall): boolean {
    const { license } = call.members;
    if (license === undefined || license === '') return true;
    return this.#simulation
      .getDataSet(call.training)
      .list.some((row) => row.ubi === call.ubi && row.location === license);
  }

  #respondWithVendors(call: SimulatorCall, fault: FaultRule | undefined): Promise<SimulatedResponse> {
    const { writer, counters } = this.#simulation;
    const data = this.#simulation.getDataSet(call.training);
    counters.recordList();
    const elements = fault === undefined && call.transactionStart === 0 ? data.elements : [];
    const rows = this.#select(call, data.list, fault).map((row) => ({ id: row.id, write: () => writer.license(row) }));
    return this.#respondWithPage(call, { member: 'Vendor', rows, elements }, fault);
  }

  #respondWithLabs(call: SimulatorCall, fault: FaultRule | undefined): Promise<SimulatedResponse> {
    const { writer } = this.#simulation;
    const { labs } = this.#simulation.getDataSet(call.training);
    const rows = this.#select(call, labs, fault).map((lab, index) => ({ id: index + 1, write: () => writer.lab(lab) }));
    return this.#respondWithPage(call, { member: 'Labs', rows, elements: [] }, fault);
  }

  #select<Row extends TableRow>(
    call: SimulatorCall,
    list: readonly Row[],
    fault: FaultRule | undefined,
  ): readonly Row[] {
    return selectRows(list, { start: call.transactionStart, end: 0 }, this.#simulation.options, fault);
  }

  async #respondWithPage(
    call: SimulatorCall,
    list: RestList,
    fault: FaultRule | undefined,
  ): Promise<SimulatedResponse> {
    const { options } = this.#simulation;
    const cursor = call.members[options.restCursorParameter];
    const after = toBound(cursor);
    if (cursor !== undefined && cursor !== '' && String(after) !== cursor) return this.#refuse('Invalid cursor.');
    const rest = list.rows.filter(({ id }) => id > after);
    const page = rest.slice(0, options.restPageSize);
    const isLast = page.length === rest.length;
    const elements = isLast ? list.elements : [];
    const written = await writeRows(page, ({ write }) => write(), elements, options, call.random);
    const { lastTransactionId } = this.#simulation.getDataSet(call.training);
    const members: (readonly [string, readonly Buffer[]])[] = [
      ['NextTransactionID', [Buffer.from(String(lastTransactionId + 1))]],
    ];
    const nextCursor = isLast ? LAST_CURSOR[options.restLastCursor] : `"${page.at(-1)?.id ?? ''}"`;
    if (nextCursor !== undefined) members.unshift(['NextCursor', [Buffer.from(nextCursor)]]);
    if (fault?.fault !== 'missing_list') members.push([list.member, toJsonArray(written)]);
    const body = writeObject(members, options.shuffleKeys ? call.random : undefined);
    return { status: 200, contentType: options.contentType, body, outcome: `${page.length + elements.length}_rows` };
  }

  #refuse(error: string | null): SimulatedResponse {
    return this.#toResponse(
      this.#simulation.options.restErrorStatus,
      error === null ? {} : { Error: error },
      'refused',
    );
  }

  #toResponse(
    status: number,
    document: Readonly<Record<string, string | null>>,
    outcome: string,
    headers: Readonly<Record<string, string>> = {},
  ): SimulatedResponse {
    const { contentType } = this.#simulation.options;
    return { status, contentType, headers, body: [Buffer.from(JSON.stringify(document))], outcome };
  }
}

const LAST_CURSOR: Readonly<Record<'null' | 'empty' | 'absent', string | undefined>> = {
  null: 'null',
  empty: '""',
  absent: undefined,
};

const parseJson = (body: Buffer): unknown => {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
};
