import t from 'tap';
import { type FaultRule, REFUSAL_NAMES, type Simulator } from '../../src/simulator/index.js';
import { at, call, codeOf, credentials, type Document, isSuccess, list, logIn, post, start } from './client.js';

/** Answers that other implementations of BioTrack give, or that an odd row causes. */

/** Values that were sent in one field of one row, as JSON text. */
const ODD_VALUES: readonly (readonly [field: string, json: string])[] = [
  ['producer', '2'],
  ['retail', '"Y"'],
  ['name', '"MESA \\ud83c FARMS"'],
  ['name', '"NUL \\u0000"'],
  ['transactionid', '"31019131-A"'],
  ['transactionid', '12345678901234567890'],
  ['zip', '870011234567'],
  ['address1', `"${'A'.repeat(2_001)}"`],
  ['ubi', 'false'],
  ['ubi', '1e999'],
  ['deleted', '"maybe"'],
  ['locationtype', '{"code":{"value":8}}'],
  ['city', '[["TAOS"]]'],
  ['location', 'null'],
];

/** The fields in `rest` that differ by more than the case. */
const REST_FIELDS: Readonly<Record<string, string>> = {
  transactionid: 'TransactionID',
  address1: 'Address',
  ubi: 'UBI',
  locationtype: 'Type',
  location: 'LocationLicense',
};
const toRestField = (field: string): string =>
  REST_FIELDS[field] ?? `${field.charAt(0).toUpperCase()}${field.slice(1)}`;

const fetchText = async ({ url, demo }: Simulator): Promise<string> => {
  const login = await fetch(`${url}/v1/user/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-ubi': demo.ubi },
    body: JSON.stringify({ Username: demo.username, Password: demo.password }),
  });
  const { session } = (await login.json()) as Document;
  const headers = { 'x-ubi': demo.ubi, 'x-session-token': String(session) };
  return (await fetch(`${url}/v1/vendor`, { headers })).text();
};

t.test('any field of a row can be sent as any JSON text, in both dialects', async (t) => {
  const api4 = await start(t, { shuffle: false });
  const rest = await start(t, { state: 'fl', shuffle: false });
  const api4Text = async () =>
    (await post(api4, { API: '4.0', action: 'sync_vendor', sessionid: await logIn(api4) })).text();
  const dialects = [
    { simulator: api4, text: api4Text, toField: (field: string) => field },
    { simulator: rest, text: () => fetchText(rest), toField: toRestField },
  ];
  for (const { simulator, text, toField } of dialects) {
    const { control, demo } = simulator;
    const { location } = at(control.rows({ ubi: demo.ubi }), 1);
    const before = await text();
    for (const [name, json] of ODD_VALUES) {
      const field = toField(name);
      control.setField({ location, field, json, unchanged: true });
      const row = `"${field}":${json}`;
      const odd = await text();
      t.ok(odd.includes(row), `${field} is sent as ${json.slice(0, 40)}`);
      t.not(odd, before);
      control.clearFields({ location, unchanged: true });
      t.equal(await text(), before, 'undone');
    }
    control.setField({ location, field: toField('name'), json: '"RAW\tTAB"', unchanged: true });
    const invalid = await text();
    t.throws(() => JSON.parse(invalid), SyntaxError, 'the text can be invalid JSON');
    control.clearFields({ location });
    const { transactionId } = control.setField({ location, field: toField('name'), value: 'RENAMED' });
    t.ok((await text()).includes(String(transactionId)), 'by default with the next transaction number');
  }
});

t.test('fields of laboratories and transporters can be set too', async (t) => {
  const simulator = await start(t, { offersTransporters: true });
  const { control } = simulator;
  const sessionid = await logIn(simulator);
  const transporters = await call(simulator, { action: 'sync_third_party_transporter', sessionid });
  const isKeyed = (row: Document) => 'license_number' in row && !('location' in row);
  t.ok((transporters.third_party_transporter as Document[]).every(isKeyed), 'transporters have no location');
  control.setOptions({ transporterKey: 'location' });
  for (const [action, table] of [
    ['sync_qa_lab', 'qa_lab'],
    ['sync_third_party_transporter', 'third_party_transporter'],
  ] as const) {
    const rows = async () => (await call(simulator, { action, sessionid }))[table] as Document[];
    const location = String(at(await rows(), 2).location);
    control.setField({ table, location, field: 'location' });
    control.setField({ table, location, field: 'license_number', value: location });
    t.match(at(await rows(), 2), { location: undefined, license_number: location }, action);
    t.throws(() => control.setField({ table, location: 'nowhere', field: 'name', value: 'x' }), /does not exist/);
    control.injectFault({ fault: 'shrunk_list', action, keep: 1 });
    t.equal((await rows()).length, 1, 'faults of lists apply');
    control.injectFault({ fault: 'missing_list', action });
    t.same(Object.keys(await call(simulator, { action, sessionid })), ['success']);
  }
});

t.test('every known refusal can be sent at every call, also for one user only', async (t) => {
  const simulator = await start(t);
  const { control, demo } = simulator;
  const second = at(simulator.users, 2);
  const sessionid = await logIn(simulator);
  for (const refusal of REFUSAL_NAMES) {
    for (const action of ['login', 'sync_vendor', 'sync_qa_lab', 'sync_check']) {
      control.injectFault({ fault: 'error_response', refusal, action });
      const answer = await call(simulator, { action, sessionid, ...(action === 'login' ? credentials(demo) : {}) });
      t.notOk(isSuccess(answer), `${refusal} at ${action}`);
      t.equal('error' in answer, refusal !== 'unknownUbi');
    }
  }
  const locked: FaultRule = { fault: 'error_response', refusal: 'accountLocked', username: demo.username, times: 0 };
  control.injectFault(locked);
  const logInAs = (user: typeof demo) => call(simulator, { action: 'login', ...credentials(user) });
  t.match(await logInAs(demo), { error: 'Your account has been locked.' });
  t.ok(isSuccess(await logInAs(second)), 'other users are not affected');
  t.ok((await list(simulator, sessionid)).length > 0, 'open sessions are not affected');
});

t.test('sync_check sums and returns all tables, or those that differ', async (t) => {
  const simulator = await start(t, { offersTransporters: true, dirtyRows: false });
  const { control, demo } = simulator;
  const sessionid = await logIn(simulator);
  const check = (more: Document = {}) => call(simulator, { action: 'sync_check', sessionid, ...more });
  const sumOf = (rows: readonly Document[]) =>
    String(rows.reduce((sum, { transactionid }) => sum + Number(transactionid), 0));
  const vendorSum = async (): Promise<unknown> =>
    at((await check({ data: [{ table: 'vendor' }] })).summary as Document[], 0).sum;

  const all = await check();
  t.same(
    (all.summary as Document[]).map(({ table }) => table),
    ['vendor', 'qa_lab', 'third_party_transporter'],
  );
  t.notOk('vendor' in all, 'no rows without download');
  const whole = await list(simulator, sessionid);
  const downloaded = await check({ download: 1 });
  t.same(downloaded.vendor, whole, 'the tables are returned');
  t.equal((downloaded.qa_lab as Document[]).length, 8);
  t.ok('third_party_transporter' in downloaded);
  for (const { table, sum } of downloaded.summary as Document[])
    t.equal(sum, sumOf(downloaded[String(table)] as Document[]));
  const matching = await check({
    download: '1',
    data: [{ table: 'vendor', sum: sumOf(whole) }, { table: 'nonsense' }],
  });
  t.notOk('vendor' in matching, 'a table with the same sum is not returned');
  t.match(matching.summary, [{ match: 1 }, { table: 'nonsense', sum: '0', match: 0 }]);
  control.setOptions({ offersTransporters: false });
  t.equal(((await check()).summary as Document[]).length, 2, 'only tables that the state offers');

  const [first, second] = control.rows({ ubi: demo.ubi }).map(({ location }) => location);
  if (first === undefined || second === undefined) throw new Error('the demo has too few sites');
  control.setOptions({ deletedRows: 'vanish', syncCheckRows: 'table' });
  control.delete({ location: first });
  const deletedSum = await vendorSum();
  t.not(deletedSum, sumOf(await list(simulator, sessionid)), 'the table includes deleted rows, the list does not');
  control.vanish({ location: second });
  t.equal(await vendorSum(), deletedSum, 'and rows that have vanished');
  control.setOptions({ syncCheckRows: 'list' });
  t.equal(await vendorSum(), sumOf(await list(simulator, sessionid)));
});

t.test('the version can be optional, and GET can be answered with 200', async (t) => {
  const simulator = await start(t);
  const { control, demo, url } = simulator;
  const login = { action: 'login', ...credentials(demo) };
  t.equal(codeOf(await call(simulator, { ...login, API: undefined })), '17');
  control.setOptions({ apiMember: 'optional', getStatus: 200 });
  t.ok(isSuccess(await call(simulator, { ...login, API: undefined })));
  t.equal(codeOf(await call(simulator, { ...login, API: '3.0' })), '17', 'another version is refused');
  const get = await fetch(`${url}/serverjson.asp`);
  t.equal(get.status, 200);
  t.equal(get.headers.get('allow'), null);
  t.equal((await fetch(`${url}/serverjson.asp`, { method: 'PUT' })).status, 405, 'other methods are still refused');
});
