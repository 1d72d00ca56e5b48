import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import t, { type Test } from 'tap';
import { onboard } from '../../src/cli/onboard.js';
import { PRIVILEGES } from '../../src/simulator/index.js';
import { buildDist } from '../helpers/build-dist.js';
import { pickPort } from '../helpers/free-port.js';
import { makeTenant, startTestService, syncTenant } from '../helpers/service.js';
import { cutAfterFirst, loseResponse, type Meddle, type ProxiedRequest, startProxy } from './proxy.js';
import { type RecordedTerminal, recordTerminal, type TerminalOptions } from './terminal.js';

const service = await startTestService(t, { simulator: { licenses: 300 } });
const { ask, baseUrl, operatorKey, simulator } = service;
const { demo } = simulator;
const second = simulator.users.find(({ username }) => username.startsWith('second')) ?? demo;
const limited = simulator.users.find(({ username }) => username.startsWith('limited')) ?? demo;
const folder = await mkdtemp(join(tmpdir(), 'onboard-'));
t.teardown(() => rm(folder, { recursive: true }));

const WRONG_PASSWORD = 'a-wrong-password-of-ours';
const SECRETS = [...simulator.users.map(({ password }) => password), WRONG_PASSWORD, operatorKey];
const env = { BIOTRACK_CONNECT_URL: baseUrl, BIOTRACK_CONNECT_API_KEY: operatorKey };

interface Result extends RecordedTerminal {
  readonly code: number;
  readonly errors: string;
  readonly output: string;
}

/** Runs the command and checks that it writes no secret. */
async function run(test: Test, args: readonly string[], options: TerminalOptions = {}): Promise<Result> {
  const terminal = recordTerminal({ env, ...options });
  const code = await onboard(args, terminal);
  for (const secret of SECRETS) test.notMatch(terminal.all(), secret, 'no secret is written');
  return { ...terminal, code, errors: terminal.err.join('\n'), output: terminal.out.join('\n') };
}

async function saveFile(content: unknown): Promise<string> {
  const path = join(folder, `${randomUUID()}.json`);
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

const flagsOf = (tenantId: string, { strategy = 'one_per_license', ...more }: Record<string, string> = {}): string[] =>
  Object.entries({
    tenant: tenantId,
    name: 'Shop',
    state: 'NM',
    environment: 'production',
    ubi: demo.ubi,
    strategy,
    username: demo.username,
    password: demo.password,
    ...more,
  }).map(([name, value]) => `--${name}=${value}`);

const tenantInFile = (name: string, login: { ubi: string; username: string; password: string }, more: object = {}) => ({
  tenant_id: service.newId(),
  name,
  ubi: login.ubi,
  credential: { description: 'office', username: login.username, password: login.password },
  ...more,
});

const DEFAULTS = { state: 'NM', environment: 'production', strategy: 'one_per_license' };

async function listCompanies(tenantId: string): Promise<{ id: string; licenses: unknown[] }[]> {
  const found: { id: string; licenses: unknown[] }[] = [];
  let next: string | null = `/v1/tenants/${tenantId}/companies?page[size]=500`;
  while (next !== null) {
    const { body }: Awaited<ReturnType<typeof ask>> = await ask('GET', next);
    found.push(...body.data);
    next = body.next_page;
  }
  return found;
}

const count = async (tenantId: string, list: string): Promise<number> =>
  (await ask('GET', `/v1/tenants/${tenantId}/${list}`)).body.data.length;

for (const strategy of ['one_per_license', 'one_per_vendor'] as const) {
  t.test(`one tenant, ${strategy}`, async (t) => {
    const tenantId = service.newId();
    const { code, output, errors } = await run(t, flagsOf(tenantId, { strategy }));
    t.equal(code, 0, errors);
    const companies = await listCompanies(tenantId);
    t.ok(companies.length > 100, 'companies exist');
    const row = output.split('\n').find((line) => line.includes(tenantId)) ?? '';
    const licenses = companies.reduce((sum, company) => sum + company.licenses.length, 0);
    const cells = row.split('│').map((cell) => cell.trim());
    t.same(cells.slice(1, 7), ['Shop', tenantId, strategy, `${companies.length}`, `${licenses}`, 'succeeded']);
    t.match(output, `… and ${companies.length - 20} more`, 'the first companies are listed');
    t.match(errors, /Shop: ubi\n.*Shop: credential\n/s, 'each step is printed as a line');
    t.match(errors, /Shop: sync: \w+/, 'and the step of the run');
    if (strategy === 'one_per_vendor') t.ok(companies.length < licenses, 'a vendor holds several licenses');
    const setup = await ask('GET', `/v1/tenants/${tenantId}/setup`);
    t.equal(setup.body.next_step, null, 'no step is left');
  });
}

t.test('a second run changes nothing', async (t) => {
  const tenantId = service.newId();
  const first = await run(t, flagsOf(tenantId));
  t.equal(first.code, 0, first.errors);
  const before = await listCompanies(tenantId);
  const logins = simulator.control.counters().logins;
  const runs = await count(tenantId, 'syncs');
  const again = await run(t, flagsOf(tenantId));
  t.equal(again.code, 0, again.errors);
  t.same(await listCompanies(tenantId), before, 'no company changed');
  t.equal(await count(tenantId, 'credentials'), 1, 'no second login is stored');
  t.equal(await count(tenantId, 'syncs'), runs, 'no second run');
  t.equal(await count(tenantId, 'licenses'), simulator.control.rows({ ubi: demo.ubi }).length);
  t.same(simulator.control.counters().logins, logins, 'BioTrack was not asked for a login again');
});

t.test('a partial setup is completed', async (t) => {
  for (const upTo of ['tenant', 'ubi', 'preference', 'credential'] as const) {
    const tenantId = await makeTenant(service, upTo);
    const { code, errors } = await run(t, flagsOf(tenantId));
    t.equal(code, 0, `${upTo}: ${errors}`);
    t.ok((await listCompanies(tenantId)).length > 100, upTo);
    t.equal(await count(tenantId, 'credentials'), 1);
    t.equal((await ask('GET', `/v1/tenants/${tenantId}`)).body.name, 'Shop', 'and has the requested settings');
  }
});

t.test('a synced tenant without licenses gets them without a new run', async (t) => {
  const tenantId = await makeTenant(service);
  const done = await syncTenant(service, tenantId);
  const { code, out } = await run(t, [...flagsOf(tenantId), '--json']);
  t.equal(code, 0);
  t.equal(JSON.parse(out[0] ?? '').run.id, done.id, 'no run is started');
  t.ok((await count(tenantId, 'licenses')) > 0);
});

t.test('include_labs is changed later and starts a run', async (t) => {
  const tenantId = await makeTenant(service);
  const done = await syncTenant(service, tenantId);
  const { code, out, errors } = await run(t, [...flagsOf(tenantId), '--include-labs', '--json']);
  t.equal(code, 0, errors);
  t.not(JSON.parse(out[0] ?? '').run.id, done.id, 'another run applies it');
  const path = `/v1/tenants/${tenantId}/company-creation-preference`;
  t.equal((await ask('GET', path)).body.include_labs, true);
  await run(t, flagsOf(tenantId));
  t.equal((await ask('GET', path)).body.include_labs, true, 'a later run without the flag keeps it');
});

t.test('an invalid login gets the given password', async (t) => {
  const user = { ubi: demo.ubi, username: 'changing@example.com', password: WRONG_PASSWORD };
  simulator.control.addUser(user);
  const tenantId = await makeTenant(service, 'preference');
  const body = {
    description: 'office',
    username: user.username,
    password: 'nonsense',
    owner: 'company',
    verify: 'skip',
  };
  await ask('POST', `/v1/tenants/${tenantId}/credentials`, { body });
  const { code, errors } = await run(t, flagsOf(tenantId, { username: user.username, password: user.password }));
  t.equal(code, 0, errors);
  const { body: list } = await ask('GET', `/v1/tenants/${tenantId}/credentials`);
  t.same(
    list.data.map(({ username, status, description }: Record<string, string>) => ({ username, status, description })),
    [{ username: user.username, status: 'valid', description: 'office' }],
    'in place',
  );

  const other = await run(t, flagsOf(tenantId, { description: 'office' }));
  t.equal(other.code, 1);
  t.match(other.errors, 'Login description in use', 'another login is not changed');
});

t.test('only the requested licenses are created', async (t) => {
  const [one, two] = simulator.control.rows({ ubi: demo.ubi }).map(({ location }) => location);
  const tenantId = service.newId();
  const { code, errors } = await run(t, [...flagsOf(tenantId), `--license=${one}`, `--license=${two}`]);
  t.equal(code, 0, errors);
  t.equal(await count(tenantId, 'licenses'), 2);
  const unknown = await run(t, [...flagsOf(tenantId), '--license=000000000']);
  t.equal(unknown.code, 1);
  t.match(unknown.errors, /Shop \(.*\): licenses: .*\(license_not_available, request /);
});

t.test('a license that the state lists as deleted is not created', async (t) => {
  const { control } = simulator;
  const login = { ubi: '880000088', username: 'closed@example.com', password: 'closed-password' };
  control.addUser(login);
  const flags = flagsOf(service.newId(), login);
  const expire = () => service.sql('update directories set refreshed_datetime = null, checksum = null');
  const none = await run(t, flags);
  t.equal(none.code, 1);
  t.match(
    none.errors,
    /licenses: No license to create for the UBI 880000088: The state lists no license.*\(none_listed\)/,
  );
  const { location } = control.addSite({ ubi: login.ubi, name: 'Closed' });
  control.setField({ location, field: 'deleted', value: 1 });
  await expire();
  const all = await run(t, flags);
  t.equal(all.code, 1);
  t.match(all.errors, /The state lists all licenses under this UBI as deleted\. .*\(all_deleted\)/);
  const named = await run(t, [...flags, `--license=${location}`]);
  t.equal(named.code, 1);
  t.match(named.errors, /The state lists the license as deleted, .*\(license_not_available, request /);
});

t.test('an archived license is restored if it is requested by number', async (t) => {
  const [one] = simulator.control.rows({ ubi: demo.ubi }).map(({ location }) => location);
  const tenantId = service.newId();
  t.equal((await run(t, [...flagsOf(tenantId), `--license=${one}`])).code, 0);
  const path = `/v1/tenants/${tenantId}/licenses`;
  const [license] = (await ask('GET', path)).body.data;
  await ask('DELETE', `${path}/${license.id}`, { headers: { 'if-match': '"1"' } });
  t.equal((await run(t, flagsOf(tenantId))).code, 0);
  t.match((await ask('GET', `${path}/${license.id}`)).body, { archived: true }, '"all" does not restore it');
  const { code, errors } = await run(t, [...flagsOf(tenantId), `--license=${one}`]);
  t.equal(code, 0, errors);
  t.match((await ask('GET', `${path}/${license.id}`)).body, { archived: false });
});

t.test('many tenants from a file, some of which fail', async (t) => {
  const good = tenantInFile('Good Shop', demo);
  const vendor = tenantInFile('Vendor\u202e Shop', second, { strategy: 'one_per_vendor' });
  const wrong = tenantInFile('Wrong Password', { ...demo, password: WRONG_PASSWORD });
  const unknown = tenantInFile('Unknown UBI', { ...demo, ubi: '999999999' });
  const barred = tenantInFile('Barred', limited);
  const nowhere = tenantInFile('Nowhere', demo, { state: 'ZZ' });
  const tenants = [good, wrong, vendor, unknown, barred, nowhere];
  const path = await saveFile({ defaults: DEFAULTS, tenants });
  const { code, output, errors, err } = await run(t, ['--file', path, '--concurrency=3']);
  t.equal(code, 1);
  t.ok((await listCompanies(good.tenant_id)).length > 100, 'the others are done');
  t.ok((await listCompanies(vendor.tenant_id)).length > 100);
  t.match(errors, /6 Good Shop: done/, 'progress is printed per tenant');
  t.match(output, /Vendor +Shop/, 'a name cannot change the direction of the line');
  t.match(output, new RegExp(`${wrong.tenant_id}.*failed: credential`));
  const report = err.slice(err.indexOf('4 of 6 tenants failed:'));
  const line = (name: string) => report.find((text) => text.includes(`${name} (`)) ?? '';
  t.match(
    line('Wrong Password'),
    /: credential: BioTrack rejected the username or password: .* \(credentials_rejected, request [\w-]+\)$/,
  );
  t.match(line('Unknown UBI'), /: credential: BioTrack rejected the UBI: .* \(ubi_rejected, /);
  t.match(line('Barred'), /: credential: BioTrack user lacks a privilege: .*sync_vendor.* \(privilege_missing, /);
  t.match(line('Nowhere'), /: tenant: .*\/state is not supported.* \(unknown_state, /);
  t.equal(await count(wrong.tenant_id, 'credentials'), 0, 'a rejected login is not stored');

  const corrected = tenants.map((tenant) => {
    if (tenant === nowhere) return { ...nowhere, state: 'NM' };
    return {
      ...tenant,
      ubi: tenant === vendor ? second.ubi : demo.ubi,
      credential: tenant === vendor ? vendor.credential : good.credential,
    };
  });
  const again = await run(t, ['--file', await saveFile({ defaults: DEFAULTS, tenants: corrected })]);
  t.equal(again.code, 0, again.errors);
  t.equal(await count(good.tenant_id, 'credentials'), 1);
});

t.test('the password for a file can come from a file or the environment', async (t) => {
  const { credential, ...tenant } = tenantInFile('Shop', demo);
  const file = { defaults: DEFAULTS, tenants: [{ ...tenant, credential: { username: credential.username } }] };
  const path = await saveFile(file);
  const without = await run(t, ['--file', path]);
  t.equal(without.code, 2);
  t.match(without.errors, '/tenants/0/credential/password is required');
  const secret = await saveFile(`${demo.password}\n`);
  const given = await run(t, ['--file', path, '--password-file', secret]);
  t.equal(given.code, 0, given.errors);
  const fromEnv = await run(t, ['--file', path], { env: { ...env, BIOTRACK_CONNECT_PASSWORD: demo.password } });
  t.equal(fromEnv.code, 0, fromEnv.errors);
});

t.test('an invalid file: all errors are reported and nothing is changed', async (t) => {
  const id = service.newId();
  const good = { ...tenantInFile('Good', demo), tenant_id: id };
  const path = await saveFile({
    base_url: 'ftp://example.com',
    colour: 'red',
    defaults: { state: 'NM', environment: 'prod', strategy: 'one_per_license', tenant_id: id },
    tenants: [
      good,
      { ...good, name: 'The same id' },
      { ...tenantInFile('x', demo), ubi: 42_517_300, 'a/b~c': 1, strategy: null, licenses: [] },
      { name: ' ', tenant_id: 'one', credential: { username: 7, password: '', pasword: WRONG_PASSWORD } },
      { ...good, tenant_id: service.newId(), credential: WRONG_PASSWORD, include_labs: 'yes', licenses: ['1', 2] },
      'tenant',
    ],
  });
  const { code, err, out } = await run(t, ['--file', path]);
  t.equal(code, 2);
  t.same(out, []);
  const pointers = err.flatMap((line) => /^ {2}(\/\S*)/.exec(line)?.[1] ?? []);
  t.same(
    pointers.sort(),
    [
      '/base_url',
      '/colour',
      '/defaults/environment',
      '/defaults/tenant_id',
      '/tenants/1/tenant_id',
      '/tenants/2/a~1b~0c',
      '/tenants/2/licenses',
      '/tenants/2/strategy',
      '/tenants/2/ubi',
      '/tenants/3/credential/password',
      '/tenants/3/credential/pasword',
      '/tenants/3/credential/username',
      '/tenants/3/name',
      '/tenants/3/tenant_id',
      '/tenants/3/ubi',
      '/tenants/4/credential',
      '/tenants/4/include_labs',
      '/tenants/4/licenses',
      '/tenants/5',
      '/tenants/5/credential/password',
      '/tenants/5/credential/username',
      '/tenants/5/name',
      '/tenants/5/tenant_id',
      '/tenants/5/ubi',
    ].sort(),
  );
  t.match(err.join('\n'), 'must be a string, to keep leading zeros');
  t.equal((await ask('GET', `/v1/tenants/${id}`)).status, 404, 'nothing was changed');

  for (const [content, expected] of [
    [`{"password": ${WRONG_PASSWORD}}`, 'the file is not valid JSON'],
    [`{\n"password":"x" "${WRONG_PASSWORD}"}`, 'the file is not valid JSON (line 2)'],
    ['[]', '(the file) must be an object'],
    ['{}', '/tenants must be an array with at least one tenant'],
  ] as const) {
    const result = await run(t, ['--file', await saveFile(content)]);
    t.equal(result.code, 2);
    t.match(result.errors, expected);
  }
  const absent = await run(t, ['--file', join(folder, 'absent.json')]);
  t.equal(absent.code, 2);
  t.match(absent.errors, 'cannot be read');
});

t.test('invalid flags', async (t) => {
  const cases: readonly [readonly string[], RegExp][] = [
    [['--colour=red'], /^Unknown flag: --colour\./],
    [['-x'], /Unknown flag with a single dash/],
    [['--password', '-x'], /--password needs a value/],
    [['--password'], /--password needs a value/],
    [['--password', 'half', WRONG_PASSWORD], /Unexpected argument/],
    [['--name=a', '--name=b'], /--name must not be repeated/],
    [['--json=yes'], /--json takes no value/],
    [['--concurrency=0'], /--concurrency must be an integer from 1 to 64/],
    [['--wait-seconds=x'], /--wait-seconds must be/],
    [['--file=x', '--ubi=1', '--license=1'], /--ubi cannot be combined with --file.*\n--license cannot/],
    [['--password=x', '--password-file=y'], /--password cannot be combined with --password-file/],
    [['--base-url=example.com'], /--base-url must be a URL/],
    [['--base-url=http://user:secret@example.com'], /--base-url must be a URL/],
    [['--name=Shop'], /--state is required\..*--environment is required\..*--ubi.*--strategy.*--username.*--password/s],
    [flagsOf('x', { strategy: 'both' }), /--tenant must be a UUID.*--strategy must be one of/s],
  ];
  for (const [args, expected] of cases) {
    const { code, errors, out } = await run(t, args);
    t.equal(code, 2, args.join(' ').replace(WRONG_PASSWORD, '…'));
    t.match(errors, expected);
    t.same(out, []);
  }
  const keyless = await run(t, flagsOf(service.newId()), { env: { BIOTRACK_CONNECT_URL: baseUrl } });
  t.equal(keyless.code, 2);
  t.match(keyless.errors, '--api-key or BIOTRACK_CONNECT_API_KEY is required');
  const placeless = await run(t, flagsOf(service.newId()), { env: {} });
  t.equal(placeless.code, 2);
  t.match(placeless.errors, '--base-url or BIOTRACK_CONNECT_URL is required');
});

t.test('without flags: the demo tenant of local mode', async (t) => {
  const nothing = await run(t, [], { env: {}, dataDir: folder });
  t.equal(nothing.code, 1);
  t.match(nothing.errors, /Local mode is not running: .* "npm start"/);

  const tenantId = service.newId();
  const local = {
    base_url: baseUrl,
    operator_api_key: operatorKey,
    demo: { tenant_id: tenantId, state: 'NM', environment: 'production', ...demo },
  };
  const dataDir = t.testdir({ 'local.json': JSON.stringify(local) });
  // The key and the password belong to another service and are not used.
  const elsewhere = { BIOTRACK_CONNECT_API_KEY: 'btk_other', BIOTRACK_CONNECT_PASSWORD: WRONG_PASSWORD };
  const { code, output, errors } = await run(t, [], { env: elsewhere, dataDir });
  t.equal(code, 0, errors);
  t.match(output, new RegExp(`Demo.*${tenantId}.*one_per_license`));

  const another = await run(t, ['--name=Second Shop', '--strategy=one_per_vendor'], { env: {}, dataDir });
  t.equal(another.code, 0, another.errors);
  const made = /Creating tenant (\S+)\./.exec(another.errors)?.[1] ?? '';
  t.match(made, /^[0-9a-f]{8}-[0-9a-f]{4}-7/, 'a version 7 UUID');
  t.ok((await listCompanies(made)).length > 100);

  const switched = await run(t, ['--strategy=one_per_vendor'], { env: {}, dataDir });
  t.equal(switched.code, 1, 'the strategy of a synced tenant is not switched');
  t.match(switched.errors, /preference: .* \(preview_required, request .*\)\n.*Use the strategy that the tenant has/);

  const stopped = { ...local, base_url: `http://127.0.0.1:${await pickPort()}` };
  const stopDir = t.testdir({ 'local.json': JSON.stringify(stopped) });
  const away = await run(t, [], { env: {}, dataDir: stopDir });
  t.equal(away.code, 1);
  t.match(away.errors, /cannot be reached: connection refused \(unreachable\)\nStart local mode with "npm start"/);
  const broken = t.testdir({ 'local.json': '{"base_url": 1}' });
  t.equal((await run(t, [], { env: {}, dataDir: broken })).code, 1);
});

t.test('a service that is not running, is another one, or rejects the key', async (t) => {
  const url = `http://127.0.0.1:${await pickPort()}`;
  const tenantId = service.newId();
  const away = await run(t, [...flagsOf(tenantId), '--base-url', url]);
  t.equal(away.code, 1);
  t.equal(away.err.length, 2, 'one line and advice');
  t.match(away.err[0], `The service at ${url} cannot be reached: connection refused (unreachable)`);
  const asJson = await run(t, [...flagsOf(tenantId), '--base-url', url, '--json']);
  t.equal(asJson.code, 1);
  t.match(JSON.parse(asJson.output), {
    tenant_id: tenantId,
    status: 'failed',
    failure: { step: 'connect', code: 'unreachable', status: null },
  });
  const stranger = await run(t, [...flagsOf(tenantId), '--api-key', 'btk_unknown']);
  t.equal(stranger.code, 1);
  t.match(stranger.errors, /\(unauthenticated, request .*\)\nCheck that the API key/);
  const keyWithBreak = await run(t, [...flagsOf(tenantId), '--api-key', 'btk\nx']);
  t.equal(keyWithBreak.code, 2);
  const other = await run(t, [...flagsOf(tenantId), '--base-url', simulator.url]);
  t.equal(other.code, 1);
  t.match(other.errors, /Response is not from biotrack-connect: HTTP \d+\..*\(unexpected_response/);
  for (const [status, headers, content] of [
    [200, {}, '<html>'],
    [307, { location: `${baseUrl}/v1/states` }, ''],
  ] as const) {
    const html = await startProxy(baseUrl, (_passing, response) => {
      response.writeHead(status, headers).end(content);
      return true;
    });
    const answer = await run(t, [...flagsOf(tenantId), '--base-url', html.url]);
    await html.close();
    t.equal(answer.code, 1);
    t.match(answer.errors, 'unexpected_response');
  }
});

function refuse(response: ServerResponse, status: number, headers: OutgoingHttpHeaders, body: unknown): true {
  response.writeHead(status, { ...headers, 'content-type': 'application/problem+json' });
  response.end(JSON.stringify(body));
  return true;
}

t.test('temporary errors, broken connections, lost responses and races are survived', async (t) => {
  const spoilt = new Map<string, number>();
  const tenantId = service.newId();
  const once = (what: string): boolean => {
    spoilt.set(what, (spoilt.get(what) ?? 0) + 1);
    return spoilt.get(what) === 1;
  };
  const proxy = await startProxy(baseUrl, ({ method, path }, response, forwardRequest) => {
    const request = `${method} ${path.slice(path.indexOf(tenantId) + tenantId.length)}`;
    if (request === 'PUT /ubi' && once('throttled')) {
      return refuse(
        response,
        429,
        { 'retry-after': '1' },
        { code: 'throttled', title: 'Too many', detail: 'Wait.', request_id: 'r' },
      );
    }
    if (request === 'GET /setup' && once('busy')) {
      return refuse(response, 503, { 'retry-after': new Date().toUTCString() }, 'busy');
    }
    if (request === 'POST /licenses' && once('in flight')) {
      return refuse(response, 409, {}, { code: 'idempotency_in_progress', title: 'Busy', detail: 'Wait.' });
    }
    if (request.startsWith('GET /companies') && once('broken')) return response.destroy().destroyed;
    // The service does it, and the answer is lost.
    for (const lost of ['PUT ', 'PUT /company-creation-preference', 'POST /credentials', 'POST /syncs']) {
      if (request !== lost || !once(lost)) continue;
      return loseResponse(forwardRequest, response);
    }
    return false;
  });
  const { code, errors } = await run(t, [...flagsOf(tenantId), '--base-url', proxy.url]);
  await proxy.close();
  t.equal(code, 0, errors);
  t.match(errors, /Shop: ubi: retrying in 1.0 s: Too many/, 'the retry is shown');
  t.equal(await count(tenantId, 'credentials'), 1);
  t.ok((await listCompanies(tenantId)).length > 100);
  const posts = proxy.requests.filter(({ method }) => method === 'POST');
  const keys = posts.map(({ headers }) => headers['idempotency-key']);
  t.ok(
    keys.every((key) => /^[0-9a-f-]{36}$/.test(String(key))),
    'every POST has a key',
  );
  const licensePosts = posts.filter(({ path }) => path.endsWith('/licenses'));
  t.equal(
    licensePosts[0]?.headers['idempotency-key'],
    licensePosts[1]?.headers['idempotency-key'],
    'a retry has the same key',
  );
  t.not(
    licensePosts[1]?.headers['idempotency-key'],
    licensePosts[2]?.headers['idempotency-key'],
    'another request has another key',
  );
});

t.test('retries are limited by --wait-seconds', async (t) => {
  const proxy = await startProxy(baseUrl, ({ path }, response) => {
    if (!path.endsWith('/ubi')) return false;
    return refuse(
      response,
      503,
      { 'retry-after': '30' },
      { code: 'upstream_unavailable', title: 'Away', detail: 'Later.' },
    );
  });
  const { code, errors } = await run(t, [...flagsOf(service.newId()), '--base-url', proxy.url, '--wait-seconds=2']);
  await proxy.close();
  t.equal(code, 1);
  t.match(errors, /Shop .*: ubi: Away: Later\. \(upstream_unavailable\)/);
});

t.test('a sync that does not succeed', async (t) => {
  const tenantId = await makeTenant(service);
  const done = await syncTenant(service, tenantId);
  const path = `/v1/tenants/${tenantId}/syncs`;
  /** The runs that the list returns, one per request; afterwards the real list. */
  let lists: object[] = [];
  const proxy = await startProxy(baseUrl, (passing, response) => {
    if (passing.method !== 'GET' || !passing.path.startsWith(path) || lists.length === 0) return false;
    // Events are real; the command fetches the run anyway.
    if (passing.path.endsWith('/events')) return false;
    const run = { ...done, ...(lists.length > 1 ? lists.shift() : lists[0]) };
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(passing.path === path ? { data: [run], next_page: null } : run));
    return true;
  });
  const runWith = (runs: object[], ...more: string[]) => {
    lists = runs;
    return run(t, [...flagsOf(tenantId), '--base-url', proxy.url, ...more]);
  };
  const detail = 'BioTrack sent no list.';
  const reason_message = { code: 'list_empty', params: {}, text: detail };
  const failed = await runWith([{}, { id: 'other', status: 'failed', reason: 'list_empty', reason_message }]);
  t.equal(failed.code, 1);
  t.match(failed.errors, `: sync: Sync ended with status failed: ${detail} [run other] (list_empty)`);
  const review = await runWith([{ status: 'needs_review', reason: 'list_shrunk' }]);
  t.equal(review.code, 1);
  t.match(review.errors, /: sync: Sync needs review: .* \(list_shrunk\)/);
  const late = await runWith([{ status: 'running', retry_datetime: '2026-11-24T08:15:30.000Z' }], '--wait-seconds=1');
  t.equal(late.code, 1);
  t.match(late.errors, /: sync: Sync did not finish in time: .* its next attempt is at 2026-11.* \(still_running\)/);
  const replaced = await runWith([
    { status: 'running' },
    { status: 'running' },
    { status: 'superseded' },
    { id: 'next' },
  ]);
  t.equal(replaced.code, 0, replaced.errors);
  await proxy.close();
});

/** Lets tests hold runs before planning. Called once, because concurrent `create or replace function` fails. */
async function placeHold(): Promise<void> {
  await service.sql(`create function hold() returns trigger language plpgsql as $$ begin
    if new.step = 'planning' then perform pg_advisory_xact_lock(hashtext(new.tenant_id::text)); end if;
    return new; end $$`);
  await service.sql('create trigger hold before update on sync_runs for each row execute function hold()');
}

/** Holds a tenant's next run. */
async function holdRun(tenantId: string): Promise<() => Promise<void>> {
  const holder = new pg.Client({ connectionString: service.databaseUrl });
  await holder.connect();
  await holder.query('select pg_advisory_lock(hashtext($1))', [tenantId]);
  return () => holder.end();
}

interface Followed {
  /** How often the run was fetched, and the requests for its events. */
  readonly asked: number;
  readonly listened: readonly ProxiedRequest[];
}

/**
 * Follows a sync of a tenant through a proxy that meddles with the events.
 * @param isEnough when true, the held sync may continue
 */
async function followHeldSync(
  t: Test,
  tenantId: string,
  meddle: Meddle,
  isEnough: (followed: Followed) => boolean,
): Promise<Followed> {
  const release = await holdRun(tenantId);
  const path = `/v1/tenants/${tenantId}/syncs`;
  const { id } = (await ask('POST', path, { body: { refresh: 'force' } })).body;
  let released: Promise<void> | undefined;
  const look = (): Followed => ({
    asked: proxy.requests.filter((passing) => passing.path === `${path}/${id}`).length,
    listened: proxy.requests.filter((passing) => passing.path === `${path}/${id}/events`),
  });
  const proxy = await startProxy(baseUrl, (passing, response, forwardRequest) => {
    const isTaken = passing.path === `${path}/${id}/events` && meddle(passing, response, forwardRequest);
    if (isEnough(look())) released ??= release();
    return isTaken;
  });
  const { code, errors } = await run(t, [...flagsOf(tenantId), '--base-url', proxy.url, '--wait-seconds=60']);
  await proxy.close();
  await (released ?? release());
  t.equal(code, 0, errors);
  t.match(errors, /Shop: sync: fetching/);
  return look();
}

t.test('a sync is followed through its events', { timeout: 180_000 }, async (t) => {
  const [tenantId, other] = [service.newId(), service.newId()];
  for (const each of [tenantId, other]) t.equal((await run(t, flagsOf(each))).code, 0);
  await placeHold();

  // A proxy buffers all events. Detecting this takes a while, so it runs in parallel with the rest.
  const open = new Set<ServerResponse>();
  const keep: Meddle = (_passing, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
    open.add(response);
    response.once('close', () => open.delete(response));
    return true;
  };
  const finding = followHeldSync(t, other, keep, ({ listened }) => listened.length === 1);

  const followed = await followHeldSync(
    t,
    tenantId,
    () => false,
    ({ listened }) => listened.length === 1,
  );
  t.equal(followed.listened.length, 1);
  t.equal(followed.asked, 1, 'the run is fetched once, after its end');

  const cutOnce: Meddle = ({ headers }, response, forwardRequest) =>
    headers['last-event-id'] === undefined && cutAfterFirst(forwardRequest, response);
  const cut = await followHeldSync(t, tenantId, cutOnce, ({ listened }) => listened.length === 2);
  const [first, second] = cut.listened.map(({ headers }) => headers['last-event-id']);
  t.equal(cut.listened.length, 2, 'a broken stream is resumed');
  t.equal(first, undefined);
  t.match(second, /^[\w-]{16}$/, 'after the last event');
  t.equal(cut.asked, 2);

  const full: Meddle = (_passing, response) => refuse(response, 503, {}, { code: 'streams_exhausted' });
  const refused = await followHeldSync(t, tenantId, full, ({ asked }) => asked === 4);
  t.equal(refused.listened.length, 1, 'a missing stream is not requested again');

  for (const body of ['id: 1\nevent: progress\ndata: {{\n\n', '']) {
    const talkNonsense: Meddle = (_passing, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).end(body);
      return true;
    };
    const strange = await followHeldSync(t, tenantId, talkNonsense, ({ asked }) => asked === 4);
    t.ok(strange.asked >= 4, `${JSON.stringify(body)} is ignored`);
  }

  const silent = await finding;
  t.equal(silent.listened.length, 1);
  t.equal(silent.asked, 1, 'the run had ended meanwhile');
  t.equal(open.size, 0, 'the connection is closed');
});

t.test('a sync that failed is started again', async (t) => {
  const user = { ubi: demo.ubi, username: 'barred-for-now@example.com', password: demo.password };
  simulator.control.addUser(user);
  const tenantId = await makeTenant(service, 'preference');
  const path = `/v1/tenants/${tenantId}`;
  const body = { description: 'office', username: user.username, password: user.password, owner: 'company' };
  t.equal((await ask('POST', `${path}/credentials`, { body })).status, 201);
  simulator.control.setPrivileges({ ...user, privileges: [] });
  const failed = await syncTenant(service, tenantId, { refresh: 'force' });
  t.match(failed, { status: 'failed', reason: 'privilege_missing' });
  const still = await run(t, flagsOf(tenantId, { username: user.username }));
  t.equal(still.code, 1);
  t.match(still.errors, /: credential: .* \(privilege_missing, request /);
  simulator.control.setPrivileges({ ...user, privileges: [...PRIVILEGES] });
  const retried = await run(t, flagsOf(tenantId, { username: user.username }));
  t.equal(retried.code, 0, retried.errors);
  t.ok((await listCompanies(tenantId)).length > 100);
});

t.test('--json', async (t) => {
  const good = tenantInFile('Good', demo);
  const bad = tenantInFile('Bad', { ...demo, password: WRONG_PASSWORD });
  const path = await saveFile({ base_url: baseUrl, defaults: DEFAULTS, tenants: [good, bad] });
  const { code, out } = await run(t, ['--file', path, '--json'], { env: { BIOTRACK_CONNECT_API_KEY: operatorKey } });
  t.equal(code, 1);
  const lines = out.map((line) => JSON.parse(line));
  t.equal(lines.length, 2, 'one line per tenant and nothing else');
  const companies = await listCompanies(good.tenant_id);
  t.match(
    lines.find(({ tenant_id }) => tenant_id === good.tenant_id),
    {
      name: 'Good',
      status: 'done',
      companies: companies.length,
      strategy: 'one_per_license',
      run: { status: /^succeeded/ },
    },
  );
  t.match(
    lines.find(({ tenant_id }) => tenant_id === bad.tenant_id),
    { status: 'failed', failure: { step: 'credential', code: 'credentials_rejected', status: 422, request_id: /./ } },
  );
});

t.test('in a terminal: progress bars and a password prompt', async (t) => {
  const tenantId = service.newId();
  const args = flagsOf(tenantId).filter((flag) => !flag.startsWith('--password'));
  const { code, drawn, errors } = await run(t, args, { typed: demo.password });
  t.equal(code, 0, errors);
  t.match(drawn(), `BioTrack password for ${demo.username} (Shop): `);
  t.match(drawn(), /Shop +\[#*-*\] \d+% /, 'a bar is drawn');
  t.notMatch(errors, 'Shop: ubi', 'instead of lines');

  const silent = await run(t, args, { typed: '' });
  t.equal(silent.code, 2, 'an empty password is reported as missing');
  t.match(silent.errors, '--password is required');

  const wrong = tenantInFile('Wrong', { ...demo, password: WRONG_PASSWORD });
  const path = await saveFile({
    defaults: DEFAULTS,
    tenants: [{ ...tenantInFile('Shop', demo), tenant_id: tenantId }, wrong],
  });
  const many = await run(t, ['--file', path], { typed: '' });
  t.equal(many.code, 1);
  t.match(many.drawn(), /all tenants +\[#*-*\] \d+% \d\/2/);
  t.match(many.drawn(), /Wrong \(.*\): credential: BioTrack rejected/, 'a failure stays visible above the bars');

  const quiet = await run(t, [...flagsOf(tenantId), '--no-progress'], { typed: '' });
  t.equal(quiet.drawn(), '');
});

t.test('--help', async (t) => {
  for (const args of [['--help'], ['-h', '--nonsense']]) {
    // Not with run(): the help shows the demo password.
    const terminal = recordTerminal();
    t.equal(await onboard(args, terminal), 0);
    const output = terminal.out.join('\n');
    const example = output.slice(output.indexOf('\n  {'), output.indexOf('\n\n  Required for each tenant'));
    t.equal(JSON.parse(example).tenants.length, 1, 'the example file is valid');
    for (const flag of ['--base-url', '--concurrency', '--wait-seconds', '--json', '--file']) t.match(output, flag);
  }
});

t.test('as a separate process', async (t) => {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const start = (file: string, args: readonly string[], more: Record<string, string> = {}) =>
    new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
      // Not our environment: the test runner would load itself into the child.
      const options = { cwd: root, env: { PATH: process.env.PATH ?? '', ...more }, timeout: 300_000 };
      execFile(process.execPath, [file, ...args], options, (error, stdout, stderr) => {
        resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : 99, stdout, stderr });
      });
    });
  t.ok(buildDist(), 'dist is built');
  const tenantId = service.newId();
  const flags = flagsOf(tenantId).filter((flag) => !flag.startsWith('--password'));
  const more = { ...env, BIOTRACK_CONNECT_PASSWORD: demo.password };
  const { code, stdout, stderr } = await start('dist/main.js', ['onboard', ...flags], more);
  t.equal(code, 0, stderr);
  t.match(stdout, tenantId);
  t.ok((await listCompanies(tenantId)).length > 100);
  t.equal((await start('dist/main.js', ['onboard', '--nonsense'])).code, 2);
  const nowhere = await start('dist/main.js', ['onboard'], { DATA_DIR: join(folder, 'none') });
  t.equal(nowhere.code, 1);
  t.match(nowhere.stderr, 'npm start');
});
