// The exact requests to BioTrack and the classification of its responses, which nock sends. Faults are in test/faults/biotrack.test.ts.
import { readFile } from 'node:fs/promises';
import { inspect } from 'node:util';
import nock from 'nock';
import t, { type Test } from 'tap';
import { Dispatcher } from 'undici';
import {
  type Biotrack,
  BiotrackError,
  type BiotrackEvent,
  type BiotrackLogin,
  type BiotrackOptions,
  createBiotrack,
  DEFAULT_STATES,
  parseStates,
  StatesFileError,
  withAnswerTable,
} from '../../src/biotrack/index.js';
import type { UpstreamReason } from '../../src/domain/failure-reason.js';
import { Secret } from '../../src/domain/secret.js';
import { NockDispatcher } from '../helpers/nock-dispatcher.js';
import { PATIENCE_MS } from '../helpers/until.js';

const HOST = 'https://nm.biotrack.test';
const REST_HOST = 'https://fl.biotrack.test';
const PASSWORD = 'pass word "&é-canary-7f3a';
const SESSION = 'ab'.repeat(64);
const LOGIN: BiotrackLogin = { ubi: '042517300', username: 'demo@example.com', password: new Secret(PASSWORD) };
const NM = { state: 'NM', environment: 'production' } as const;
const FL = { state: 'FL', environment: 'production' } as const;

const STATES = parseStates({
  NM: {
    license_types: { '8': 'Retailer' },
    environments: {
      production: { dialect: 'api4', url: HOST, offers: { transporters: true } },
      training: { dialect: 'api4', url: HOST },
    },
  },
  CT: { environments: { production: { dialect: 'api4', url: `${HOST}/other.asp`, charset: 'windows-1252' } } },
  FL: { environments: { production: { dialect: 'rest', url: REST_HOST, cursor_parameter: 'After' } } },
  IL: { status: 'left', left_on: '2025', environments: {} },
});

type Body = Record<string, unknown>;

/** Expects one call with exactly this body, and sends the response. A call with another body gets none. */
function expectCall(body: Body, answer: nock.Body, status = 200, headers: nock.ReplyHeaders = {}): nock.Scope {
  return nock(HOST)
    .post('/serverjson.asp', body as nock.DataMatcherMap)
    .reply(status, answer, headers);
}

const credentials = { license_number: LOGIN.ubi, username: LOGIN.username, password: PASSWORD };
const loginBody: Body = { API: '4.0', action: 'login', ...credentials, training: 0 };
const callBody = (action: string, more: Body = {}): Body => ({
  API: '4.0',
  action,
  sessionid: SESSION,
  ...more,
  training: 0,
});
const loggedIn = { success: 1, admin: 1, sessionid: SESSION, time: 1_700_000_000 };
const expectLogin = (): nock.Scope => expectCall(loginBody, loggedIn);

interface TestBiotrack extends Biotrack {
  readonly events: BiotrackEvent[];
  readonly delays: number[];
}

/** The adapter with nock as the network: one attempt by default, and a fake clock that delays advance at once. */
function open(options: Partial<BiotrackOptions> = {}): TestBiotrack {
  const events: BiotrackEvent[] = [];
  const delays: number[] = [];
  let now = Date.UTC(2026, 0, 1);
  const biotrack = createBiotrack({
    states: STATES,
    dispatcher: new NockDispatcher(),
    retry: { attempts: 1 },
    onEvent: (event) => events.push(event),
    now: () => now,
    wallClock: () => now,
    random: () => 1,
    delay: async (ms) => {
      delays.push(ms);
      now += ms;
    },
    ...options,
  });
  return Object.assign(biotrack, { events, delays });
}

async function failureOf(work: Promise<unknown>): Promise<BiotrackError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof BiotrackError) return error;
    throw error;
  }
  throw new Error('the call did not fail');
}

const fetchVendors = async (biotrack: Biotrack, target: { state: string; environment: 'production' } = NM) =>
  (await biotrack.openSession(target, LOGIN)).fetchVendors();

const row = (more: Body = {}): Body => ({
  ubi: '422000931',
  location: '220091777',
  name: 'EXAMPLE MESA FARMS',
  locationtype: '8',
  address1: '14 EXAMPLE RD  STE 2',
  address2: 'STE 2',
  city: 'EXAMPLEVILLE',
  state: 'NM',
  zip: '870011234',
  producer: 1,
  processor: '0',
  retail: null,
  medical: 0,
  deleted: 0,
  transactionid: '31019131',
  transactionid_original: 31019002,
  ...more,
});

t.before(() => {
  nock.disableNetConnect();
  nock.enableNetConnect('127.0.0.1');
});
t.teardown(() => nock.restore());

/** A test that fails if an expected call was not made. */
function test(name: string, work: (t: Test) => Promise<void>): void {
  t.test(name, async (t) => {
    await work(t);
    t.same(nock.pendingMocks(), [], 'every expected call was made');
    nock.cleanAll();
  });
}

test('api4 sends exactly these requests', async (t) => {
  await t.test('a verification is one login and one read that needs the privilege and returns no rows', async (t) => {
    nock(HOST, { reqheaders: { 'content-type': 'text/JSON' }, badheaders: ['traceparent', 'authorization'] })
      .post('/serverjson.asp', loginBody as nock.DataMatcherMap)
      .reply(200, loggedIn, { 'content-type': 'text/plain' });
    expectCall(callBody('sync_vendor', { transaction_start: 2_147_483_647 }), { success: 1 });
    const biotrack = open();
    t.same(await biotrack.verifyLogin(NM, LOGIN), { kind: 'valid' });
    t.match(biotrack.events, [
      { kind: 'call_finished', state: 'NM', environment: 'production', action: 'login', outcome: 'ok', attempt: 1 },
      { kind: 'call_finished', action: 'sync_vendor', outcome: 'ok' },
    ]);
  });

  await t.test('lists are requested without bounds', async (t) => {
    expectLogin();
    expectCall(callBody('sync_vendor'), { vendor: [row()], success: '1' });
    expectCall(callBody('sync_qa_lab'), {
      success: 1,
      qa_lab: [
        { location: '00990', name: 'LAB', address1: '1 A ST', city: 'X', state: 'NM', zip: 6103, transactionid: 7 },
      ],
    });
    expectCall(callBody('sync_third_party_transporter'), {
      success: 1,
      third_party_transporter: [{ location: 'T1', ubi: 9, name: ' MOVERS ', deleted: '1', transactionid: '8' }],
    });
    expectCall(callBody('sync_check', { download: 0, data: [{ table: 'vendor', transaction_start: 0 }] }), {
      success: 1,
      summary: [{ table: 'vendor', sum: '31019131', match: 0 }],
    });
    const session = await open().openSession(NM, LOGIN);
    const vendors = await session.fetchVendors();
    t.same(vendors, {
      vendors: [
        {
          licenseNumber: '220091777',
          ubi: '422000931',
          name: 'EXAMPLE MESA FARMS',
          licenseType: 'Retailer',
          licenseTypeRaw: '8',
          activities: ['producer'],
          address: { line1: '14 EXAMPLE RD STE 2', line2: null, city: 'EXAMPLEVILLE', state: 'NM', zip: '870011234' },
          isDeleted: false,
          isLab: false,
          transactionId: '31019131',
          transactionIdOriginal: '31019002',
        },
      ],
      partlyRead: [],
      skips: [],
      skippedDigests: [],
      fetched: 1,
      transactionSum: '31019131',
    });
    t.match(await session.fetchLabs?.(), {
      vendors: [{ licenseNumber: '00990', ubi: null, isLab: true, activities: ['lab'], address: { zip: '06103' } }],
    });
    t.match(await session.fetchTransporters?.(), {
      vendors: [
        { licenseNumber: 'T1', ubi: '9', name: 'MOVERS', isLab: false, isDeleted: true, activities: ['transporter'] },
      ],
    });
    t.same(await session.checkVendors?.(), { sum: vendors.transactionSum });
  });

  await t.test('training data is requested from the same host', async (t) => {
    expectCall({ ...loginBody, training: 1 }, loggedIn);
    expectCall({ ...callBody('sync_vendor'), training: 1 }, { success: 1, vendor: [row()] });
    const session = await open().openSession({ state: 'NM', environment: 'training' }, LOGIN);
    t.equal((await session.fetchVendors()).fetched, 1);
    t.equal(session.fetchTransporters, undefined, 'transporters are listed only where the states file says so');
  });

  await t.test('a URL with a path is used as it is', async (t) => {
    nock(HOST).post('/other.asp').reply(200, loggedIn);
    await open().openSession({ state: 'CT', environment: 'production' }, LOGIN);
    t.pass('the call was made');
  });

  await t.test('a refused or unreadable sync_check returns no sum', async (t) => {
    for (const answer of [
      { success: 0, errorcode: 62, error: 'The current session does not possess access to the sync_check privilege.' },
      { success: 0, errorcode: 602, error: 'Unknown' },
      { success: 1 },
      { success: 1, summary: [{ table: 'vendor', sum: null }] },
    ]) {
      expectLogin();
      expectCall(callBody('sync_check', { download: 0, data: [{ table: 'vendor', transaction_start: 0 }] }), answer);
      t.same(await (await open().openSession(NM, LOGIN)).checkVendors?.(), { sum: undefined });
    }
  });
});

test('a login has a verdict', async (t) => {
  const denied = 'The current session does not possess access to the sync_vendor privilege.';
  const verify = (answer: Body) => {
    expectCall(loginBody, answer);
    return open().verifyLogin(NM, LOGIN);
  };
  t.same(await verify({ success: 0, error: 'Invalid username or password.' }), { kind: 'rejected' });
  t.same(await verify({ success: '0', error: 'INVALID USERNAME  OR PASSWORD', errorcode: 60 }), { kind: 'rejected' });
  t.same(await verify({ success: 0 }), { kind: 'ubi_rejected' });
  t.same(await verify({ success: '0', error: '', errorcode: null }), { kind: 'ubi_rejected' });

  const probe = (answer: nock.Body, status = 200) => {
    expectLogin();
    expectCall(callBody('sync_vendor', { transaction_start: 2_147_483_647 }), answer, status);
    return open().verifyLogin(NM, LOGIN);
  };
  const missing = { kind: 'privilege_missing', privilege: 'sync_vendor' };
  t.same(await probe({ success: 0, error: denied, errorcode: '62' }), missing);
  t.same(await probe({ success: 0, errorcode: 62 }), missing, 'by its code');
  t.same(
    await probe({ success: 0, error: denied.replace('sync_vendor', PASSWORD.split(' ')[0] ?? ''), errorcode: 62 }),
    missing,
  );
  t.same(await probe({ success: 0, error: 'Invalid username or password.' }), { kind: 'rejected' });
  t.same(await probe('<html>', 503), { kind: 'valid' }, 'a failure after the login does not change the verdict');
  t.same(await probe({ success: 0, errorcode: 602, error: 'Something' }), { kind: 'valid' });
  t.same(await probe(''), { kind: 'valid' });
});

test('every failure has a reason and an answer class', async (t) => {
  const text = (error: string, errorcode?: number | string): Body => ({ success: 0, error, errorcode });
  type Expected = readonly [name: string, answer: nock.Body, status: number, reason: UpstreamReason, id: string];
  const at: Record<'login' | 'sync_vendor', readonly Expected[]> = {
    login: [
      ['text', text('Invalid username or password.'), 200, 'credentials_rejected', 'wrong_credentials'],
      ['text in a 401', text('Invalid username or password.'), 401, 'credentials_rejected', 'wrong_credentials'],
      ['bare', { success: 0 }, 200, 'ubi_rejected', 'unknown_ubi'],
      ['bare in a 500', { success: 0 }, 500, 'upstream_unreachable', 'server_error'],
      ['a session code at login', { success: 0, errorcode: 60 }, 200, 'login_refused', 'login_refused'],
      ['a locked account', text('Your account has been locked.'), 200, 'login_refused', 'login_refused_text'],
      ['an expired password', text('Your password has expired.'), 200, 'login_refused', 'login_refused_text'],
      ['a temporary lock', text('Temporarily locked, try again later'), 200, 'login_refused', 'login_refused_text'],
      ['maintenance', text('Down for maintenance'), 200, 'upstream_trouble', 'trouble_text'],
      ['try later', text('Please try again later.', 602), 200, 'upstream_trouble', 'trouble_text'],
      ['a login without session id', { success: 1 }, 200, 'upstream_invalid_response', 'unexpected_json'],
      [
        'a session id that is not a string',
        { success: 1, sessionid: 5 },
        200,
        'upstream_invalid_response',
        'unexpected_json',
      ],
      ['version', text('Invalid API version.', 17), 200, 'upstream_rejected', 'api_version'],
    ],
    sync_vendor: [
      ['text', text('Invalid username or password.'), 200, 'credentials_rejected', 'wrong_credentials'],
      [
        '63, a license',
        text('You provided an invalid location license number.', 63),
        200,
        'upstream_rejected',
        'invalid_location',
      ],
      ['602, known', text('Too many requests, slow down', 602), 200, 'upstream_throttled', 'throttled_text'],
      [
        '602, unknown',
        text('An error occurred while processing your request.', 602),
        200,
        'upstream_rejected',
        'unknown_text',
      ],
      ['1000', text('Something odd.', '1000'), 200, 'upstream_trouble', 'internal_error_1000'],
      ['1000 by its text', text('An internal error has occurred.'), 200, 'upstream_trouble', 'trouble_text'],
      ['busy', text('The server is busy.'), 200, 'upstream_trouble', 'trouble_text'],
      ['bare', { success: 0 }, 200, 'upstream_rejected', 'bare_refusal'],
      ['a text without success', { error: 'Hm' }, 200, 'upstream_rejected', 'unknown_text'],
      ['an unknown value of success', { success: 2 }, 200, 'upstream_invalid_response', 'unexpected_json'],
      [
        'an inherited success',
        '{"__proto__":{"success":1,"vendor":[]}}',
        200,
        'upstream_invalid_response',
        'unexpected_json',
      ],
      ['null', 'null', 200, 'upstream_invalid_response', 'unexpected_json'],
      ['array', '[]', 200, 'upstream_invalid_response', 'unexpected_json'],
      ['empty', '', 200, 'upstream_invalid_response', 'invalid_json'],
      ['html', '<html></html>', 200, 'upstream_invalid_response', 'invalid_json'],
      ['deep', `${'['.repeat(200_000)}`, 200, 'upstream_invalid_response', 'invalid_json'],
      [
        'deep and closed',
        `${'['.repeat(100_000)}${']'.repeat(100_000)}`,
        200,
        'upstream_invalid_response',
        'unexpected_json',
      ],
      ['two documents', '{"success":1}\n{"success":1}', 200, 'upstream_invalid_response', 'invalid_json'],
      ['no list', { success: 1 }, 200, 'list_empty', 'list_missing'],
      ['a list of null', { success: 1, vendor: null }, 200, 'list_empty', 'list_missing'],
      ['an empty list', { success: 1, vendor: [] }, 200, 'list_empty', 'list_missing'],
      [
        'an object without a license number',
        { success: 1, vendor: {} },
        200,
        'upstream_invalid_response',
        'list_implausible',
      ],
      ['a list of another kind', { success: 1, vendor: 'x' }, 200, 'upstream_invalid_response', 'list_not_array'],
      ['a list in a 201', { success: 1, vendor: [row()] }, 201, 'upstream_invalid_response', 'unexpected_status'],
      ['a list in a 206', { success: 1, vendor: [row()] }, 206, 'upstream_invalid_response', 'unexpected_status'],
      ['a list in a 500', { success: 1, vendor: [row()] }, 500, 'upstream_unreachable', 'server_error'],
      ['404', 'not here', 404, 'upstream_rejected', 'client_error'],
      ['502', '<html>', 502, 'upstream_unreachable', 'server_error'],
      ['429', '<html>', 429, 'upstream_throttled', 'throttled'],
    ],
  };
  for (const [name, answer, status, reason, id] of at.login) {
    expectCall(loginBody, answer, status);
    t.match(await failureOf(open().openSession(NM, LOGIN)), { reason, answer: id }, `login: ${name}`);
  }
  for (const [name, answer, status, reason, id] of at.sync_vendor) {
    expectLogin();
    expectCall(callBody('sync_vendor'), answer, status);
    t.match(await failureOf(fetchVendors(open())), { reason, answer: id }, `sync_vendor: ${name}`);
  }

  await t.test('a redirect is not followed', async (t) => {
    for (const status of [301, 302, 303, 307, 308]) {
      expectCall(loginBody, '', status, { location: `${HOST}/elsewhere` });
      const failure = await failureOf(open().openSession(NM, LOGIN));
      t.match(failure, { reason: 'upstream_invalid_response', answer: 'redirect', fixedBy: 'operator' });
    }
  });

  await t.test('no request is sent for a state without a URL', async (t) => {
    const biotrack = open();
    const left = await failureOf(biotrack.openSession({ state: 'IL', environment: 'production' }, LOGIN));
    t.match(left, { reason: 'upstream_unreachable', retryable: false, fixedBy: 'none' });
    const unknown = await failureOf(biotrack.verifyLogin({ state: 'FL', environment: 'training' }, LOGIN));
    t.match(unknown, { reason: 'upstream_unreachable', retryable: false, fixedBy: 'operator' });
  });

  await t.test('errors and events contain nothing that BioTrack sent or received', async (t) => {
    const echo = `Login failed for ${PASSWORD} (internal) at node 17.`;
    for (const answer of [
      text(echo),
      text(echo, 602),
      echo,
      `{"success":1,"x":"${PASSWORD}`,
      { success: 1, vendor: echo },
    ]) {
      expectLogin();
      expectCall(callBody('sync_vendor'), answer);
      const biotrack = open();
      const failure = await failureOf(fetchVendors(biotrack));
      const seen = [inspect(failure, { depth: 9, showHidden: true }), failure.stack, JSON.stringify(failure)].join(
        '\n',
      );
      for (const secret of [PASSWORD, 'canary', 'Login failed', SESSION])
        t.notOk(seen.includes(secret), `${secret} does not appear`);
      const events = JSON.stringify(biotrack.events);
      for (const secret of [PASSWORD, 'canary', SESSION])
        t.notOk(events.includes(secret), `${secret} does not appear in events`);
      t.equal(failure.cause, undefined);
    }
  });

  await t.test('unknown texts have a label, and equal texts have the same', async (t) => {
    const labels: string[] = [];
    for (const error of ['Case 4711 is closed', 'Case 4712 is  closed', 'Another', `Case 1 is closed${PASSWORD}`]) {
      expectLogin();
      expectCall(callBody('sync_vendor'), text(error, 602));
      const biotrack = open();
      await failureOf(fetchVendors(biotrack));
      for (const event of biotrack.events) if (event.kind === 'unknown_text') labels.push(event.label);
    }
    t.equal(labels.length, 4);
    t.equal(new Set(labels).size, 2);
    const codes = new Set<string | undefined>();
    for (const code of [12, 13]) {
      expectCall(loginBody, { success: 0, errorcode: code });
      codes.add(((await failureOf(open().openSession(NM, LOGIN))) as BiotrackError).textLabel);
    }
    t.equal(codes.size, 2, 'other codes are other labels');
    for (const label of labels) t.match(label, /^[0-9a-f]{8}$/);
    const biotrack = open();
    for (let number = 0; number < 40; number += 1) {
      expectCall(loginBody, text(`odd ${'x'.repeat(number)}`, 602));
      await failureOf(biotrack.openSession(NM, LOGIN));
    }
    const seen = biotrack.events.flatMap((event) => (event.kind === 'unknown_text' ? [event.label] : []));
    t.equal(new Set(seen).size, 33, 'at most 32 labels and one for the rest');
  });
});

test('a list is accepted if it is complete, valid and plausible', async (t) => {
  const fetchRows = (rows: readonly unknown[], more: Body = {}) => {
    expectLogin();
    expectCall(callBody('sync_vendor'), JSON.stringify({ success: 1, vendor: rows, ...more }));
    return fetchVendors(open());
  };
  const good = (count: number): Body[] => Array.from({ length: count }, (_, index) => row({ location: `L${index}` }));

  t.match(await fetchRows([...good(19), row({ location: ' ' })]), {
    fetched: 20,
    skips: [{ reason: 'blank_license_number' }],
  });
  t.match(await failureOf(fetchRows([...good(18), null, 5])), {
    reason: 'upstream_invalid_response',
    answer: 'list_implausible',
  });
  t.match(await failureOf(fetchRows([{}])), { reason: 'upstream_invalid_response' }, 'no valid row');

  await t.test('a skip has the reason and identifies the row', async (t) => {
    const bad: readonly (readonly [unknown, Body])[] = [
      [null, { reason: 'not_an_object', licenseNumber: null, ubi: null, name: null }],
      [[row()], { reason: 'not_an_object', licenseNumber: null, ubi: null, name: null }],
      [
        row({ location: null, name: ' A  B ' }),
        { reason: 'blank_license_number', licenseNumber: null, ubi: '422000931', name: 'A B' },
      ],
      [
        row({ location: 'x\udc00' }),
        { reason: 'invalid_text', licenseNumber: null, ubi: '422000931', name: 'EXAMPLE MESA FARMS' },
      ],
      [
        row({ location: {} }),
        { reason: 'invalid_value', licenseNumber: null, ubi: '422000931', name: 'EXAMPLE MESA FARMS' },
      ],
      [row({ location: 'x'.repeat(201) }), { reason: 'invalid_value', licenseNumber: null }],
    ];
    for (const [value, expected] of bad) t.match((await fetchRows([...good(20), value])).skips, [expected]);
  });

  await t.test('a row with a license number is kept, and its unreadable fields are named', async (t) => {
    const odd: readonly (readonly [Body, { field: string; reason: string }[]])[] = [
      [{ name: 'a\0b' }, [{ field: 'name', reason: 'invalid_text' }]],
      [{ city: '\ud800' }, [{ field: 'address', reason: 'invalid_text' }]],
      [{ address1: 'x'.repeat(2_001) }, [{ field: 'address', reason: 'invalid_value' }]],
      [{ zip: 123_456_789_012 }, [{ field: 'address', reason: 'invalid_value' }]],
      [{ ubi: 1.5 }, [{ field: 'ubi', reason: 'invalid_value' }]],
      [{ ubi: false }, [{ field: 'ubi', reason: 'invalid_value' }]],
      [{ deleted: 'maybe' }, [{ field: 'deleted', reason: 'invalid_value' }]],
      [{ producer: 2 }, [{ field: 'producer', reason: 'invalid_value' }]],
      [{ retail: 'Y' }, [{ field: 'retail', reason: 'invalid_value' }]],
      [{ transactionid: '31019131-A' }, [{ field: 'transaction_id', reason: 'invalid_value' }]],
      [{ transactionid: -1 }, [{ field: 'transaction_id', reason: 'invalid_value' }]],
      [
        { processor: [], medical: {} },
        [
          { field: 'processor', reason: 'invalid_value' },
          { field: 'medical', reason: 'invalid_value' },
        ],
      ],
    ];
    for (const [fields, unreadable] of odd) {
      const list = await fetchRows([row({ location: 'L1' }), row(fields)]);
      t.same(
        list.partlyRead.map((each) => each.unreadable),
        [unreadable],
        JSON.stringify(fields).slice(0, 60),
      );
      t.match(list, { fetched: 2, skips: [], vendors: [{ licenseNumber: 'L1' }] });
    }
    const all = await fetchRows(Array.from({ length: 20 }, (_, index) => row({ location: `L${index}`, deleted: 'N' })));
    t.equal(all.partlyRead.length, 20, 'such rows do not count towards the 5 % of rows without a license number');
  });

  await t.test('leaked header lines, a byte order mark and white space around the document are ignored', async (t) => {
    const json = JSON.stringify({ success: 1, vendor: [row({ name: 'Café: {a}' })] });
    for (const body of [
      `Content-Type: text/plain\r\n\r\n${json}`,
      `Content-Type: text/plain${json}`,
      `\r\nContent-Type: text/plain; charset=utf-8\r\nX-Powered-By: ASP.NET\r\n\r\n${json}\r\n`,
      `${json}\r\nContent-Type: text/plain\r\n\r\n`,
      `${json}Content-Type: text/plain`,
      `\ufeff${json}`,
      `\ufeffContent-Type: text/plain\n\n${json}`,
      `  ${json}\n\n`,
    ]) {
      expectLogin();
      expectCall(callBody('sync_vendor'), Buffer.from(body));
      t.equal((await fetchVendors(open())).vendors[0]?.name, 'Café: {a}', JSON.stringify(body.slice(0, 30)));
    }
    for (const body of [
      `${json}${json}`,
      `x ${json}`,
      `${json} x`,
      `Content-Type: text/plain\r\n${json.slice(0, -1)}`,
    ]) {
      expectLogin();
      expectCall(callBody('sync_vendor'), Buffer.from(body));
      t.match(await failureOf(fetchVendors(open())), { answer: 'invalid_json' });
    }
  });

  await t.test('only the configured charset is accepted', async (t) => {
    const json = JSON.stringify({ success: 1, vendor: [row({ name: 'Café €' })] });
    const latin = Buffer.from(json.replace('€', '\x80'), 'latin1');
    expectLogin();
    expectCall(callBody('sync_vendor'), latin, 200, { 'content-type': 'text/plain; charset=windows-1252' });
    t.match(await failureOf(fetchVendors(open())), { reason: 'upstream_invalid_response', answer: 'invalid_charset' });
    expectLogin();
    expectCall(callBody('sync_vendor'), Buffer.from(json, 'utf16le'));
    t.match(await failureOf(fetchVendors(open())), { reason: 'upstream_invalid_response' });
    const CT = { state: 'CT', environment: 'production' } as const;
    nock(HOST).post('/other.asp').reply(200, loggedIn).post('/other.asp').reply(200, latin);
    t.equal((await fetchVendors(open(), CT)).vendors[0]?.name, 'Café €', 'the states file can set another charset');
  });

  await t.test('numbers above 2^53 keep their digits', async (t) => {
    const json = JSON.stringify({ success: 1, vendor: [row({ name: '"transactionid": 12345678901234567890, ' })] })
      .replace('"31019131"', '98765432109876543210')
      .replace('"220091777"', '00220091777'.replace(/^0+/, '9007199254740993'));
    expectLogin();
    expectCall(callBody('sync_vendor'), Buffer.from(json));
    const { vendors, transactionSum } = await fetchVendors(open());
    t.match(vendors[0], {
      licenseNumber: '9007199254740993220091777',
      transactionId: '98765432109876543210',
      name: '"transactionid": 12345678901234567890,',
    });
    t.equal(transactionSum, '98765432109876543210');
  });

  await t.test('a list of laboratories can be empty, but not missing', async (t) => {
    const fetchLabs = (answer: Body) => {
      expectLogin();
      expectCall(callBody('sync_qa_lab'), answer);
      return open()
        .openSession(NM, LOGIN)
        .then((session) => session.fetchLabs?.());
    };
    t.match(await failureOf(fetchLabs({ success: 1, qa_lab: [] })), { reason: 'list_empty' });
    t.match(await failureOf(fetchLabs({ success: 1 })), { reason: 'list_empty' });
    const denied = {
      success: 0,
      errorcode: 62,
      error: 'The current session does not possess access to the sync_qa_lab privilege.',
    };
    t.match(await failureOf(fetchLabs(denied)), {
      reason: 'privilege_missing',
      privilege: 'sync_qa_lab',
      fixedBy: 'user',
    });
  });
});

test('rest sends exactly these requests', async (t) => {
  const loginReply = (status = 200, body: Body = { session: 'S-1' }) =>
    nock(REST_HOST, { reqheaders: { 'x-ubi': LOGIN.ubi, 'content-type': 'application/json' } })
      .post('/v1/user/login', { Username: LOGIN.username, Password: PASSWORD })
      .reply(status, body);
  const vendors = (query: Record<string, string>, body: nock.Body, status = 200) =>
    nock(REST_HOST, { reqheaders: { 'x-ubi': LOGIN.ubi, 'x-session-token': 'S-1' } })
      .get('/v1/vendor')
      .query(query)
      .reply(status, body);
  const restRow = (id: number): Body => ({
    ID: id,
    Name: 'SITE',
    UBI: '0042',
    LocationLicense: `MMTC-${id}`,
    Address: '1  A ST',
    Address2: 'none',
    City: 'X',
    State: 'FL',
    Zip: '33101',
    Phone: '',
    Type: 0,
    Producer: true,
    Processor: false,
    Retail: true,
    Transporter: true,
    Deleted: false,
    LegacyComplyDate: null,
    TransactionID: id + 100,
  });
  const fetchAll = () => fetchVendors(open(), FL);

  await t.test('a verification is one login and one read', async (t) => {
    loginReply();
    vendors({ TransactionID: '2147483647' }, { Vendor: [], NextCursor: null });
    t.same(await open().verifyLogin(FL, LOGIN), { kind: 'valid' });
    loginReply(400, { Error: 'Invalid username or password.' });
    t.same(await open().verifyLogin(FL, LOGIN), { kind: 'rejected' });
    loginReply(400, {});
    t.same(await open().verifyLogin(FL, LOGIN), { kind: 'ubi_rejected' });
    t.same(await open().verifyLogin(FL, { ...LOGIN, ubi: '1\r\nX-Evil: 1' }), { kind: 'ubi_rejected' }, 'never sent');
    const evil = { ...LOGIN, licenseNumber: '1\r\nX-Evil: 1' };
    t.match(
      await open().verifyLogin(FL, evil),
      { kind: 'refused', error: { answer: 'invalid_login_location' } },
      'never sent',
    );
  });

  await t.test('all pages are combined into one list', async (t) => {
    loginReply();
    vendors({}, { Vendor: [restRow(1), restRow(2)], NextCursor: 'c 2', NextTransactionID: 9 });
    vendors({ After: 'c 2' }, { Vendor: [restRow(3)], NextCursor: 7, NextTransactionID: 9 });
    vendors({ After: '7' }, { Vendor: [], NextCursor: '', NextTransactionID: 9 });
    const list = await fetchAll();
    t.match(list, { fetched: 3, transactionSum: '306' });
    t.same(list.vendors[0], {
      licenseNumber: 'MMTC-1',
      ubi: '0042',
      name: 'SITE',
      licenseType: null,
      licenseTypeRaw: null,
      activities: ['producer', 'retail', 'transporter'],
      address: { line1: '1 A ST', line2: null, city: 'X', state: 'FL', zip: '33101' },
      isDeleted: false,
      isLab: false,
      transactionId: '101',
      transactionIdOriginal: null,
    });
  });

  await t.test('a repeated cursor or a page without a list rejects the list', async (t) => {
    loginReply();
    vendors({}, { Vendor: [restRow(1)], NextCursor: 'a' });
    vendors({ After: 'a' }, { Vendor: [restRow(1)], NextCursor: 'a' });
    t.match(await failureOf(fetchAll()), { reason: 'upstream_invalid_response', answer: 'invalid_pagination' });
    loginReply();
    vendors({}, { Vendor: [restRow(1)], NextCursor: 'a' });
    vendors({ After: 'a' }, {});
    t.match(await failureOf(fetchAll()), { answer: 'invalid_pagination' });
    loginReply();
    vendors({}, {});
    t.match(await failureOf(fetchAll()), { reason: 'list_empty' });
  });

  await t.test('refusals are recognized with any status', async (t) => {
    const denied = 'The current session does not possess access to the sync_vendor privilege.';
    const cases: readonly (readonly [number, nock.Body, UpstreamReason])[] = [
      [400, { Error: denied }, 'privilege_missing'],
      [403, { error: denied }, 'privilege_missing'],
      [200, { Error: 'Whatever' }, 'upstream_rejected'],
      [400, { Error: 'Whatever' }, 'upstream_rejected'],
      [500, { Error: 'Whatever' }, 'upstream_unreachable'],
      [400, 'no JSON', 'upstream_rejected'],
    ];
    for (const [status, body, reason] of cases) {
      loginReply();
      vendors({}, body, status);
      t.match(await failureOf(fetchAll()), { reason });
    }
  });

  await t.test('a 401 causes one new login, and the second fails', async (t) => {
    loginReply();
    vendors({}, {}, 401);
    loginReply();
    vendors({}, {}, 401);
    t.match(await failureOf(fetchAll()), { reason: 'upstream_session_lost' });
  });

  await t.test('laboratories are a list of their own', async (t) => {
    const labs = (query: Record<string, string>, body: nock.Body) =>
      nock(REST_HOST, { reqheaders: { 'x-ubi': LOGIN.ubi, 'x-session-token': 'S-1' } })
        .get('/v1/lab')
        .query(query)
        .reply(200, body);
    const lab = (id: number): Body => ({
      LicenseNumber: `CMTL-${id}`,
      Name: 'LAB',
      Address: '2 B ST',
      City: 'Y',
      State: 'FL',
      Zip: '33102',
      Deleted: id === 2,
    });
    const fetchLabs = async () => (await open().openSession(FL, LOGIN)).fetchLabs?.();
    loginReply();
    labs({}, { Labs: [lab(1)], NextCursor: 'b', NextTransactionID: 4 });
    labs({ After: 'b' }, { Labs: [lab(2)], NextCursor: null, NextTransactionID: 4 });
    t.match(await fetchLabs(), {
      fetched: 2,
      vendors: [
        { licenseNumber: 'CMTL-1', ubi: null, name: 'LAB', isLab: true, isDeleted: false, activities: ['lab'] },
        { licenseNumber: 'CMTL-2', isDeleted: true, address: { line1: '2 B ST', zip: '33102' } },
      ],
    });
    loginReply();
    labs({}, { Labs: [], NextCursor: null });
    t.match(await failureOf(fetchLabs()), { reason: 'list_empty' }, 'an empty list is a failure');
    loginReply();
    labs({}, { NextCursor: null });
    t.match(await failureOf(fetchLabs()), { reason: 'list_empty' }, 'and so is a missing one');
  });

  await t.test('rest has no other lists', async (t) => {
    loginReply();
    const session = await open().openSession(FL, LOGIN);
    t.equal(session.fetchTransporters, undefined);
    t.equal(session.checkVendors, undefined);
  });
});

test('calls are repeated where it is safe', async (t) => {
  await t.test('reads are repeated with full jitter, logins are not', async (t) => {
    expectLogin();
    for (const status of [503, 500]) expectCall(callBody('sync_vendor'), '', status);
    expectCall(callBody('sync_vendor'), { success: 1, vendor: [row()] });
    const biotrack = open({ retry: { attempts: 3, baseMs: 500 }, random: () => 0.25 });
    t.equal((await fetchVendors(biotrack)).fetched, 1);
    t.same(biotrack.delays, [125, 250], 'a quarter of the maximum delay, for the random number 0.25');
    for (const [status, answer] of [
      [503, ''],
      [200, ''],
      [200, { success: 0, errorcode: 1000 }],
      [200, { success: 0, error: 'Invalid username or password.' }],
    ] as const) {
      expectCall(loginBody, answer, status);
      const refused = open({ retry: { attempts: 5 } });
      await failureOf(refused.openSession(NM, LOGIN));
      t.same(refused.delays, []);
    }
  });

  await t.test('Retry-After is added to the delay', async (t) => {
    expectCall(loginBody, '', 429, { 'retry-after': '7' });
    expectLogin();
    const biotrack = open({ retry: { attempts: 2, baseMs: 500 } });
    await biotrack.openSession(NM, LOGIN);
    t.same(biotrack.delays, [7_500]);
  });

  await t.test('Retry-After is a number or a date, at most five minutes, and invalid values are ignored', async (t) => {
    const cases: readonly (readonly [string, number | undefined])[] = [
      ['120', 120_000],
      ['86400', 300_000],
      ['Thu, 01 Jan 2026 00:02:00 GMT', 120_000],
      ['Wed, 31 Dec 2025 00:00:00 GMT', 0],
      ['soon', undefined],
      ['-5', undefined],
    ];
    for (const [header, retryAfterMs] of cases) {
      expectLogin();
      expectCall(callBody('sync_vendor'), '', 429, { 'retry-after': header });
      const biotrack = open({ timeouts: { listMs: 10_000 } });
      t.match(await failureOf(fetchVendors(biotrack)), { reason: 'upstream_throttled', retryAfterMs }, header);
      if (retryAfterMs === undefined || retryAfterMs === 0) continue;
      const before = await failureOf(biotrack.openSession(NM, LOGIN));
      t.match(before, { answer: 'retry_after_pending', retryAfterMs }, 'no other call is sent to the host before');
    }
  });

  await t.test('a host that fails is left alone, then probed', async (t) => {
    let now = 0;
    const biotrack = open({ circuit: { failures: 3, openMs: 1_000 }, now: () => now });
    const fail = (): Promise<BiotrackError> => failureOf(biotrack.openSession(NM, LOGIN));
    for (let time = 0; time < 3; time += 1) {
      expectCall(loginBody, '', 502);
      t.match(await fail(), { answer: 'server_error' });
    }
    t.match(await fail(), { answer: 'circuit_open', reason: 'upstream_unreachable', retryAfterMs: 1_000 });
    now = 1_000;
    expectCall(loginBody, '', 502);
    t.match(await fail(), { answer: 'server_error' }, 'one call probes');
    t.match(await fail(), { answer: 'circuit_open' });
    now = 2_000;
    expectCall(loginBody, { success: 0 });
    t.match(await fail(), { reason: 'ubi_rejected' }, 'a refusal is a valid response');
    expectLogin();
    await biotrack.openSession(NM, LOGIN);
    const changes = biotrack.events.filter(({ kind }) => kind.startsWith('circuit'));
    t.match(changes, [
      { kind: 'circuit_opened', action: 'login' },
      { kind: 'circuit_closed', action: 'login' },
    ]);
  });

  await t.test('a list that times out opens no circuit for logins', async (t) => {
    const biotrack = open({ circuit: { failures: 2, openMs: 1_000 }, retry: { attempts: 1 }, now: () => 0 });
    for (let time = 0; time < 2; time += 1) {
      expectLogin();
      expectCall(callBody('sync_vendor'), '', 502);
      t.match(await failureOf(fetchVendors(biotrack)), { answer: 'server_error' });
    }
    expectLogin();
    t.match(await failureOf(fetchVendors(biotrack)), { answer: 'circuit_open' }, 'no third list call');
    expectLogin();
    t.ok(await biotrack.openSession(NM, LOGIN), 'logins go on');
  });

  await t.test('a complete response that cannot be parsed is no outage', async (t) => {
    for (const body of [
      '{"success":1,"vendor":[{"name":"A\tB"}]}',
      '<html>',
      'null',
      '[]',
      '{}',
      Buffer.from([0xff]),
    ]) {
      const biotrack = open({ circuit: { failures: 2, openMs: 1_000 }, retry: { attempts: 1 }, now: () => 0 });
      for (let time = 0; time < 4; time += 1) {
        expectLogin();
        expectCall(callBody('sync_vendor'), body as string);
        t.match(await failureOf(fetchVendors(biotrack)), { reason: 'upstream_invalid_response' }, String(body));
      }
      t.notOk(biotrack.events.some(({ kind }) => kind === 'circuit_opened'));
    }
  });

  await t.test('an aborted call rejects with the reason of the signal', async (t) => {
    const controller = new AbortController();
    const reason = new Error('the service stops');
    nock(HOST).post('/serverjson.asp').delay(2_000).reply(200, loggedIn);
    const biotrack = open();
    const work = biotrack.verifyLogin(NM, LOGIN, { signal: controller.signal });
    setTimeout(() => controller.abort(reason), 20);
    await t.rejects(work, reason);
    t.match(biotrack.events, [{ outcome: 'aborted' }]);
    await t.rejects(biotrack.verifyLogin(NM, LOGIN, { signal: controller.signal }), reason);
    nock.abortPendingRequests();
  });
});

function refusalOf(file: unknown): StatesFileError {
  try {
    parseStates(file);
  } catch (error) {
    if (error instanceof StatesFileError) return error;
    throw error;
  }
  throw new Error('the file was accepted');
}

test('states', async (t) => {
  await t.test('the built-in states', async (t) => {
    const active = DEFAULT_STATES.filter(({ status }) => status === 'active');
    t.same(
      active.map(({ code }) => code),
      ['AR', 'CT', 'DE', 'FL', 'HI', 'ND', 'NM', 'PR'],
    );
    t.same(
      DEFAULT_STATES.filter(({ status }) => status === 'left').map(({ code, leftOn }) => [code, leftOn]),
      [
        ['IL', '2025'],
        ['NY', '2025'],
        ['WA', '2017'],
      ],
    );
    for (const { code, status, environments } of DEFAULT_STATES) {
      t.equal(
        Object.keys(environments).length > 0,
        status === 'active',
        `${code} has a URL if and only if it is active`,
      );
    }
    const file = Object.fromEntries(
      DEFAULT_STATES.map(({ code, name, status, leftOn, environments }) => [
        code,
        {
          name,
          status,
          ...(leftOn === null ? {} : { left_on: leftOn }),
          environments: Object.fromEntries(
            Object.entries(environments).map(([key, { dialect, url }]) => [key, { dialect, url }]),
          ),
        },
      ]),
    );
    t.same(parseStates(file), DEFAULT_STATES, 'a minimal file has the same result');
  });

  await t.test('an invalid file is rejected with the pointer, never with the value', async (t) => {
    const environment = { dialect: 'api4', url: HOST };
    const nm = (production: unknown, more: Body = {}) => ({ NM: { environments: { production }, ...more } });
    const cases: readonly (readonly [unknown, string])[] = [
      [null, ''],
      [[], ''],
      [{}, ''],
      [{ nm: { environments: {} } }, '/nm'],
      [{ NM: {} }, '/NM/environments'],
      [{ NM: 'canary' }, '/NM'],
      [{ NM: { environments: { 'cana/ry~': environment } } }, '/NM/environments/cana~1ry~0'],
      [nm({ url: HOST }), '/NM/environments/production/dialect'],
      [nm({ ...environment, dialect: 'canary' }), '/NM/environments/production/dialect'],
      [nm({ ...environment, url: 'canary' }), '/NM/environments/production/url'],
      [nm({ ...environment, url: 'http://canary.example' }), '/NM/environments/production/url'],
      [nm({ ...environment, url: 'https://canary:canary@example.com' }), '/NM/environments/production/url'],
      [nm({ ...environment, url: 'https://example.com/?canary' }), '/NM/environments/production/url'],
      [nm({ ...environment, max_body_bytes: 'canary' }), '/NM/environments/production/max_body_bytes'],
      [nm({ ...environment, offers: { labs: 'canary' } }), '/NM/environments/production/offers/labs'],
      [nm(environment, { status: 'canary' }), '/NM/status'],
      [nm(environment, { left_on: '2025' }), '/NM/left_on'],
      [nm(environment, { left_on: 'canary', status: 'left' }), '/NM/left_on'],
      [nm(environment, { license_types: { '8': 5 } }), '/NM/license_types/8'],
      [nm(environment, { name: '\u0007' }), '/NM/name'],
    ];
    for (const [file, pointer] of cases) {
      const refused = refusalOf(file);
      t.equal(refused.pointer, pointer, pointer);
      t.ok(refused.message.includes(pointer === '' ? 'the document' : pointer), 'the message contains the pointer');
      t.notOk(refused.message.replace(pointer, '').includes('canary'), 'the message contains no value');
    }
  });

  t.equal(open().findState('NM')?.name, 'New Mexico');
  t.equal(open().findState('XX'), undefined);
});

test('NockDispatcher reports exceptions of a handler as errors', async (t) => {
  for (const at of ['onResponseStart', 'onResponseData', 'onResponseEnd'] as const) {
    nock(HOST).get('/').reply(200, 'x');
    const thrown = new Error(`thrown in ${at}`);
    const error = await new Promise<Error>((resolve, reject) => {
      new NockDispatcher().dispatch(
        { origin: HOST, path: '/', method: 'GET' },
        {
          onRequestStart: () => {},
          onResponseStart: () => {},
          onResponseData: () => {},
          onResponseEnd: () => (at === 'onResponseEnd' ? undefined : reject(new Error('it went on'))),
          onResponseError: (_, failure) => resolve(failure),
          [at]: () => {
            throw thrown;
          },
        },
      );
    });
    t.equal(error, thrown);
  }
});

test('the table of answers in docs/biotrack.md is current', async (t) => {
  const document = await readFile(new URL('../../docs/biotrack.md', import.meta.url), 'utf8');
  t.ok(document === withAnswerTable(document), 'docs/biotrack.md is stale: run `npm run derive answers`');
});

/** Never connects and never reports an error. */
class NoConnection extends Dispatcher {
  override dispatch(): boolean {
    return true;
  }
}

t.test('ambiguous responses are not overinterpreted', async (t) => {
  nock.disableNetConnect();

  await t.test('a rejected password is not repeated, even if the host is busy too', async (t) => {
    for (const [status, error, reason] of [
      [429, 'Invalid username or password.', 'credentials_rejected'],
      [200, 'Too many requests. Account locked.', 'login_refused'],
      [200, 'Too many requests.', 'upstream_throttled'],
    ] as const) {
      expectCall(loginBody, { success: 0, error }, status);
      const biotrack = open({ retry: { attempts: 5 } });
      t.match(await failureOf(biotrack.openSession(NM, LOGIN)), { reason }, error);
      t.same(biotrack.delays, [], 'one login');
    }
  });

  await t.test('texts about the login and texts about the state differ', async (t) => {
    const refused = [
      'Your account has been locked.',
      'Invalid login.',
      'Your password has expired.',
      'User is not active.',
      'Too many failed login attempts. Please try again later.',
      'Too many attempts. Please try again later.',
      'Too many unsuccessful attempts. Try again in 15 minutes.',
      'You have exceeded the number of allowed attempts. Try again in 30 minutes.',
      'Maximum number of tries exceeded. Try again in 30 minutes.',
      'Login limit exceeded. Try again in 10 minutes.',
      'Bad username or password. Please try again later.',
      'We could not verify your password. Please try again later.',
      'Your account has been temporarily frozen.',
      'Account lock: try again in 30 minutes',
      'You must change your temporary password before logging in.',
      'Password does not match. Please try again later.',
      'Rate limit: account locked',
    ];
    const troubles = [
      'Something went wrong. Please try again later.',
      'An unknown error has occurred. Please try again later.',
      'Login is temporarily disabled for system maintenance.',
      'Logins are not allowed while the system is under maintenance.',
      'Access denied: the system is down for maintenance.',
      'The system is locked for maintenance.',
      'The requested service was not found. Service temporarily unavailable.',
      'Server busy: invalid response from application server',
      'Timeout expired',
      'Login service is temporarily unavailable.',
      'The account service is unavailable.',
      'Lock wait timeout exceeded; try restarting transaction',
    ];
    for (const [texts, reason] of [
      [refused, 'login_refused'],
      [troubles, 'upstream_trouble'],
    ] as const) {
      for (const error of texts) {
        expectCall(loginBody, { success: 0, error });
        t.match(await failureOf(open().openSession(NM, LOGIN)), { reason }, error);
      }
    }
  });

  await t.test('a login that a gateway rejects is not a verdict on the UBI', async (t) => {
    for (const status of [403, 404, 405, 408]) {
      nock(REST_HOST).post('/v1/user/login').reply(status, { message: 'Forbidden' });
      const { reason } = await failureOf(open().openSession(FL, LOGIN));
      t.match(reason, /^upstream_/, `${status}: ${reason}`);
    }
    for (const [status, body] of [
      [403, { Message: 'Account locked' }],
      [401, { message: 'User is not active' }],
      [500, { Error: 'Your account has been locked.' }],
      [400, { error: { text: 'Account locked' } }],
    ] as const) {
      nock(REST_HOST).post('/v1/user/login').reply(status, body);
      t.match(await failureOf(open({ retry: { attempts: 5 } }).openSession(FL, LOGIN)), { reason: 'login_refused' });
    }
    nock(REST_HOST).post('/v1/user/login').reply(400, {});
    t.match(
      await failureOf(open().openSession(FL, LOGIN)),
      { reason: 'ubi_rejected' },
      'the bare refusal of the dialect is',
    );
  });

  await t.test('the connect deadline applies before the deadline of the call', async (t) => {
    const biotrack = open({ dispatcher: new NoConnection(), timeouts: { connectMs: 60, shortMs: 600_000 } });
    const start = performance.now();
    t.match(await failureOf(biotrack.openSession(NM, LOGIN)), {
      reason: 'upstream_unreachable',
      answer: 'no_connection',
    });
    t.ok(performance.now() - start < PATIENCE_MS, 'before the deadline of the call');
  });

  await t.test('an open circuit does not affect other hosts', async (t) => {
    const biotrack = open({ circuit: { failures: 1, openMs: 60_000 } });
    expectCall(loginBody, '', 503);
    await failureOf(biotrack.openSession(NM, LOGIN));
    t.match(await failureOf(biotrack.openSession(NM, LOGIN)), { answer: 'circuit_open' });
    nock(REST_HOST).post('/v1/user/login').reply(200, { session: SESSION });
    await biotrack.openSession(FL, LOGIN);
    t.pass('the call to the other host was made');
  });
});

test('api4 tolerates what live implementations send', async (t) => {
  const fetchBody = async (body: nock.Body): Promise<number> => {
    expectLogin();
    expectCall(callBody('sync_vendor'), body);
    return (await fetchVendors(open())).fetched;
  };

  await t.test('a success without `success`', async (t) => {
    expectCall(loginBody, { sessionid: SESSION, admin: null });
    t.ok(await open().openSession(NM, LOGIN));
    t.equal(await fetchBody({ vendor: [row()] }), 1);
    t.equal(await fetchBody({ success: null, vendor: [row(), row()], error: null, errorcode: null }), 2);
    for (const body of [
      { error: 'Hm', vendor: [row()] },
      { errorcode: 602, vendor: [row()] },
    ])
      t.match(await failureOf(fetchBody(body)), { answer: 'unknown_text' }, 'a refusal stays a refusal');
    t.match(await failureOf(fetchBody({})), { answer: 'unexpected_json' });
    t.match(await failureOf(fetchBody({ vendor: null })), { answer: 'unexpected_json' });
    t.match(await failureOf(fetchBody({ vendor: [] })), { reason: 'list_empty' }, 'an empty list stays an error');
  });

  await t.test('an object where a list of one is meant', async (t) => {
    t.equal(await fetchBody({ success: 1, vendor: row() }), 1);
    t.match(await failureOf(fetchBody({ success: 1, vendor: {} })), { answer: 'list_implausible' });
    const keyed = { 0: row({ location: 'A' }), 1: row({ location: 'B' }) };
    t.match(await failureOf(fetchBody({ success: 1, vendor: keyed })), { answer: 'list_implausible' });
  });

  await t.test('a session that ended in other words is renewed once', async (t) => {
    for (const error of ['Session expired', 'The session with this id has already expired, please log in again.']) {
      expectLogin();
      expectCall(callBody('sync_vendor'), { success: 0, error });
      expectLogin();
      expectCall(callBody('sync_vendor'), { success: 1, vendor: [row()] });
      t.equal((await fetchVendors(open())).fetched, 1, error);
    }
  });

  await t.test('every request has a User-Agent and an Accept header', async (t) => {
    nock(HOST, { reqheaders: { 'user-agent': /^biotrack-connect/, accept: 'application/json' } })
      .post('/serverjson.asp')
      .reply(200, loggedIn);
    t.ok(await open().openSession(NM, LOGIN));
  });
});
