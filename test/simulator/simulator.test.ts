import net from 'node:net';
import { performance } from 'node:perf_hooks';
import t from 'tap';
import {
  CommandError,
  FAULT_NAMES,
  type FaultRule,
  PRIVILEGES,
  runSimulatorCommand,
  type Simulator,
  type SimulatorOptions,
  simulatorUsage,
  startSimulator,
} from '../../src/simulator/index.js';
import { pickCount } from '../helpers/counts.js';
import { PATIENCE_MS } from '../helpers/until.js';
import { at, call, codeOf, credentials, type Document, isSuccess, list, logIn, post, start } from './client.js';

interface Observed {
  readonly head: string;
  readonly body: Buffer;
  readonly error: string | undefined;
  readonly isEnded: boolean;
  readonly firstByteMs: number | undefined;
  readonly totalMs: number;
  readonly chunks: number;
}

/** One call over a raw socket, to observe what an HTTP client would hide. */
const observe = (url: string, document: unknown, patienceMs = 5_000): Promise<Observed> =>
  new Promise((resolve) => {
    const { hostname, port } = new URL(url);
    const text = JSON.stringify(document);
    const begin = performance.now();
    const pieces: Buffer[] = [];
    let error: string | undefined;
    let isEnded = false;
    let firstByteMs: number | undefined;
    const socket = net.connect(Number(port), hostname);
    socket.write(
      `POST /serverjson.asp HTTP/1.1\r\nHost: ${hostname}\r\nContent-Type: text/JSON\r\nConnection: close\r\n` +
        `Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
    );
    const patience = setTimeout(() => socket.destroy(), patienceMs);
    socket.on('data', (piece) => {
      firstByteMs ??= performance.now() - begin;
      pieces.push(piece);
    });
    socket.on('end', () => {
      isEnded = true;
    });
    socket.on('error', (cause: NodeJS.ErrnoException) => {
      error = cause.code;
    });
    socket.on('close', () => {
      clearTimeout(patience);
      const all = Buffer.concat(pieces);
      const border = all.indexOf('\r\n\r\n');
      resolve({
        head: border < 0 ? all.toString() : all.subarray(0, border).toString(),
        body: border < 0 ? Buffer.alloc(0) : all.subarray(border + 4),
        error,
        isEnded,
        firstByteMs,
        totalMs: performance.now() - begin,
        chunks: pieces.length,
      });
    });
  });

const lengthOf = ({ head }: Observed): number | undefined => {
  const length = /content-length: (\d+)/i.exec(head)?.[1];
  return length === undefined ? undefined : Number(length);
};

const groupBy = <T, K>(items: readonly T[], keyOf: (item: T) => K): Map<K, T[]> => {
  const groups = new Map<K, T[]>();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return groups;
};

/** As many licenses as a large list has. */
const MANY = pickCount({ few: 4_000, full: 100_000, long: 100_000 });

t.test('api4 has one URL, POST only, two content types, and errors with HTTP 200', async (t) => {
  const simulator = await start(t);
  const login = { API: '4.0', action: 'login', ...credentials(simulator.demo) };
  for (const contentType of ['text/JSON', 'application/json', 'APPLICATION/JSON; charset=utf-8']) {
    const response = await post(simulator, login, contentType);
    t.equal(response.status, 200);
    t.equal(response.headers.get('content-type'), 'text/JSON');
    t.ok(isSuccess((await response.json()) as Document), contentType);
  }
  const wrongType = (await (await post(simulator, login, 'text/plain')).json()) as Document;
  t.notOk(isSuccess(wrongType));
  t.equal(codeOf(wrongType), '602');

  const other = await fetch(`${simulator.url}/other.asp`, { method: 'POST' });
  t.equal(other.status, 404);
  const get = await fetch(`${simulator.url}/serverjson.asp`);
  t.equal(get.status, 405);
  t.equal(get.headers.get('allow'), 'POST');

  const refused = await post(simulator, { API: '4.0', action: 'sync_vendor', sessionid: 'no' });
  t.equal(refused.status, 200, 'errors have HTTP 200');
  t.equal(codeOf((await refused.json()) as Document), '60');

  simulator.control.setOptions({ contentType: 'image/png' });
  t.equal((await post(simulator, login)).headers.get('content-type'), 'image/png', 'the content type is an option');

  for (const broken of ['', '{', 'null', '[]', '"4.0"']) {
    const answer = (await (await post(simulator, broken)).json()) as Document;
    t.equal(codeOf(answer), '602', `${broken || 'an empty body'} cannot be parsed`);
  }
});

t.test('calls need the API version, a known action and its privilege', async (t) => {
  const simulator = await start(t);
  const sessionid = await logIn(simulator);
  for (const API of ['3.0', 4, undefined]) {
    const answer = await call(simulator, { API, action: 'sync_vendor', sessionid });
    t.equal(codeOf(answer), '17', `API ${API}`);
  }
  for (const action of ['sync_vendors', 'toString', 'sync_third_party_transporter', '', undefined]) {
    const answer = await call(simulator, { action, sessionid });
    t.equal(codeOf(answer), '62', `action ${action}`);
    t.equal(answer.error, `The current session does not possess access to the ${action ?? ''} privilege.`);
  }
});

t.test('users log in with their UBI and get a session', async (t) => {
  const simulator = await start(t, { sessionTtlSeconds: 60 });
  const { demo, control } = simulator;
  const accepted = await call(simulator, { action: 'login', ...credentials(demo) });
  t.ok(isSuccess(accepted));
  t.equal(accepted.admin, 1);
  t.match(accepted.sessionid, /^[0-9a-f]{128}$/);
  t.type(accepted.time, 'number');
  t.same(Object.keys(accepted).sort(), ['admin', 'sessionid', 'success', 'time'], 'no license and no name');

  const wrong = { error: 'Invalid username or password.', errorcode: undefined };
  for (const change of [
    { password: 'wrong' },
    { password: `${demo.password} ` },
    { password: demo.password.toUpperCase() },
    { password: 1 },
    { password: undefined },
    { username: 'Demo@example.com' },
    { username: undefined },
  ]) {
    const answer = await call(simulator, { action: 'login', ...credentials(demo), ...change });
    t.notOk(isSuccess(answer));
    t.match(answer, wrong, `${JSON.stringify(change)} is refused with a text and no code`);
  }
  const someVendor = control.rows().find(({ ubi }) => ubi !== null && ubi.trim() !== '' && ubi !== demo.ubi)?.ubi;
  t.match(
    await call(simulator, { action: 'login', ...credentials(demo), license_number: someVendor }),
    wrong,
    'a UBI of the state without this user',
  );
  for (const license_number of ['999999999', `${demo.ubi} `, Number(demo.ubi), '42517300', '', undefined]) {
    const answer = await call(simulator, { action: 'login', ...credentials(demo), license_number });
    t.same(Object.keys(answer), ['success'], `an unknown UBI (${license_number}) is a bare success:0`);
    t.notOk(isSuccess(answer));
  }

  const session = String(accepted.sessionid);
  t.equal((await list(simulator, session)).length, control.rows().length);
  control.advanceClock({ seconds: 61 });
  const late = await call(simulator, { action: 'sync_vendor', sessionid: session });
  t.equal(codeOf(late), '63');
  t.equal(late.error, 'Your session has expired.');
  const unknown = await call(simulator, { action: 'sync_vendor', sessionid: 'f'.repeat(128) });
  t.equal(codeOf(unknown), '60');
  t.equal(unknown.error, 'Invalid session.');

  const first = await logIn(simulator);
  const second = await logIn(simulator);
  t.not(first, second);
  t.ok((await list(simulator, first)).length > 0, 'both sessions are valid');
  t.same(control.expireSessions({ ubi: demo.ubi, username: demo.username }), { expired: 2 });
  t.equal(codeOf(await call(simulator, { action: 'sync_vendor', sessionid: second })), '63', 'expired by the command');
  t.throws(() => control.expireSessions({ ubi: demo.ubi }), CommandError);

  control.setOptions({ oneSessionPerUser: true });
  const third = await logIn(simulator);
  const fourth = await logIn(simulator);
  t.equal(codeOf(await call(simulator, { action: 'sync_vendor', sessionid: third })), '60', 'ended by a later login');
  t.ok((await list(simulator, fourth)).length > 0);
});

t.test('privileges and passwords can change, and calls can carry credentials', async (t) => {
  const simulator = await start(t);
  const { demo, control } = simulator;
  const limited = at(simulator.users, 1);
  t.equal(limited.ubi, demo.ubi);
  const carried = { action: 'sync_vendor', nosession: 1, ...credentials(demo) };
  t.ok(isSuccess(await call(simulator, carried)));
  t.match(await call(simulator, { ...carried, password: 'x' }), { error: 'Invalid username or password.' });
  t.same(Object.keys(await call(simulator, { ...carried, license_number: '1' })), ['success']);
  t.match(control.counters(), { logins: 0, nosessionCalls: 3, nosessionRejected: 2, openSessions: 0 });

  const session = await logIn(simulator, limited);
  t.equal(
    codeOf(await call(simulator, { action: 'sync_vendor', sessionid: session })),
    '62',
    'the login succeeds and the list is refused',
  );
  t.ok(isSuccess(await call(simulator, { action: 'sync_qa_lab', sessionid: session })), 'another action is allowed');
  control.setPrivileges({ ...limited, privileges: [...PRIVILEGES] });
  t.ok((await list(simulator, session)).length > 0, 'granted during the session');
  control.setPrivileges({ ...limited, privileges: [] });
  t.equal(codeOf(await call(simulator, { action: 'sync_qa_lab', sessionid: session })), '62');

  const demoSession = await logIn(simulator);
  control.changePassword({ ...demo, password: ' new  password ' });
  t.match(await call(simulator, { action: 'login', ...credentials(demo) }), { error: 'Invalid username or password.' });
  t.ok(isSuccess(await call(simulator, { action: 'login', ...credentials({ ...demo, password: ' new  password ' }) })));
  t.ok((await list(simulator, demoSession)).length > 0, 'the session stays valid after the password changed');
  control.changePassword({ ...demo, password: 'third', endSessions: true });
  t.equal(codeOf(await call(simulator, { action: 'sync_vendor', sessionid: demoSession })), '63');

  control.addUser({ ubi: '700000001', username: 'demo@example.com', password: 'other' });
  t.throws(() => control.addUser({ ubi: '700000001', username: 'demo@example.com', password: 'x' }), /already exists/);
  t.ok(await logIn(simulator, { ubi: '700000001', username: 'demo@example.com', password: 'other' }));
  control.deleteUser({ ubi: '700000001', username: 'demo@example.com' });
  t.throws(() => control.deleteUser({ ubi: '700000001', username: 'demo@example.com' }), /does not exist/);
});

t.test('sync_vendor and the other lists', async (t) => {
  const simulator = await start(t);
  const { control } = simulator;
  const sessionid = await logIn(simulator);
  const rows = control.rows();
  const whole = await list(simulator, sessionid);
  t.equal(whole.length, rows.length, 'the whole state in one response');
  t.same(
    whole.map(({ location }) => String(location)),
    rows.map(({ location }) => location),
  );
  const orders = whole.map((row) => Object.keys(row).join());
  t.ok(new Set(orders).size > whole.length / 2, 'the key order is random');
  const again = await list(simulator, sessionid);
  t.not(again.map((row) => Object.keys(row).join()).join(), orders.join(), 'and differs between responses');
  t.same(again, whole, 'with the same content');
  control.setOptions({ shuffleRows: true });
  const shuffled = (await list(simulator, sessionid)).map(({ location }) => String(location));
  t.notSame(
    shuffled,
    rows.map(({ location }) => location),
  );
  t.same(
    shuffled.toSorted(),
    rows.map(({ location }) => location).toSorted(),
    'the row order is random only if shuffled',
  );
  control.setOptions({ shuffleRows: false });

  const ids = rows.map(({ transactionid }) => transactionid).toSorted((a, b) => a - b);
  const [low, high] = [at(ids, 20), at(ids, 60)];
  const within = (from: number, to: number) => ids.filter((id) => id >= from && id <= to).length;
  const bounded = await list(simulator, sessionid, { transaction_start: low, transaction_end: String(high) });
  t.equal(bounded.length, within(low, high), 'both bounds are inclusive');
  t.ok(bounded.some(({ transactionid }) => Number(transactionid) === low));
  t.ok(bounded.some(({ transactionid }) => Number(transactionid) === high));
  t.equal((await list(simulator, sessionid, { transaction_start: low })).length, within(low, Infinity));
  t.equal((await list(simulator, sessionid, { transaction_start: 0, transaction_end: 0 })).length, rows.length);
  const nothing = await call(simulator, {
    action: 'sync_vendor',
    sessionid,
    transaction_start: at(ids, -1 + ids.length) + 1,
  });
  t.ok(isSuccess(nothing));
  t.notOk('vendor' in nothing, 'no vendor key without rows');

  const check = async (data: unknown): Promise<Document[]> =>
    (await call(simulator, { action: 'sync_check', sessionid, download: 0, data })).summary as Document[];
  const sum = (from: number) => ids.filter((id) => id >= from).reduce((total, id) => total + id, 0);
  t.match(await check([{ table: 'vendor', transaction_start: low }]), [
    { table: 'vendor', sum: String(sum(low)), match: 0 },
  ]);
  t.match(await check([{ table: 'vendor', transaction_start: 0, sum: String(sum(0)) }]), [{ match: 1 }]);
  control.rename({ location: at(rows, 0).location, name: 'OTHER' });
  const [after] = await check([{ table: 'vendor', transaction_start: 0 }]);
  t.not(after?.sum, String(sum(0)), 'an edit changes the sum');
  t.same(await check('vendor'), []);
  control.setOptions({ offersSyncCheck: false });
  t.equal(
    codeOf(await call(simulator, { action: 'sync_check', sessionid, data: [] })),
    '62',
    'refused where it is not offered',
  );

  const labs = (await call(simulator, { action: 'sync_qa_lab', sessionid })).qa_lab as Document[];
  t.equal(labs.length, 8);
  t.ok(labs.some((lab) => 'ubi' in lab) && labs.some((lab) => !('ubi' in lab)), 'the ubi of a lab can be absent');
  const lastLab = Math.max(...labs.map(({ transactionid }) => Number(transactionid)));
  const lastLabs = await call(simulator, { action: 'sync_qa_lab', sessionid, transaction_start: lastLab });
  t.equal((lastLabs.qa_lab as Document[]).filter(({ transactionid }) => Number(transactionid) < lastLab).length, 0);
  control.setOptions({ offersTransporters: true });
  const transporters = await call(simulator, { action: 'sync_third_party_transporter', sessionid });
  t.ok((transporters.third_party_transporter as Document[]).length > 0);
});

t.test('without shuffling the list is reused until it changes', async (t) => {
  const simulator = await start(t, { shuffle: false });
  const sessionid = await logIn(simulator);
  const body = async (): Promise<string> =>
    (await post(simulator, { API: '4.0', action: 'sync_vendor', sessionid })).text();
  const first = await body();
  t.equal(await body(), first);
  const { location } = at(simulator.control.rows(), 3);
  simulator.control.rename({ location, name: 'FRESH NAME' });
  t.match(await body(), /FRESH NAME/);
  simulator.control.reset();
  const newSession = await logIn(simulator);
  t.equal(newSession, sessionid, 'a reset restores the sequence of sessions');
  simulator.control.rename({ location, name: 'OTHER NAME' });
  const other = await body();
  t.match(other, /OTHER NAME/);
  t.notMatch(other, /FRESH NAME/);
});

t.test('each state has its own data', async (t) => {
  const shapes = async (options: SimulatorOptions) => {
    const simulator = await start(t, options);
    return { simulator, rows: await list(simulator, await logIn(simulator)) };
  };
  const sites = (rows: readonly { ubi: string | null }[]): Map<string | null, number> => {
    const counts = new Map<string | null, number>();
    for (const { ubi } of rows) counts.set(ubi, (counts.get(ubi) ?? 0) + 1);
    return counts;
  };

  const nm = await startSimulator();
  t.teardown(() => nm.close());
  const nmRows = nm.control.rows();
  const licenses = new Set(nmRows.map(({ location }) => location.trim()).filter((location) => location !== ''));
  t.equal(licenses.size, 2_100);
  t.ok(
    [...licenses].every((location) => /^\d{9}$/.test(location)),
    'nine digits',
  );
  const nmSites = sites(nmRows);
  t.ok(nmSites.size > 1_200 && nmSites.size < 1_300, `${nmSites.size} vendors`);
  t.equal([...nmSites.values()].filter((count) => count === 17).length, 1, 'one vendor with 17 licenses');
  t.equal(Math.max(...nmSites.values()), 17);
  t.ok((nmSites.get(nm.demo.ubi) ?? 0) >= 3, 'the demo UBI has at least three sites');
  t.equal(nmSites.get(at(nm.users, 2).ubi), 17, 'the second UBI is the chain');
  t.ok(nmRows.some(({ deleted }) => deleted));

  const wa = await shapes({ state: 'wa', licenses: 400 });
  t.ok(
    wa.rows.every((row) => !('deleted' in row)),
    'wa: no deleted',
  );
  t.ok(wa.rows.every(({ location }) => /^\d{6}$/.test(String(location)) || String(location).trim() === ''));
  t.ok(
    wa.rows.some(({ producer, locationtype }) => producer === null && locationtype === null),
    'null flags, no status',
  );
  t.ok(wa.rows.every(({ producer }) => producer === null || Number(producer) === 1));
  const waSession = await logIn(wa.simulator);
  t.ok(isSuccess(await call(wa.simulator, { action: 'sync_third_party_transporter', sessionid: waSession })));

  const ct = await shapes({ state: 'ct' });
  t.ok(
    ct.rows.every(({ deleted }) => deleted === 0 || deleted === 1),
    'ct: deleted is an integer',
  );
  t.ok(ct.rows.every(({ location }) => /^[A-Z]{4}\d{7}$/.test(String(location)) || String(location).trim() === ''));

  for (const licenses of [0, 1, 5, 45]) {
    const { simulator } = await shapes({ licenses, dirtyRows: false });
    t.equal(simulator.control.rows().length, licenses, `exactly ${licenses} rows`);
  }
  const large = await startSimulator({ licenses: MANY });
  t.teardown(() => large.close());
  const text = await (await post(large, { API: '4.0', action: 'sync_vendor', sessionid: await logIn(large) })).text();
  const answer = (JSON.parse(text) as { vendor: Document[] }).vendor;
  t.ok(answer.length >= MANY, `${answer.length} rows`);
  t.equal(new Set(answer.map(({ location }) => String(location).trim())).size, MANY + 1, 'all, and the blank number');
});

t.test('lists contain dirty rows and every shape', async (t) => {
  const simulator = await start(t, { licenses: 2_100 });
  const rows = await list(simulator, await logIn(simulator));
  const texts = (key: string) => rows.map((row) => (row[key] === undefined ? undefined : row[key]));
  const shapesOf = (key: string) => new Set(texts(key).map((value) => (value === null ? 'null' : typeof value)));
  t.same([...shapesOf('producer')].sort(), ['null', 'number', 'string', 'undefined']);
  t.same([...shapesOf('locationtype')].sort(), ['null', 'number', 'string']);
  t.same([...shapesOf('transactionid')].sort(), ['number', 'string']);
  t.same([...shapesOf('transactionid_original')].sort(), ['number', 'string']);
  t.same([...shapesOf('deleted')].sort(), ['number', 'string']);
  t.same([...shapesOf('location')].sort(), ['number', 'string']);
  t.same([...shapesOf('ubi')].sort(), ['null', 'number', 'string', 'undefined']);
  t.ok(
    rows.some(({ locationtype }) => Number(locationtype) === 42),
    'an unknown code',
  );

  const isBlank = (value: unknown) => value === undefined || value === null || String(value).trim() === '';
  t.ok(
    rows.some(({ ubi }) => isBlank(ubi)),
    'blank ubi',
  );
  t.ok(
    rows.some(({ name }) => isBlank(name)),
    'blank name',
  );
  const blankLicenses = rows.filter(({ location }) => isBlank(location)).length;
  t.ok(blankLicenses > 0 && blankLicenses / rows.length < 0.01, `${blankLicenses} blank license numbers`);
  t.ok(rows.some(({ ubi }) => /^0/.test(String(ubi))) && rows.some(({ location }) => /^0/.test(String(location))));
  const names = texts('name').map(String);
  for (const pattern of [/"/, /&/, /[^ -~]/, / {2}/, /'/, /\\/]) {
    t.ok(
      names.some((name) => pattern.test(name)),
      `a name like ${pattern}`,
    );
  }
  t.ok(
    texts('address1').some((line) => / {2}/.test(String(line))),
    'double spaces',
  );
  t.ok(texts('address2').includes('none'));
  t.ok(
    rows.some(({ address1, address2 }) => !isBlank(address2) && String(address1).endsWith(`  ${address2}`)),
    'repeated',
  );
  t.same([...new Set(texts('zip').map((zip) => String(zip).length))].sort(), [5, 9]);

  const meaning = simulator.control.rows();
  const byLocation = groupBy(meaning, ({ location }) => location);
  const doubles = [...byLocation].filter(([location, group]) => location.trim() !== '' && group.length > 1);
  const isSame = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);
  t.ok(
    doubles.some(([, [a, b]]) => isSame(a, b)),
    'exact duplicates',
  );
  const conflicts = doubles.filter(([, [a, b]]) => !isSame(a, b));
  t.ok(
    conflicts.some(([, [a, b]]) => a?.transactionid === b?.transactionid),
    'conflicting rows with one transaction number',
  );
  t.ok(
    conflicts.some(([, [a, b]]) => a?.transactionid !== b?.transactionid),
    'conflicting rows with several transaction numbers',
  );
  const byName = groupBy(meaning, ({ name }) => name ?? '');
  t.ok(
    [...byName].some(([, group]) => new Set(group.map(({ ubi }) => ubi)).size > 5),
    'one name, many UBIs',
  );
  const byTransaction = groupBy(meaning, ({ transactionid }) => transactionid);
  t.ok(
    [...byTransaction].some(([, group]) => new Set(group.map(({ location }) => location)).size > 1),
    'a transaction number that is not unique',
  );

  const before = await list(simulator, await logIn(simulator));
  simulator.control.setOptions({ shapeSeed: 99 });
  const after = await list(simulator, await logIn(simulator));
  const unordered = (rows: readonly Document[]) => JSON.stringify(rows.map((row) => Object.entries(row).sort()));
  t.not(unordered(after), unordered(before), 'another shape seed writes other shapes');
  const truth = (row: Document) => [
    String(row.location),
    Number(row.producer ?? 0),
    Number(row.transactionid),
    row.address1 || null,
  ];
  t.equal(JSON.stringify(after.map(truth)), JSON.stringify(before.map(truth)), 'with the same values');
});

t.test('commands change the list', async (t) => {
  const simulator = await start(t);
  const { control, demo } = simulator;
  const sessionid = await logIn(simulator);
  const [first, second, third] = control.rows({ ubi: demo.ubi }).map(({ location }) => location);
  if (first === undefined || second === undefined || third === undefined) throw new Error('the demo has too few sites');
  const row = async (location: string) =>
    (await list(simulator, sessionid)).find((candidate) => String(candidate.location) === location) ?? {};
  const begin = Math.max(...control.rows().map(({ transactionid }) => transactionid));
  let last = begin;
  const isNext = async (location: string, transactionId: number, what: string) => {
    t.ok(transactionId > last, `${what}: the next transaction`);
    t.equal(Number((await row(location)).transactionid), transactionId, `${what}: on the row`);
    last = transactionId;
  };
  const original = Number((await row(first)).transactionid_original);

  await isNext(first, control.rename({ location: first, name: 'A & "B"' }).transactionId, 'rename');
  t.equal((await row(first)).name, 'A & "B"');
  t.equal(Number((await row(first)).transactionid_original), original, 'the original transaction number stays');
  const moved = control.moveAddress({ location: first, address1: '1 NEW ST', zip: '00501' });
  await isNext(first, moved.transactionId, 'move');
  t.match(await row(first), { address1: '1 NEW ST', zip: '00501' });
  await isNext(second, control.dropFlags({ location: second }).transactionId, 'drop flags');
  t.match(await row(second), { producer: null, processor: null, retail: null, medical: null, locationtype: null });
  await isNext(second, control.restore({ location: second }).transactionId, 'restore');
  t.not((await row(second)).locationtype, null);
  await isNext(second, control.delete({ location: second }).transactionId, 'delete');
  t.equal(Number((await row(second)).deleted), 1);
  control.setOptions({ deletedRows: 'vanish' });
  t.same(await row(second), {}, 'deleted rows can be omitted');
  control.setOptions({ deletedRows: 'flagged' });
  await isNext(second, control.restore({ location: second }).transactionId, 'restore');

  const count = control.rows().length;
  control.vanish({ location: second });
  t.equal(control.rows().length, count - 1);
  t.same(await row(second), {});
  const unchanged = control.restore({ location: second, unchanged: true });
  t.equal(unchanged.transactionId, last, 'restored without a new transaction number');
  t.equal(Number((await row(second)).transactionid), last);

  await isNext(first, control.sell({ location: first, toUbi: '612345678' }).transactionId, 'sell');
  t.equal(String((await row(first)).ubi), '612345678', 'same location, other ubi');
  await isNext(first, control.setUbi({ location: first, ubi: '' }).transactionId, 'blank ubi');
  t.equal((await row(first)).ubi, '');
  const swapped = control.swapUbis({ a: first, b: third }).transactionId;
  await isNext(first, swapped, 'swap');
  t.equal(Number((await row(third)).transactionid), swapped, 'one transaction for both');
  t.equal((await row(first)).ubi, demo.ubi);
  t.equal((await row(third)).ubi, '');
  const names = [(await row(first)).name, (await row(third)).name];
  await isNext(first, control.swapNames({ a: first, b: third }).transactionId, 'swap names');
  t.same([(await row(third)).name, (await row(first)).name], names);

  const site = control.addSite({ ubi: demo.ubi, name: 'SITE', location: '009999999' });
  await isNext('009999999', site.transactionId, 'add a site');
  t.match(await row('009999999'), { ubi: demo.ubi, name: 'SITE', location: '009999999' });
  t.throws(() => control.addSite({ ubi: demo.ubi, location: '009999999' }), /already exists/);
  const vendor = control.addVendor({ name: 'FRESH', sites: 3 });
  t.equal(new Set(vendor.locations).size, 3);
  t.equal(control.rows({ ubi: vendor.ubi }).length, 3);
  last = vendor.transactionId;
  await isNext(
    first,
    control.setField({ location: first, field: 'producer', value: 'maybe' }).transactionId,
    'set field',
  );
  t.equal((await row(first)).producer, 'maybe');
  control.setField({ location: first, field: 'producer' });
  t.notOk('producer' in (await row(first)), 'a field without a value is omitted');
  control.addElement({ element: 'not a row' });
  t.ok((await list(simulator, sessionid)).some((element) => (element as unknown) === 'not a row'));

  t.equal(
    (await list(simulator, sessionid, { transaction_start: begin + 1 })).length,
    3 + 1 + vendor.locations.length,
    'the edited rows',
  );
  t.throws(() => control.rename({ location: 'nowhere', name: '' }), CommandError);
  t.throws(() => control.vanish({ location: 'nowhere' }), CommandError);

  control.reset();
  t.equal(control.rows({ ubi: demo.ubi }).length, 4);
  t.equal(Math.max(...control.rows().map(({ transactionid }) => transactionid)), begin, 'a reset undoes all changes');
});

t.test('training data is a separate list', async (t) => {
  const simulator = await start(t, { trainingLicenses: 120, dirtyRows: false });
  const sessionid = await logIn(simulator);
  const production = await list(simulator, sessionid);
  const training = await list(simulator, sessionid, { training: 1 });
  t.equal(training.length, 120);
  const shared = new Set(production.map(({ location }) => String(location)));
  t.notOk(
    training.some(({ location }) => shared.has(String(location))),
    'other licenses',
  );
  t.ok(
    training.some(({ ubi }) => ubi === simulator.demo.ubi),
    'the demo UBI is there too',
  );
  t.same(await list(simulator, sessionid, { training: '1' }), training);
  const location = String(at(training, 0).location);
  simulator.control.rename({ location, name: 'TRAINED', training: true });
  t.throws(() => simulator.control.rename({ location, name: 'TRAINED' }), CommandError);
  t.equal(at(await list(simulator, sessionid, { training: 1 }), 0).name, 'TRAINED');
  t.same(await list(simulator, sessionid), production);
});

t.test('every fault is visible at the socket', async (t) => {
  const simulator = await start(t, { licenses: 60, shuffle: false });
  const { control, demo, url } = simulator;
  const sessionid = await logIn(simulator);
  const request = { API: '4.0', action: 'sync_vendor', sessionid };
  const whole = (await observe(url, request)).body;
  const injected = new Map<string, number>();
  const observeFault = async (rule: FaultRule, patienceMs?: number): Promise<Observed> => {
    const times = (injected.get(rule.fault) ?? 0) + 1;
    injected.set(rule.fault, times);
    control.injectFault({ action: 'sync_vendor', ...rule });
    const observed = await observe(url, request, patienceMs);
    t.equal(control.counters().faultsFired[rule.fault], times, `${rule.fault} fired`);
    const next = await observe(url, {
      ...request,
      sessionid: control.counters().openSessions > 0 ? sessionid : await logIn(simulator),
    });
    t.same(next.body, whole, `${rule.fault}: the next call is unaffected`);
    return observed;
  };
  const json = ({ body }: Observed): Document => JSON.parse(body.toString()) as Document;

  const hanging = await observeFault({ fault: 'hang' }, 150);
  t.equal(hanging.firstByteMs, undefined, 'hang: no bytes arrive');
  t.ok(hanging.totalMs >= 140);
  const hungUp = await observeFault({ fault: 'hang', delayMs: 50 });
  t.ok(hungUp.head === '' && hungUp.totalMs < PATIENCE_MS, 'hang: until the connection is closed');
  const slow = await observeFault({ fault: 'slow_first_byte', delayMs: 120 });
  t.ok((slow.firstByteMs ?? 0) >= 110, 'slow: the first byte is late');
  t.same(slow.body, whole);
  const dripped = await observeFault({ fault: 'drip', bytes: 2_000, intervalMs: 10 });
  t.same(dripped.body, whole, 'drip: the whole body arrives');
  t.ok(dripped.chunks >= Math.floor(whole.length / 2_000), 'drip: in small pieces');
  t.ok(dripped.totalMs >= (whole.length / 2_000) * 9, 'drip: slowly');

  const atConnect = await observeFault({ fault: 'reset_at_connect' });
  t.match(atConnect, { head: '', error: /ECONNRESET|EPIPE/ }, 'reset at connect');
  const atHead = await observeFault({ fault: 'reset_in_headers' });
  t.match(atHead, { head: '', error: 'ECONNRESET' }, 'reset before the headers');
  const inHead = await observeFault({ fault: 'reset_in_headers', bytes: 10 });
  t.match(inHead, { head: 'HTTP/1.1 2', error: 'ECONNRESET' }, 'reset in the headers');
  const inBody = await observeFault({ fault: 'reset_in_body', cutAt: 100 });
  t.same(inBody.body, whole.subarray(0, 100));
  t.match(inBody, { error: 'ECONNRESET', isEnded: false }, 'reset in the body');
  t.equal((await observeFault({ fault: 'invalid_http' })).head.startsWith('%!PS'), true, 'not HTTP');

  const cut = await observeFault({ fault: 'cut_body', cutAt: 100 });
  t.same(cut.body, whole.subarray(0, 100));
  t.equal(lengthOf(cut), whole.length, 'cut: with Content-Length');
  t.match(cut, { error: undefined, isEnded: true }, 'cut: without a reset');
  t.equal(
    (await observeFault({ fault: 'cut_body' })).body.length,
    Math.floor(whole.length / 2),
    'cut: half of the body',
  );
  t.equal((await observeFault({ fault: 'cut_body', cutAt: 0 })).body.length, 0, 'cut: no body');
  const unannounced = await observeFault({ fault: 'cut_body_without_length', cutAt: 100 });
  t.same(unannounced.body, whole.subarray(0, 100));
  t.equal(lengthOf(unannounced), undefined, 'cut: looks like a regular end');
  t.notMatch(unannounced.head, /transfer-encoding/i);
  t.match(unannounced, { error: undefined, isEnded: true });

  const empty = await observeFault({ fault: 'empty_body' });
  t.equal(lengthOf(empty), 0);
  t.equal(empty.body.length, 0);
  const html = await observeFault({ fault: 'html' });
  t.match(html.head, /^HTTP\/1.1 200 /);
  t.match(html.body.toString(), /^<!DOCTYPE html>/);
  t.equal((await observeFault({ fault: 'json_null' })).body.toString(), 'null');
  t.equal((await observeFault({ fault: 'json_array' })).body.toString(), '[]');
  const raw = await observeFault({
    fault: 'raw_body',
    text: '{"success":1,"vendor":{}}',
    status: 201,
    contentType: 'a/b',
  });
  t.equal(raw.body.toString(), '{"success":1,"vendor":{}}');
  t.match(raw.head, /^HTTP\/1.1 201 [\s\S]*content-type: a\/b/i);
  t.equal((await observeFault({ fault: 'two_documents' })).body.toString(), `${whole}\n${whole}`);
  t.equal((await observeFault({ fault: 'leaked_header' })).body.toString(), `Content-Type: text/plain\r\n\r\n${whole}`);
  t.same((await observeFault({ fault: 'wrong_charset' })).body, Buffer.from(whole.toString(), 'utf16le'));
  t.same(
    (await observeFault({ fault: 'wrong_charset', charset: 'latin1' })).body,
    Buffer.from(whole.toString(), 'latin1'),
  );
  const marked = await observeFault({ fault: 'wrong_charset', charset: 'utf8_with_bom' });
  t.same(marked.body, Buffer.concat([Buffer.from('\uFEFF'), whole]));

  const throttled = await observeFault({ fault: 'throttled', retryAfterSeconds: 7 });
  t.match(throttled.head, /^HTTP\/1.1 429 [\s\S]*retry-after: 7/i);
  const dated = await observeFault({ fault: 'throttled', retryAfter: 'Wed, 21 Oct 2026 07:28:00 GMT' });
  t.match(dated.head, /retry-after: Wed, 21 Oct/i);
  t.match((await observeFault({ fault: 'server_error' })).head, /^HTTP\/1.1 503 /);
  t.match((await observeFault({ fault: 'server_error', status: 500 })).head, /^HTTP\/1.1 500 /);
  t.match((await observeFault({ fault: 'redirect' })).head, /^HTTP\/1.1 302 [\s\S]*location: \/redirected/i);
  const elsewhere = await observeFault({ fault: 'redirect', status: 307, location: 'http://192.0.2.1/' });
  t.match(elsewhere.head, /^HTTP\/1.1 307 [\s\S]*location: http:\/\/192\.0\.2\.1\//i);
  await fetch(`${url}/redirected`);
  t.equal(control.counters().redirectsFollowed, 1, 'followed redirects are counted');

  t.same(json(await observeFault({ fault: 'code_602', error: 'Something else.' })), {
    success: 0,
    error: 'Something else.',
    errorcode: 602,
  });
  t.match(json(await observeFault({ fault: 'code_602' })), { success: 0, error: String, errorcode: 602 });
  t.match(json(await observeFault({ fault: 'code_1000' })), { success: 0, error: String, errorcode: 1000 });
  t.same(json(await observeFault({ fault: 'error_response', error: 'x', errorcode: '17' })), {
    success: 0,
    error: 'x',
    errorcode: '17',
  });
  t.same(json(await observeFault({ fault: 'error_response' })), { success: 0 });
  t.same(json(await observeFault({ fault: 'invalid_license_number' })), {
    success: 0,
    error: 'You provided an invalid location license number.',
    errorcode: 63,
  });
  t.match(json(await observeFault({ fault: 'echo_password' })).error, demo.password, 'the error contains the password');

  const huge = await observeFault({ fault: 'huge_body', bytes: 3_000_000 });
  t.ok(huge.body.length >= 3_000_000);
  t.equal(lengthOf(huge), undefined);
  const announced = await observeFault({ fault: 'huge_body', bytes: 3_000_000, withLength: true });
  t.equal(lengthOf(announced), announced.body.length);
  t.ok(((json(announced).vendor as unknown[]) ?? []).length > 10_000, 'a huge but valid list');

  t.equal((json(await observeFault({ fault: 'shrunk_list', keep: 3 })).vendor as unknown[]).length, 3);
  t.equal((json(await observeFault({ fault: 'shrunk_list' })).vendor as unknown[]).length, 30);
  t.same(json(await observeFault({ fault: 'shrunk_list', keep: 0 })), { success: 1 });
  t.same(json(await observeFault({ fault: 'missing_list' })), { success: 1 });
  const invalid = json(await observeFault({ fault: 'invalid_rows', percent: 10 })).vendor as Document[];
  t.equal(invalid.filter(({ location }) => location === '').length, 10, 'the first tenth of every hundred rows');

  // Last, because it ends the session that the others use.
  t.same(json(await observeFault({ fault: 'session_expired' })), {
    success: 0,
    error: 'Your session has expired.',
    errorcode: 63,
  });
  t.same([...injected.keys()].sort(), [...FAULT_NAMES].sort(), 'every fault is tested');
});

t.test('faults wait for their calls', async (t) => {
  const simulator = await start(t);
  const { control, demo } = simulator;
  const sessionid = await logIn(simulator);
  const statuses = async (count: number, action = 'sync_vendor'): Promise<readonly number[]> => {
    const seen: number[] = [];
    for (let time = 0; time < count; time += 1) {
      const response = await post(simulator, { API: '4.0', action, sessionid, ...credentials(demo) });
      await response.arrayBuffer();
      seen.push(response.status);
    }
    return seen;
  };
  control.injectFault({ fault: 'server_error', from: 3 });
  t.same(await statuses(4), [200, 200, 503, 200], 'the third call');
  control.injectFault({ fault: 'server_error', times: 2 });
  t.same(await statuses(3), [503, 503, 200], 'the next two');
  control.injectFault({ fault: 'server_error', action: 'login' });
  t.same(await statuses(2), [200, 200], 'other actions are not affected');
  t.same(await statuses(2, 'login'), [503, 200]);
  control.injectFault({ fault: 'server_error', status: 500 });
  control.injectFault({ fault: 'server_error', status: 502 });
  t.same(await statuses(3), [500, 502, 200], 'in the order of injection');
  control.injectFault({ fault: 'missing_list' });
  t.ok(await logIn(simulator), 'a login does not use up a fault of the list');
  t.notOk('vendor' in (await call(simulator, { action: 'sync_vendor', sessionid })));
  const { id } = control.injectFault({ fault: 'throttled', times: 0 });
  t.same(await statuses(3), [429, 429, 429], 'until it is cleared');
  t.match(control.faults(), [{ id, fault: 'throttled', seen: 3, fired: 3 }]);
  t.same(control.clearFaults({ id }), { cleared: 1 });
  t.same(await statuses(1), [200]);

  control.injectFault({ fault: 'session_expired', action: 'sync_vendor', errorcode: 60 });
  const lost = await call(simulator, { action: 'sync_vendor', sessionid });
  t.equal(lost.error, 'Invalid session.');
  const still = await call(simulator, { action: 'sync_vendor', sessionid });
  t.equal(codeOf(still), '63', 'an expired session stays expired');
  t.ok((await list(simulator, await logIn(simulator))).length > 0, 'a new login works');
});

t.test('closing the simulator ends hanging calls', async (t) => {
  const simulator = await startSimulator({ licenses: 5 });
  simulator.control.injectFault({ fault: 'hang' });
  const waiting = observe(simulator.url, { API: '4.0', action: 'login' });
  while (simulator.control.counters().faultsFired.hang === undefined) await new Promise(setImmediate);
  t.equal(simulator.control.counters().callsInFlight, 1);
  await simulator.close();
  t.equal((await waiting).head, '');
  await simulator.close();
  t.equal(simulator.control.counters().callsInFlight, 0);
});

t.test('the counters and the request log contain no secrets', async (t) => {
  const simulator = await start(t);
  const { control, demo } = simulator;
  const sessionid = await logIn(simulator);
  await call(simulator, { action: 'login', ...credentials(demo), password: 'a-wrong-password' });
  await call(simulator, { action: 'login', ...credentials(demo), username: demo.password, password: demo.username });
  await call(simulator, { action: `sync_${sessionid}`, sessionid });
  await call(simulator, { action: 'sync_vendor', nosession: 1, ...credentials(demo), password: 'a-wrong-password' });
  control.changePassword({ ...demo, password: 'the-second-password' });
  await call(simulator, {
    action: 'login',
    ...credentials(demo),
    username: `x-the-second-password`,
    password: 'the-second-password',
  });
  await fetch(`${simulator.url}/${sessionid}`, { method: 'POST' });
  control.injectFault({ fault: 'slow_first_byte', action: 'sync_vendor', times: 3, delayMs: 1_500 });
  const bounds = { transaction_start: 5, training: 1 };
  await Promise.all([1, 2, 3].map(() => list(simulator, sessionid, bounds)));

  const counters = control.counters();
  t.match(counters, {
    calls: 10,
    callsByAction: { login: 4, sync_vendor: 4, '(unknown)': 1, '(unreadable)': 1 },
    logins: 4,
    loginsAccepted: 1,
    loginsRejected: 3,
    nosessionCalls: 1,
    nosessionRejected: 1,
    listCalls: 4,
    listsSent: 3,
    maxCallsInFlight: 3,
    maxListCallsInFlight: 3,
    callsInFlight: 0,
    openSessions: 1,
    faultsFired: { slow_first_byte: 3 },
  });
  t.match(
    counters.loginsByUser.find(({ username }) => username === demo.username),
    { ubi: demo.ubi, attempts: 2, accepted: 1, rejected: 1 },
    'logins per UBI and username',
  );
  control.injectFault({ fault: 'html', action: 'login' });
  await post(simulator, { API: '4.0', action: 'login', ...credentials(demo) });
  t.match(
    control.counters(),
    { logins: 5, loginsAccepted: 1, loginsRejected: 3 },
    'a login replaced by a fault is an attempt',
  );

  const log = control.requests();
  t.equal(log.length, 11);
  t.match(at(log, 0), {
    call: 1,
    method: 'POST',
    path: '/serverjson.asp',
    action: 'login',
    ubi: demo.ubi,
    outcome: 'accepted',
  });
  t.match(at(log, 9), {
    action: 'sync_vendor',
    training: true,
    transactionStart: 5,
    fault: 'slow_first_byte',
    status: 200,
  });
  const everything = JSON.stringify({ log, counters, users: control.users(), faults: control.faults() });
  for (const secret of [demo.password, 'a-wrong-password', 'the-second-password', sessionid, sessionid.slice(0, 20)]) {
    t.notOk(everything.includes(secret), 'no secret is logged');
  }
  t.ok(everything.includes(demo.username), 'other values are logged');
});

t.test('rest has login, paged vendors and its own refusals', async (t) => {
  const simulator = await start(t, { state: 'fl', licenses: 250, dirtyRows: false });
  const { demo, control, url } = simulator;
  const login = (headers: Record<string, string>, password = demo.password) =>
    fetch(`${url}/v1/user/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-ubi': demo.ubi, ...headers },
      body: JSON.stringify({ Username: demo.username, Password: password }),
    });
  const location = at(control.rows({ ubi: demo.ubi }), 0).location;
  const accepted = (await (await login({ 'x-license': location })).json()) as Document;
  t.match(accepted.session, /^[0-9a-f]{128}$/);
  const wrong = await login({}, 'wrong');
  t.equal(wrong.status, 400);
  t.same(await wrong.json(), { Error: 'Invalid username or password.' });
  t.same(await (await login({ 'x-ubi': '1' })).json(), {}, 'an unknown UBI');
  t.same(await (await login({ 'x-license': 'MMTC-x' })).json(), {
    Error: 'You provided an invalid location license number.',
  });
  control.setOptions({ restErrorStatus: 401 });
  t.equal((await login({}, 'wrong')).status, 401);
  t.match(control.counters(), { logins: 5, loginsAccepted: 1 });

  const headers = { 'x-ubi': demo.ubi, 'x-license': location, 'x-session-token': String(accepted.session) };
  const page = async (query: string, more: Record<string, string> = {}): Promise<Document> =>
    (await (await fetch(`${url}/v1/vendor${query}`, { headers: { ...headers, ...more } })).json()) as Document;
  control.setOptions({ restPageSize: 100 });
  const first = await page('');
  const vendors = first.Vendor as Document[];
  t.equal(vendors.length, 100);
  t.match(at(vendors, 0), {
    ID: 1,
    Name: String,
    UBI: String,
    LocationLicense: String,
    Address: String,
    Address2: String,
    City: String,
    State: 'FL',
    Zip: String,
    Phone: String,
    Type: Number,
    Producer: Boolean,
    Processor: Boolean,
    Retail: Boolean,
    Transporter: Boolean,
    Deleted: Boolean,
    TransactionID: Number,
  });
  t.equal(at(vendors, 0).LegacyComplyDate, null);
  const last = Math.max(...control.rows().map(({ transactionid }) => transactionid));
  t.ok(Number(first.NextTransactionID) > last);
  const second = await page(`?Cursor=${first.NextCursor}`);
  const third = await page(`?Cursor=${second.NextCursor}`);
  t.equal(third.NextCursor, null, 'the last page');
  const all = [first, second, third].flatMap(({ Vendor }) => Vendor as Document[]);
  t.same(
    all.map(({ LocationLicense }) => LocationLicense),
    control.rows().map((row) => row.location),
  );
  control.setOptions({ restCursorParameter: 'after', restLastCursor: 'absent' });
  const renamed = await page(`?after=${second.NextCursor}`);
  t.equal((renamed.Vendor as Document[]).length, 50, 'the cursor parameter is an option');
  t.notOk('NextCursor' in renamed);
  control.setOptions({ restLastCursor: 'empty' });
  t.equal((await page(`?after=${second.NextCursor}`)).NextCursor, '');
  t.match(await page('?after=x'), { Error: 'Invalid cursor.' });
  const since = (await page(`?TransactionID=${last}`)).Vendor as Document[];
  t.ok(since.length > 0 && since.every(({ TransactionID }) => TransactionID === last), 'bounded by transaction');

  t.same(await page('', { 'x-session-token': 'x' }), { Error: 'Invalid session.' });
  t.same(await page('', { 'x-ubi': '1' }), { Error: 'Invalid session.' });
  t.match(await page('', { 'x-license': 'x' }), { Error: /invalid location license number/ });
  control.setPrivileges({ ...demo, privileges: [] });
  t.match(await page(''), { Error: /does not possess access to the sync_vendor privilege/ });
  control.setPrivileges({ ...demo, privileges: [...PRIVILEGES] });
  control.injectFault({ fault: 'session_expired', action: 'sync_vendor' });
  t.same(await page(''), { Error: 'Your session has expired.' });
  t.same(await page(''), { Error: 'Your session has expired.' });
  t.equal((await fetch(`${url}/serverjson.asp`, { method: 'POST' })).status, 404, 'the other dialect is not available');
  t.equal((await fetch(`${url}/v1/vendor`, { method: 'POST' })).status, 405);
});

t.test('the same seed and calls produce the same bytes', async (t) => {
  const transcript = async (simulator: Simulator): Promise<readonly string[]> => {
    const bytes: string[] = [];
    const ask = async (document: Document): Promise<string> => {
      const { head, body } = await observe(simulator.url, { API: '4.0', ...document });
      t.notMatch(head, /^date:/im, 'no clock in the head');
      bytes.push(`${head}\r\n\r\n${body.toString('base64')}`);
      return body.toString();
    };
    const login = JSON.parse(await ask({ action: 'login', ...credentials(simulator.demo) })) as Document;
    const sessionid = login.sessionid;
    await ask({ action: 'sync_vendor', sessionid });
    simulator.control.addVendor({ sites: 2 });
    simulator.control.rename({ location: at(simulator.control.rows(), 7).location, name: 'X' });
    simulator.control.setOptions({ shuffleRows: true });
    await ask({ action: 'sync_vendor', sessionid });
    await ask({ action: 'sync_vendor', sessionid, training: 1 });
    await ask({ action: 'sync_check', sessionid, data: [{ table: 'vendor', transaction_start: 1 }] });
    await ask({ action: 'sync_qa_lab', sessionid });
    await ask({ action: 'nonsense', sessionid });
    simulator.control.expireSessions();
    await ask({ action: 'sync_vendor', sessionid });
    return bytes;
  };
  for (const state of ['nm', 'wa', 'ct'] as const) {
    const [a, b] = [await start(t, { state, seed: 7 }), await start(t, { state, seed: 7 })];
    const first = await transcript(a);
    t.same(await transcript(b), first, `${state}: in another instance`);
    a.control.reset();
    t.same(await transcript(a), first, `${state}: after a reset`);
    const other = await transcript(await start(t, { state, seed: 8 }));
    t.equal(first.filter((bytes, index) => bytes === other[index]).length, 0, `${state}: another seed, other bytes`);
  }
});

t.test('the same seed and calls produce the same bytes in rest', async (t) => {
  const transcript = async (seed: number): Promise<readonly string[]> => {
    const { url, demo } = await start(t, { state: 'fl', seed });
    const login = await fetch(`${url}/v1/user/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-ubi': demo.ubi },
      body: JSON.stringify({ UBI: demo.ubi, Username: demo.username, Password: demo.password }),
    });
    const first = await login.text();
    const session = String((JSON.parse(first) as Document).session ?? '');
    const list = await fetch(`${url}/v1/vendor`, { headers: { 'x-ubi': demo.ubi, 'x-session-token': session } });
    t.equal(list.status, 200);
    return [first, await list.text()];
  };
  const [a, b, other] = [await transcript(7), await transcript(7), await transcript(8)];
  t.same(a, b);
  t.not(a[1], other[1], 'another seed, other bytes');
});

t.test('a reset restores the initial state', async (t) => {
  const simulator = await start(t);
  const { control, demo } = simulator;
  const state = () => ({
    rows: control.rows(),
    training: control.rows({ training: true }),
    users: control.users(),
    options: control.options(),
    faults: control.faults(),
    requests: control.requests(),
    calls: control.counters().calls,
    logins: control.counters().loginsByUser,
    openSessions: control.counters().openSessions,
  });
  const begin = state();
  const sessionid = await logIn(simulator);
  control.addVendor();
  control.addVendor({ training: true });
  control.setPrivileges({ ...demo, privileges: [] });
  control.changePassword({ ...demo, password: 'other' });
  control.setOptions({ shapeSeed: 5, contentType: 'a/b' });
  control.injectFault({ fault: 'hang' });
  const between = state();
  for (const [name, value] of Object.entries(begin)) t.notSame(between[name as keyof typeof between], value, name);
  control.reset();
  t.same(state(), begin);
  t.equal(codeOf(await call(simulator, { action: 'sync_vendor', sessionid })), '60');
  t.ok((await list(simulator, await logIn(simulator))).length > 0, 'the initial password is valid again');
});

t.test('the control port offers every command', async (t) => {
  const simulator = await start(t);
  const { controlUrl, control, demo } = simulator;
  const send = async (path: string, body?: unknown): Promise<{ status: number; answer: Document }> => {
    const response = await fetch(`${controlUrl}${path}`, {
      method: 'POST',
      ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    return { status: response.status, answer: (await response.json()) as Document };
  };
  const read = async (path: string): Promise<Document> =>
    (await (await fetch(`${controlUrl}${path}`)).json()) as Document;
  t.not(controlUrl, simulator.url);
  const help = (await read('/')) as { read: string[]; commands: string[] };
  for (const path of help.read) t.ok(Object.keys(await read(path)).length === 1, `GET ${path}`);
  const methods = Object.keys(control).map(
    (name) => `/${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
  );
  t.same([...help.commands, ...help.read].sort(), methods.sort(), 'every function has a path');

  const [first, second] = control.rows({ ubi: demo.ubi }).map(({ location }) => location);
  const user = { ubi: '1', username: 'u' };
  control.addUser({ ...user, password: 'p' });
  const bodies: Record<string, unknown> = {
    '/rename': { location: first, name: 'N' },
    '/move-address': { location: first, city: null },
    '/drop-flags': { location: first },
    '/delete': { location: first },
    '/vanish': { location: first },
    '/restore': { location: first },
    '/sell': { location: first, toUbi: '612345678' },
    '/set-ubi': { location: first, ubi: null },
    '/swap-ubis': { a: first, b: second },
    '/swap-names': { a: first, b: second },
    '/set-field': { location: first, field: 'zip', value: 87_101 },
    '/clear-fields': { location: first, table: 'vendor', unchanged: true },
    '/add-site': { ubi: demo.ubi, location: '000000012' },
    '/add-vendor': { sites: 2 },
    '/add-element': { element: null },
    '/add-user': { ubi: '2', username: 'u', password: 'p', privileges: [] },
    '/change-password': { ...user, password: 'q' },
    '/set-privileges': { ...user, privileges: ['sync_vendor'] },
    '/delete-user': user,
    '/advance-clock': { seconds: 1 },
    '/inject-fault': { fault: 'hang', action: 'sync_vendor', from: 2, times: 3, delayMs: 5 },
    '/set-options': { shuffleKeys: false },
  };
  for (const path of help.commands) {
    const { status, answer } = await send(path, bodies[path]);
    t.equal(status, 200, `POST ${path} ${JSON.stringify(answer)}`);
    if (bodies[path] === undefined) continue;
    t.equal(
      (await send(path, { ...(bodies[path] as Document), nonsense: 1 })).status,
      400,
      `${path}: an unknown member`,
    );
    t.equal((await send(path)).status, path === '/add-vendor' || path === '/set-options' ? 200 : 400);
  }
  t.match(await read(`/rows?ubi=${demo.ubi}`), { rows: Array });
  t.equal((await fetch(`${controlUrl}/rows?page=1`)).status, 400);
  t.equal(((await read('/rows?training=1')).rows as unknown[]).length, 20);
  t.equal((await send('/rename', { location: 'nowhere', name: 'x' })).status, 404);
  t.equal((await send('/rename', { location: first, name: 7 })).status, 400, 'values are not converted');
  t.equal((await send('/inject-fault', { fault: 'nonsense' })).status, 400);
  t.equal((await send('/nonsense')).status, 404);
});

t.test('only loopback hosts and valid options are accepted', async (t) => {
  for (const host of ['0.0.0.0', '::', '192.168.1.1', 'example.com', '', '127.0.0.1.example.com']) {
    await t.rejects(startSimulator({ host }), /not a loopback address/, host);
  }
  await t.rejects(startSimulator({ licenses: -1 }), CommandError);
  await t.rejects(startSimulator({ licenses: 1.5 }), CommandError);
  const first = await start(t, { licenses: 5 });
  const port = Number(new URL(first.url).port);
  const controlPort = Number(new URL(first.controlUrl).port);
  await t.rejects(startSimulator({ licenses: 5, port }), { code: 'EADDRINUSE' });
  await t.rejects(startSimulator({ licenses: 5, controlPort }), { code: 'EADDRINUSE' });
});

t.test('the command starts a simulator', async (t) => {
  const lines: string[] = [];
  const io = { print: (line: string) => lines.push(line) };
  t.equal(await runSimulatorCommand(['--help'], io), undefined);
  t.equal(lines.join('\n'), simulatorUsage);
  for (const argv of [
    ['--nonsense'],
    ['extra'],
    ['--state', 'xx'],
    ['--licenses', 'many'],
    ['--host', '0.0.0.0'],
    ['--port', '70000'],
  ]) {
    await t.rejects(runSimulatorCommand(argv, io), CommandError, argv.join(' '));
  }
  lines.length = 0;
  const argv = [
    '--state',
    'ct',
    '--licenses',
    '50',
    '--seed',
    '3',
    '--session-ttl',
    '9',
    '--no-shuffle',
    '--no-dirty-rows',
  ];
  const simulator = await runSimulatorCommand(
    [...argv, '--training-licenses', '7', '--one-session-per-user', '--shuffle-rows'],
    io,
  );
  if (simulator === undefined) throw new Error('the simulator did not start');
  t.teardown(() => simulator.close());
  t.equal(simulator.control.rows().length, 50);
  t.equal(simulator.control.rows({ training: true }).length, 7);
  t.match(simulator.control.options(), {
    sessionTtlSeconds: 9,
    shuffleKeys: false,
    shuffleRows: true,
    oneSessionPerUser: true,
  });
  const printed = lines.join('\n');
  for (const text of [simulator.url, simulator.controlUrl, simulator.demo.ubi, simulator.demo.password])
    t.match(printed, text);
});
