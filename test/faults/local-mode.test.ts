import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import type { LocalFile } from '../../src/local/index.js';
import { buildDist } from '../helpers/build-dist.js';
import type { Ask, TestResponse } from '../helpers/service.js';
import { FIRST_PUT, sendRequest, waitForRun } from '../helpers/service.js';
import { PATIENCE_MS } from '../helpers/until.js';

/** Local mode in a child process, as `npm start` runs it. */

const MAIN = buildDist();
const READY_WITHIN_MS = PATIENCE_MS;

interface Child {
  readonly process: ChildProcess;
  readonly output: () => string;
}

/** With its own environment: tap's variables would make the child report to tap. */
function run(environment: Readonly<Record<string, string>>, args: readonly string[] = []): Child {
  const child = spawn(process.execPath, [MAIN, ...args], { env: { PATH: process.env.PATH ?? '', ...environment } });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  return { process: child, output: () => output };
}

interface Started extends Child {
  readonly local: LocalFile;
  ask(method: string, path: string, ask?: Ask): Promise<TestResponse>;
}

async function start(t: Test, dataDir: string): Promise<Started> {
  const child = run({ DATA_DIR: dataDir, PORT: '0' });
  t.teardown(() => end(child));
  const deadline = Date.now() + READY_WITHIN_MS;
  while (!child.output().includes('Press Ctrl-C to stop')) {
    if (child.process.exitCode !== null || Date.now() > deadline)
      throw new Error(`it did not start: ${child.output()}`);
    await delay(50);
  }
  const local = JSON.parse(await readFile(join(dataDir, 'local.json'), 'utf8')) as LocalFile;
  return {
    ...child,
    local,
    ask: (method, path, ask = {}) => sendRequest(local.base_url, local.operator_api_key, method, path, ask),
  };
}

async function end({ process: child }: Child, signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  child.kill(signal);
  await once(child, 'exit');
  return child.exitCode;
}

async function makeFolder(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'local-mode-test-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Sets up a tenant with the calls of the onboarding guide. */
async function onboard(
  t: Test,
  { ask, local }: Started,
  tenantId: string,
  strategy: string,
): Promise<TestResponse['body']> {
  const path = `/v1/tenants/${tenantId}`;
  const { ubi, username, password } = local.demo;
  const put = async (sub: string, body: unknown): Promise<void> => {
    t.equal((await ask('PUT', `${path}/${sub}`, { headers: FIRST_PUT, body })).status, 201, `${strategy}: PUT ${sub}`);
  };
  await put('ubi', { ubi });
  await put('company-creation-preference', { strategy });
  const credential = { description: 'office', username, password, owner: 'company' };
  t.equal(
    (await ask('POST', `${path}/credentials`, { body: credential })).status,
    201,
    `${strategy}: the login is saved`,
  );
  const available = await ask('GET', `${path}/available-licenses`);
  t.ok(available.body.data.length >= 3, `${strategy}: the demo vendor has several licenses`);
  const [first] = available.body.data;
  const license = await ask('POST', `${path}/licenses`, { body: { license_number: first.license_number } });
  t.equal(license.status, 201, `${strategy}: the license is created`);
  const { body: runs } = await ask('GET', `${path}/syncs`);
  t.equal(runs.data[0]?.trigger, 'setup_completed', `${strategy}: the first license starts the first sync`);
  return waitForRun({ ask }, tenantId, runs.data[0].id);
}

t.test('local mode starts in an empty folder and survives kill -9', async (t) => {
  const dataDir = await makeFolder(t);
  const first = await start(t, dataDir);
  const { local } = first;

  t.match(first.output(), local.operator_api_key, 'the banner shows the key');
  t.match(first.output(), local.docs_url, 'the banner shows the docs page');
  t.equal(
    (await stat(join(dataDir, 'local.json'))).mode & 0o777,
    0o600,
    'only the owner can read the file with the key',
  );
  t.equal((await fetch(local.docs_url)).status, 200, 'the docs page answers');
  t.match(first.output(), local.page_url ?? 'no page', 'the banner shows the example page');
  t.equal((await fetch(local.page_url ?? '')).status, 200, 'the example page is served');
  const sameOrigin = { headers: { 'sec-fetch-site': 'same-origin' } };
  const { token } = (await (await fetch(`${local.page_url}token?as=user`, sameOrigin)).json()) as { token: string };
  const me = await first.ask('GET', '/v1/me', { key: token });
  t.match(me.body, { role: 'user', tenant_id: local.demo.tenant_id }, 'the service accepts the token of its user');
  t.equal((await first.ask('GET', '/openapi/v1.json')).body.openapi, '3.1.0', 'the OpenAPI document is served');

  const run = await onboard(t, first, local.demo.tenant_id, 'one_per_vendor');
  t.match(run.status, /^succeeded/, 'the first sync succeeds');
  const { fetched, used, filtered, duplicate, skipped } = run.rows;
  t.ok(fetched >= 2_000, `the state has ${fetched} rows`);
  t.equal(used + filtered + duplicate + skipped, fetched, 'the counts of the rows add up');
  t.ok(run.counts.created > 1_100 && run.counts.created < 1_400, `${run.counts.created} vendors became companies`);
  const chain = await first.ask('GET', `/v1/tenants/${local.demo.tenant_id}/companies?name=CHAIN&licenses=all`);
  const sizes = chain.body.data.map(({ licenses }: { licenses: unknown[] }) => licenses.length);
  t.ok(
    sizes.some((size: number) => size >= 16),
    'the chain is one company with its licenses',
  );

  const second = '0193a4c0-7d3e-7cc2-9f51-3f2d6f1f8a11';
  const tenant = { name: 'Second', state: local.demo.state, environment: local.demo.environment };
  await first.ask('PUT', `/v1/tenants/${second}`, { headers: FIRST_PUT, body: tenant });
  const other = await onboard(t, first, second, 'one_per_license');
  t.equal(other.counts.created, other.rows.used, 'one_per_license creates one company per license');

  await end(first, 'SIGKILL');
  const again = await start(t, dataDir);
  t.equal(again.local.operator_api_key, local.operator_api_key, 'after kill -9 the key is the same');
  t.same(again.local.demo, local.demo, 'the demo tenant is the same');
  const { body: credentials } = await again.ask('GET', `/v1/tenants/${second}/credentials`);
  const verified = await again.ask('POST', `/v1/tenants/${second}/credentials/${credentials.data[0].id}/verify`);
  t.equal(verified.body.result, 'valid', 'a password sealed before the restart still works');
  const { body: started } = await again.ask('POST', `/v1/tenants/${second}/syncs`, { body: { refresh: 'force' } });
  const repeated = await waitForRun(again, second, started.id);
  t.match(repeated.status, /^succeeded/, 'a sync over the old data succeeds');
  t.equal(repeated.counts.created, 0, 'it creates nothing');

  t.equal(await end(again), 0, 'SIGTERM ends it with exit code 0');
});

t.test('a second start with the same folder fails and does no harm', async (t) => {
  const dataDir = await makeFolder(t);
  const first = await start(t, dataDir);
  const second = run({ DATA_DIR: dataDir, PORT: '0' });
  const [code] = await once(second.process, 'exit');
  t.not(code, 0);
  t.match(second.output(), /in use|already/i, second.output());
  t.notMatch(second.output(), /\n\s+at /, 'without a stack trace');
  t.equal((await first.ask('GET', '/readyz')).status, 200, 'the first process still works');
});

t.test('an invalid environment stops the start and is reported without its value', async (t) => {
  const folder = await makeFolder(t);
  const keyset = join(folder, 'keyset.json');
  await writeFile(keyset, '{"keys":[{"id":"a","key":"c2hvcnQ="}]}');
  const states = join(folder, 'states.json');
  await writeFile(states, '{"NM":{"environments":{"production":{"dialect":"api5","url":"https://secret.example"}}}}');
  const database = { DATABASE_URL: 'postgres://u:hunter2@127.0.0.1:1/none' };
  const cases: [string, Readonly<Record<string, string>>][] = [
    ['DATABASE_URL is required', { NODE_ENV: 'production' }],
    ['DATABASE_URL is required', { ROLE: 'worker' }],
    ['DATABASE_URL must be', { DATABASE_URL: 'mysql://u:hunter2@localhost/x' }],
    ['VAULT_KEYSET_FILE is required', database],
    ['VAULT_KEYSET_FILE: the file cannot be read', { ...database, VAULT_KEYSET_FILE: join(folder, 'hunter2') }],
    ['VAULT_KEYSET_FILE: /keys/0/key', { ...database, VAULT_KEYSET_FILE: keyset }],
    [
      'BIOTRACK_STATES_FILE: .*/NM/environments/production/dialect',
      { ...database, VAULT_KEYSET_FILE: await goodKeyset(folder), BIOTRACK_STATES_FILE: states },
    ],
    ['PORT must be', { PORT: 'hunter2' }],
    ['ROLE must be', { ROLE: 'hunter2' }],
    ['LOG_LEVEL must be', { LOG_LEVEL: 'hunter2' }],
    ['DIRECTORY_MAX_AGE_SECONDS must be', { DIRECTORY_MAX_AGE_SECONDS: '-1' }],
  ];
  for (const [expected, environment] of cases) {
    const child = run({ DATA_DIR: join(folder, 'data'), ...environment });
    const start = performance.now();
    const [code] = await once(child.process, 'exit');
    t.equal(code, 1, expected);
    t.match(child.output(), new RegExp(expected));
    t.notMatch(child.output(), /hunter2|secret\.example/, 'never the value');
    t.ok(performance.now() - start < PATIENCE_MS, 'at once');
  }
});

async function goodKeyset(folder: string): Promise<string> {
  const path = join(folder, 'good-keyset.json');
  await writeFile(path, JSON.stringify({ keys: [{ id: 'a', key: Buffer.alloc(32, 7).toString('base64') }] }));
  return path;
}

t.test('an unknown command prints the usage', async (t) => {
  const child = run({}, ['dance']);
  const [code] = await once(child.process, 'exit');
  t.equal(code, 2);
  t.match(child.output(), /Usage:/);
});
