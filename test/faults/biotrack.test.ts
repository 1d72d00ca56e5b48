// Damaged responses, with undici's real pool over real sockets: each fault of the simulator, lists truncated at every byte,
// and random bodies.
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import t, { type Test } from 'tap';
import {
  type Biotrack,
  BiotrackError,
  type BiotrackEvent,
  type BiotrackLogin,
  type BiotrackOptions,
  type BiotrackSession,
  createBiotrack,
  parseStates,
  type VendorList,
} from '../../src/biotrack/index.js';
import { UPSTREAM_REASONS, type UpstreamReason } from '../../src/domain/failure-reason.js';
import { Secret } from '../../src/domain/secret.js';
import {
  FAULT_NAMES,
  type FaultName,
  type FaultRule,
  type Simulator,
  type SimulatorLogin,
  startSimulator,
} from '../../src/simulator/index.js';
import { IS_LONG, pickCount } from '../helpers/counts.js';
import { readSeed } from '../helpers/seed.js';
import { PATIENCE_MS, until } from '../helpers/until.js';

const SEED = readSeed();
const NM = { state: 'NM', environment: 'production' } as const;
/** Short, because some faults are only detected by a deadline. */
const TIMEOUTS = { connectMs: 700, headersMs: 400, listMs: 900, shortMs: 700 };
/** Far more than a deadline is missed by; without a deadline these calls would never end. */
const GRACE_MS = PATIENCE_MS;

t.setTimeout(IS_LONG ? 3_600_000 : 240_000);
/** The size of the list that is truncated at every byte. */
const FEW_ROWS = pickCount({ few: 1, full: 5, long: 5 });

t.comment(`TEST_SEED=${SEED}`);

function open(url: string, options: Partial<BiotrackOptions> & { dialect?: string } = {}): Biotrack {
  const { dialect = 'api4', ...more } = options;
  const environment = { dialect, url, max_body_bytes: 1024 * 1024, offers: { transporters: true } };
  return createBiotrack({
    states: parseStates({ NM: { environments: { production: environment } } }),
    retry: { attempts: 1, baseMs: 1 },
    circuit: { failures: Number.POSITIVE_INFINITY },
    ...more,
  });
}

const toLogin = ({ ubi, username, password }: SimulatorLogin): BiotrackLogin => ({
  ubi,
  username,
  password: new Secret(password),
});

interface End {
  readonly reason: UpstreamReason | 'ok';
  readonly error: BiotrackError | undefined;
  readonly tookMs: number;
}

/** The result of the work: ok, or the reason of a BiotrackError. Rethrows other errors. */
async function endOf(work: () => Promise<unknown>): Promise<End> {
  const startedAt = performance.now();
  const tookMs = (): number => performance.now() - startedAt;
  try {
    await work();
    return { reason: 'ok', error: undefined, tookMs: tookMs() };
  } catch (error) {
    if (!(error instanceof BiotrackError)) throw error;
    return { reason: error.reason, error, tookMs: tookMs() };
  }
}

/** The expected reason at a login and at a list. `null`: the fault does not apply. */
interface Expected {
  readonly order: FaultRule;
  readonly login: UpstreamReason | 'ok' | null;
  readonly list: UpstreamReason | 'ok';
  /** Only if `rest` differs, because it has no codes. */
  readonly restLogin?: UpstreamReason | 'ok';
  readonly restList?: UpstreamReason | 'ok';
}

const both = (order: FaultRule, reason: UpstreamReason | 'ok'): Expected => ({ order, login: reason, list: reason });

const EXPECTED: readonly Expected[] = [
  { order: { fault: 'reset_at_connect' }, login: 'upstream_unreachable', list: 'upstream_unreachable' },
  both({ fault: 'hang' }, 'upstream_timeout'),
  both({ fault: 'hang', delayMs: 100 }, 'upstream_unreachable'),
  both({ fault: 'reset_in_headers' }, 'upstream_unreachable'),
  both({ fault: 'reset_in_headers', bytes: 40 }, 'upstream_unreachable'),
  both({ fault: 'invalid_http' }, 'upstream_invalid_response'),
  both({ fault: 'empty_body' }, 'upstream_invalid_response'),
  both({ fault: 'html' }, 'upstream_invalid_response'),
  both({ fault: 'html', status: 502 }, 'upstream_unreachable'),
  both({ fault: 'html', status: 404 }, 'upstream_rejected'),
  both({ fault: 'json_null' }, 'upstream_invalid_response'),
  both({ fault: 'json_array' }, 'upstream_invalid_response'),
  both({ fault: 'raw_body' }, 'upstream_invalid_response'),
  both({ fault: 'raw_body', text: '{"success":' }, 'upstream_invalid_response'),
  both({ fault: 'throttled' }, 'upstream_throttled'),
  both({ fault: 'throttled', retryAfterSeconds: 0 }, 'upstream_throttled'),
  both({ fault: 'server_error' }, 'upstream_unreachable'),
  both({ fault: 'server_error', status: 500, retryAfter: 'nonsense' }, 'upstream_unreachable'),
  both({ fault: 'redirect' }, 'upstream_invalid_response'),
  both({ fault: 'redirect', status: 307 }, 'upstream_invalid_response'),
  { order: { fault: 'code_602' }, login: 'login_refused', list: 'upstream_rejected' },
  both({ fault: 'code_1000' }, 'upstream_trouble'),
  { order: { fault: 'error_response' }, login: 'ubi_rejected', list: 'upstream_rejected' },
  both({ fault: 'error_response', error: 'Invalid username or password.' }, 'credentials_rejected'),
  {
    ...both({ fault: 'error_response', errorcode: '62' }, 'privilege_missing'),
    restLogin: 'ubi_rejected',
    restList: 'upstream_rejected',
  },
  { order: { fault: 'invalid_license_number' }, login: 'login_refused', list: 'upstream_rejected' },
  both({ fault: 'session_expired', times: 2 }, 'upstream_session_lost'),
  { order: { fault: 'session_expired', errorcode: 60 }, login: 'upstream_session_lost', list: 'ok' },
  { order: { fault: 'echo_password' }, login: 'login_refused', list: 'upstream_rejected' },
  both({ fault: 'huge_body', bytes: 4 * 1024 * 1024 }, 'upstream_invalid_response'),
  both({ fault: 'huge_body', bytes: 4 * 1024 * 1024, withLength: true }, 'upstream_invalid_response'),
  { order: { fault: 'shrunk_list' }, login: null, list: 'ok' },
  { order: { fault: 'missing_list' }, login: null, list: 'list_empty' },
  { order: { fault: 'invalid_rows' }, login: null, list: 'upstream_invalid_response' },
  { order: { fault: 'invalid_rows', percent: 3 }, login: null, list: 'ok' },
  both({ fault: 'slow_first_byte' }, 'upstream_timeout'),
  both({ fault: 'slow_first_byte', delayMs: 50 }, 'ok'),
  both({ fault: 'drip' }, 'upstream_timeout'),
  both({ fault: 'reset_in_body' }, 'upstream_invalid_response'),
  both({ fault: 'reset_in_body', cutAt: 0 }, 'upstream_invalid_response'),
  both({ fault: 'cut_body' }, 'upstream_invalid_response'),
  both({ fault: 'cut_body', cutAt: 0 }, 'upstream_invalid_response'),
  both({ fault: 'cut_body_without_length' }, 'upstream_invalid_response'),
  both({ fault: 'two_documents' }, 'upstream_invalid_response'),
  both({ fault: 'leaked_header' }, 'ok'),
  both({ fault: 'wrong_charset' }, 'upstream_invalid_response'),
  both({ fault: 'wrong_charset', charset: 'utf8_with_bom' }, 'ok'),
  { order: { fault: 'wrong_charset', charset: 'latin1' }, login: 'ok', list: 'upstream_invalid_response' },
];

t.test('every fault of the simulator ends with its reason before the deadline', async (t) => {
  const covered = new Set<FaultName>(EXPECTED.map(({ order }) => order.fault));
  t.same(
    FAULT_NAMES.filter((name) => !covered.has(name)),
    [],
    'every fault has an expectation',
  );
  for (const [state, dialect] of [
    ['nm', 'api4'],
    ['fl', 'rest'],
  ] as const) {
    await t.test(dialect, async (t) => {
      const simulator = await startSimulator({ state, licenses: 400, seed: 7 });
      t.teardown(() => simulator.close());
      const { control } = simulator;
      const login = toLogin(simulator.demo);
      let slowestMs = 0;
      let count = 0;
      for (const expected of EXPECTED) {
        const isRest = dialect === 'rest';
        const { order } = expected;
        const at: readonly (readonly ['login' | 'sync_vendor', UpstreamReason | 'ok' | null])[] = [
          ['login', (isRest ? expected.restLogin : undefined) ?? expected.login],
          ['sync_vendor', (isRest ? expected.restList : undefined) ?? expected.list],
        ];
        for (const [action, reason] of at) {
          if (reason === null) continue;
          const events: BiotrackEvent[] = [];
          const biotrack = open(simulator.url, { dialect, timeouts: TIMEOUTS, onEvent: (event) => events.push(event) });
          const name = `${action}: ${inspect(order, { breakLength: Number.POSITIVE_INFINITY })}`;
          let session: BiotrackSession | undefined;
          if (action === 'sync_vendor') session = await biotrack.openSession(NM, login);
          control.injectFault({ ...order, action });
          const end = await endOf(async () => {
            if (session === undefined) return biotrack.openSession(NM, login);
            const list = await session.fetchVendors();
            assertPlausible(t, list);
            return list;
          });
          control.clearFaults();
          await biotrack.close();
          const deadlineMs = action === 'login' ? TIMEOUTS.shortMs : TIMEOUTS.listMs;
          slowestMs = Math.max(slowestMs, end.tookMs);
          count += 1;
          t.equal(end.reason, reason, `${name} (${end.error?.answer})`);
          t.ok(end.tookMs < deadlineMs + GRACE_MS, `${name} ended after ${Math.round(end.tookMs)} ms`);
          const seen = `${inspect(end.error, { depth: 9, showHidden: true })}${end.error?.stack}${JSON.stringify(events)}`;
          t.notOk(seen.includes(simulator.demo.password), 'the password does not appear');
        }
      }
      t.equal(control.counters().redirectsFollowed, 0, 'no redirect was followed');
      t.comment(`${count} faults, the slowest ended after ${Math.round(slowestMs)} ms`);
    });
  }
});

function assertPlausible(t: Test, list: VendorList): void {
  const { vendors, partlyRead, skips, fetched } = list;
  const isSane =
    vendors.length + partlyRead.length > 0 &&
    fetched === vendors.length + partlyRead.length + skips.length &&
    skips.length <= fetched * 0.05 &&
    vendors.every(({ licenseNumber }) => licenseNumber.trim() !== '');
  if (!isSane) t.fail('an implausible list was accepted');
}

t.test('the deadline of a call includes all attempts and waits', async (t) => {
  const simulator = await startSimulator({ licenses: 100 });
  t.teardown(() => simulator.close());
  const login = toLogin(simulator.demo);
  const biotrack = open(simulator.url, { timeouts: TIMEOUTS, retry: { attempts: 50, baseMs: 20 } });
  t.teardown(() => biotrack.close());
  const session = await biotrack.openSession(NM, login);
  for (const fault of ['hang', 'empty_body', 'reset_in_headers', 'drip', 'throttled'] as const) {
    simulator.control.injectFault({ fault, action: 'sync_vendor', times: 0 });
    const end = await endOf(() => session.fetchVendors());
    t.not(end.reason, 'ok');
    t.ok(end.tookMs < TIMEOUTS.listMs + GRACE_MS, `${fault}: ${end.reason} after ${Math.round(end.tookMs)} ms`);
    simulator.control.clearFaults();
  }
  simulator.control.injectFault({ fault: 'reset_in_body', action: 'sync_vendor', times: 2 });
  t.equal((await endOf(() => session.fetchVendors())).reason, 'ok', 'a repeated read succeeds');
  const { listCalls } = simulator.control.counters();
  simulator.control.injectFault({ fault: 'throttled', retryAfterSeconds: 30, action: 'sync_vendor' });
  const end = await endOf(() => session.fetchVendors());
  t.match(end, { reason: 'upstream_throttled', error: { retryAfterMs: 30_000 } });
  t.equal(simulator.control.counters().listCalls, listCalls + 1, 'a wait beyond the deadline is not started');
});

t.test('hosts that refuse connections or never respond', async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  const login: BiotrackLogin = { ubi: '1', username: 'a', password: new Secret('b') };
  const refused = open(`http://127.0.0.1:${port}`, { timeouts: TIMEOUTS });
  t.match((await endOf(() => refused.openSession(NM, login))).error, {
    answer: 'no_connection',
    message: /ECONNREFUSED/,
  });
  await refused.close();

  const mute = createTcpServer((socket) => socket.resume()).listen(0, '127.0.0.1');
  await once(mute, 'listening');
  const silent = open(`http://127.0.0.1:${(mute.address() as AddressInfo).port}`, {
    timeouts: { ...TIMEOUTS, headersMs: 600_000, shortMs: 300 },
  });
  const end = await endOf(() => silent.openSession(NM, login));
  t.equal(end.reason, 'upstream_timeout');
  t.ok(end.tookMs < 300 + GRACE_MS);
  await silent.close();
  mute.close();
  await once(mute, 'close');
});

t.test('sessions', async (t) => {
  const simulator = await startSimulator({ state: 'ct', licenses: 100 });
  const { control } = simulator;
  t.teardown(() => simulator.close());
  const login = toLogin(simulator.demo);
  const biotrack = open(simulator.url, { retry: { attempts: 3, baseMs: 1 } });
  t.teardown(() => biotrack.close());
  const begin = async (): Promise<BiotrackSession> => {
    control.reset();
    return biotrack.openSession(NM, login);
  };

  await t.test('several reads use one login', async (t) => {
    const session = await begin();
    await session.fetchVendors();
    await session.fetchLabs?.();
    await session.checkVendors?.();
    t.match(control.counters(), { logins: 1, calls: 4 });
  });

  await t.test('a lost session is renewed once, however many reads detect it', async (t) => {
    const session = await begin();
    control.expireSessions();
    const lists = await Promise.all([session.fetchVendors(), session.fetchLabs?.(), session.fetchVendors()]);
    t.ok(lists.every((list) => list !== undefined && list.fetched > 0));
    t.match(control.counters(), { logins: 2, loginsAccepted: 2 });
    control.expireSessions();
    t.equal((await endOf(() => session.fetchVendors())).reason, 'upstream_session_lost');
    t.equal((await endOf(async () => session.fetchLabs?.())).reason, 'upstream_session_lost');
    t.match(control.counters(), { logins: 2 });
  });

  await t.test('a session that is lost again at once is not renewed again', async (t) => {
    const session = await begin();
    control.injectFault({ fault: 'session_expired', action: 'sync_vendor', times: 0 });
    t.equal((await endOf(() => session.fetchVendors())).reason, 'upstream_session_lost');
    t.match(control.counters(), { logins: 2, callsByAction: { sync_vendor: 2 } });
  });

  await t.test('a password that was changed is rejected by one login', async (t) => {
    const session = await begin();
    control.changePassword({ ...simulator.demo, password: 'another', endSessions: true });
    for (let time = 0; time < 5; time += 1) {
      t.equal((await endOf(() => session.fetchVendors())).reason, 'credentials_rejected');
    }
    t.match(control.counters(), { logins: 2, loginsRejected: 1 });
  });

  await t.test('a wrong password causes exactly one login, with any other fault', async (t) => {
    const wrong = { ...login, password: new Secret('wrong') };
    for (const ask of [() => biotrack.verifyLogin(NM, wrong), () => endOf(() => biotrack.openSession(NM, wrong))]) {
      control.reset();
      await ask();
      t.match(control.counters(), { calls: 1, logins: 1, loginsRejected: 1 });
    }
    t.same(await biotrack.verifyLogin(NM, wrong), { kind: 'rejected' });
    t.equal((await endOf(() => biotrack.openSession(NM, wrong))).reason, 'credentials_rejected');
    t.equal((await endOf(() => biotrack.openSession(NM, { ...login, ubi: '1' }))).reason, 'ubi_rejected');
    for (const fault of ['hang', 'empty_body', 'reset_in_headers', 'server_error', 'code_1000', 'cut_body'] as const) {
      control.reset();
      control.injectFault({ fault, action: 'login', delayMs: 50 });
      t.not(
        (await endOf(() => biotrack.openSession(NM, wrong))).reason,
        'credentials_rejected',
        'an outage is not a rejection',
      );
      t.equal(control.counters().calls, 1, `${fault}: one login`);
    }
  });

  await t.test(
    'a failure after the login does not change the verdict, and an outage at the login is no verdict',
    async (t) => {
      control.reset();
      control.injectFault({ fault: 'server_error', action: 'sync_vendor', times: 0 });
      t.same(await biotrack.verifyLogin(NM, login), { kind: 'valid' });
      control.injectFault({ fault: 'server_error', action: 'login' });
      t.equal((await endOf(() => biotrack.verifyLogin(NM, login))).reason, 'upstream_unreachable');
      const limited = simulator.users.find(({ username }) => username.startsWith('limited'));
      control.reset();
      if (limited === undefined) throw new Error('the simulator has no limited user');
      t.same(await biotrack.verifyLogin(NM, toLogin(limited)), { kind: 'privilege_missing', privilege: 'sync_vendor' });
      t.match(control.counters(), { logins: 1, listCalls: 1 });
    },
  );
});

t.test('500 faults leave no sockets and timers', async (t) => {
  const count = (kind: RegExp): number => process.getActiveResourcesInfo().filter((name) => kind.test(name)).length;
  const timersBefore = count(/Timeout/);
  const simulator = await startSimulator({ licenses: 60, dirtyRows: false });
  const login = toLogin(simulator.demo);
  const biotrack = open(simulator.url, { timeouts: { connectMs: 400, headersMs: 200, listMs: 350, shortMs: 350 } });
  const reasons = new Map<string, number>();
  let faults = 0;
  const rounds = Math.ceil(500 / (FAULT_NAMES.length * 2 * 5));
  for (let round = 0; round < rounds; round += 1) {
    for (const fault of FAULT_NAMES) {
      for (const action of ['login', 'sync_vendor'] as const) {
        // On a busy machine, a login can exceed the short deadline, too.
        const session = await until('a session', () => biotrack.openSession(NM, login).catch(() => undefined));
        simulator.control.injectFault({ fault, action, times: 5 });
        const ends = await Promise.all(
          Array.from({ length: 5 }, () =>
            endOf(() => (action === 'login' ? biotrack.openSession(NM, login) : session.fetchVendors())),
          ),
        );
        simulator.control.clearFaults();
        for (const { reason } of ends) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
        faults += ends.length;
      }
    }
  }
  await biotrack.close();
  for (let wait = 0; wait < 100 && simulator.control.counters().openConnections > 0; wait += 1) await sleep(10);
  t.equal(simulator.control.counters().openConnections, 0, 'the simulator has no open connection');
  await simulator.close();
  for (let wait = 0; wait < 150 && count(/TCPSocket|TLS/) > 0; wait += 1) await sleep(10);
  t.ok(faults >= 500, `${faults} faults: ${JSON.stringify(Object.fromEntries(reasons))}`);
  t.equal(count(/TCPSocket|TLS/), 0, 'no socket is open');
  t.ok(count(/Timeout/) <= timersBefore, 'no timer is active');
});

/** Accepts every login, and responds to other calls with the given listener. */
async function startListener(answer: RequestListener): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (Buffer.concat(chunks).includes('"action":"login"')) response.end('{"success":1,"sessionid":"abc"}');
      else answer(request, response);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

const LOGIN: BiotrackLogin = { ubi: '1', username: 'a', password: new Secret('b') };

/** The bytes of the simulator's list. */
async function fetchBody(simulator: Simulator): Promise<Buffer> {
  const call = async (body: object): Promise<Buffer> => {
    const headers = { 'content-type': 'text/JSON' };
    const answer = await fetch(`${simulator.url}/serverjson.asp`, {
      method: 'POST',
      headers,
      body: JSON.stringify(body),
    });
    return Buffer.from(await answer.arrayBuffer());
  };
  const { ubi, ...user } = simulator.demo;
  const login = JSON.parse(String(await call({ API: '4.0', action: 'login', license_number: ubi, ...user })));
  return call({ API: '4.0', action: 'sync_vendor', sessionid: login.sessionid });
}

/** The first rows of the list. */
function withRows(body: Buffer, count: number): Buffer {
  const document = JSON.parse(String(body));
  return Buffer.from(JSON.stringify({ success: 1, vendor: document.vendor.slice(0, count) }));
}

type Cut = 'with_length' | 'chunked' | 'without_length';
const CUTS: readonly Cut[] = ['with_length', 'chunked', 'without_length'];

t.test('a list that is truncated at any byte is rejected', async (t) => {
  const simulator = await startSimulator({ licenses: 200, dirtyRows: false });
  const whole = await fetchBody(simulator);
  await simulator.close();
  const random = toRandom(SEED);
  let body = whole;
  let cut: { readonly how: Cut; readonly at: number } = { how: 'chunked', at: 0 };
  const listener = await startListener((request, response) => {
    const part = body.subarray(0, cut.at);
    const hangUp = (): void => void request.socket.end();
    if (cut.how === 'without_length') {
      request.socket.end(Buffer.concat([Buffer.from('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n'), part]));
      return;
    }
    if (cut.how === 'with_length') response.setHeader('content-length', body.length);
    response.flushHeaders();
    if (part.length === 0) hangUp();
    else response.write(part, hangUp);
  });
  const biotrack = open(listener.url);
  t.teardown(async () => {
    await biotrack.close();
    await listener.close();
  });
  const session = await biotrack.openSession(NM, LOGIN);
  let accepted = 0;
  for (const [name, rows, offsetsOf] of [
    [`${FEW_ROWS} rows`, FEW_ROWS, everyByte],
    [
      '200 rows',
      200,
      (length: number) =>
        IS_LONG ? everyByte(length) : someBytes(length, pickCount({ few: 40, full: 500, long: 500 }), random),
    ],
  ] as const) {
    body = withRows(whole, rows);
    const offsets = offsetsOf(body.length);
    for (const how of CUTS) {
      for (const at of offsets) {
        cut = { how, at };
        const { reason } = await endOf(() => session.fetchVendors());
        if (reason === 'ok') accepted += 1;
        if (reason !== 'upstream_invalid_response') t.fail(`${name}, ${how}, cut at ${at}: ${reason}`);
      }
    }
    cut = { how: 'without_length', at: body.length };
    t.equal((await session.fetchVendors()).fetched, rows, 'the complete list is accepted');
    t.pass(`${name}: ${offsets.length} offsets of ${body.length} bytes, each cut in ${CUTS.length} ways`);
  }
  t.equal(accepted, 0, 'no truncated list is accepted');
});

const everyByte = (length: number): readonly number[] => Array.from({ length }, (_, index) => index);
const someBytes = (length: number, count: number, random: () => number): readonly number[] =>
  Array.from({ length: count }, () => Math.floor(random() * length));

t.test('random bodies end with a typed error or a plausible list', async (t) => {
  const simulator = await startSimulator({ licenses: 40, seed: 3 });
  const whole = withRows(await fetchBody(simulator), 30);
  await simulator.close();
  const random = toRandom(SEED);
  let body = whole;
  const listener = await startListener((_, response) => response.end(body));
  const biotrack = open(listener.url);
  t.teardown(async () => {
    await biotrack.close();
    await listener.close();
  });
  const ends = new Map<string, number>();
  const wanted = pickCount({ few: 300, full: 2_000, long: 20_000 });
  for (let number = 0; number < wanted; number += 1) {
    body = number % 3 === 0 ? Buffer.from(randomJson(random)) : mutate(whole, random);
    const session = await biotrack.openSession(NM, LOGIN);
    try {
      assertPlausible(t, await session.fetchVendors());
      ends.set('accepted', (ends.get('accepted') ?? 0) + 1);
    } catch (error) {
      const isTyped = error instanceof BiotrackError && UPSTREAM_REASONS.includes(error.reason);
      if (!isTyped) t.fail(`seed ${SEED}, body ${number}: ${String(error)}`, { body: String(body).slice(0, 400) });
      else ends.set(error.reason, (ends.get(error.reason) ?? 0) + 1);
    }
  }
  t.pass(`${wanted} bodies: ${JSON.stringify(Object.fromEntries(ends))}`);
  t.ok((ends.get('accepted') ?? 0) > 0 && (ends.get('upstream_invalid_response') ?? 0) > 0, 'both results occurred');
});

/** Mulberry32, a seeded random number generator. */
function toRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const WORDS: readonly unknown[] = [
  null,
  true,
  false,
  0,
  1,
  '0',
  '1',
  '',
  ' ',
  -1,
  1.5,
  1e21,
  '9'.repeat(30),
  'none',
  '\0',
  '\ud800',
  'é',
  [],
  {},
  2 ** 53,
];
const KEYS = [
  'success',
  'vendor',
  'error',
  'errorcode',
  'location',
  'ubi',
  'deleted',
  '__proto__',
  'constructor',
  'name',
];

function randomValue(random: () => number, depth: number): unknown {
  const pick = <T>(list: readonly T[]): T | undefined => list[Math.floor(random() * list.length)];
  if (depth === 0 || random() < 0.4) return pick(WORDS);
  const size = Math.floor(random() * 5);
  if (random() < 0.4) return Array.from({ length: size }, () => randomValue(random, depth - 1));
  return Object.fromEntries(Array.from({ length: size }, () => [pick(KEYS) ?? '', randomValue(random, depth - 1)]));
}

function randomJson(random: () => number): string {
  const value = randomValue(random, 4);
  if (random() < 0.5 && typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return JSON.stringify({ success: 1, ...value });
  }
  return JSON.stringify(value);
}

/** A real list with bytes changed, removed, repeated or inserted, or with unusual values in some rows. */
function mutate(body: Buffer, random: () => number): Buffer {
  const below = (limit: number): number => Math.floor(random() * limit);
  if (random() < 0.5) {
    const document = JSON.parse(String(body)) as { vendor: Record<string, unknown>[] };
    for (let times = 1 + below(4); times > 0; times -= 1) {
      const row = document.vendor[below(document.vendor.length)] ?? {};
      const keys = Object.keys(row);
      const key = keys[below(keys.length)] ?? 'x';
      if (random() < 0.2) delete row[key];
      else row[key] = WORDS[below(WORDS.length)];
    }
    return Buffer.from(JSON.stringify(document));
  }
  let mutated = Buffer.from(body);
  for (let times = 1 + below(3); times > 0; times -= 1) {
    const at = below(mutated.length);
    const to = at + below(40);
    const kind = below(4);
    if (kind === 0) mutated[at] = below(256);
    else if (kind === 1) mutated = Buffer.concat([mutated.subarray(0, at), mutated.subarray(to)]);
    else if (kind === 2) mutated = Buffer.concat([mutated.subarray(0, to), mutated.subarray(at)]);
    else
      mutated = Buffer.concat([mutated.subarray(0, at), Buffer.from([below(256), below(128)]), mutated.subarray(at)]);
  }
  return mutated;
}

t.test('malformed HTTP responses', async (t) => {
  const sockets = new Set<Socket>();
  let respond: (socket: Socket) => void = () => {};
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.once('data', () => respond(socket));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const biotrack = open(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, { timeouts: TIMEOUTS });
  t.teardown(async () => {
    await biotrack.close();
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const cases: readonly (readonly [string, (socket: Socket) => void, UpstreamReason])[] = [
    ['endless headers', (socket) => socket.write('HTTP/1.1 200 OK\r\n'), 'upstream_timeout'],
    [
      'headers that are too long',
      (socket) => socket.write(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`),
      'upstream_invalid_response',
    ],
    [
      'two Content-Length headers',
      (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x'),
      'upstream_invalid_response',
    ],
    [
      'an invalid chunk',
      (socket) => socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}'),
      'upstream_invalid_response',
    ],
    [
      'a body that never arrives',
      (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n'),
      'upstream_timeout',
    ],
    [
      'endless interim responses',
      (socket) => {
        const timer = setInterval(() => socket.write('HTTP/1.1 102 Processing\r\n\r\n'), 20);
        socket.on('close', () => clearInterval(timer));
      },
      'upstream_timeout',
    ],
    ['HTTP 204', (socket) => socket.end('HTTP/1.1 204 No Content\r\n\r\n'), 'upstream_invalid_response'],
  ];
  for (const [name, how, reason] of cases) {
    respond = how;
    const end = await endOf(() => biotrack.openSession(NM, LOGIN));
    t.equal(end.reason, reason, `${name} (${end.error?.answer})`);
    t.ok(end.tookMs < TIMEOUTS.shortMs + GRACE_MS, `${name}: after ${Math.round(end.tookMs)} ms`);
  }
});
