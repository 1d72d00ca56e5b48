import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import pg from 'pg';
import t, { type Test } from 'tap';
import { runSimulatorCommand, startSimulator } from '../../src/simulator/index.js';
import { pickPort } from '../helpers/free-port.js';
import { createTestDatabase } from '../helpers/postgres.js';
import { HAS_SHELL, MAIN, parseAnswers, ROOT, readSession, runSession, toShape } from '../helpers/sessions.js';
import { until } from '../helpers/until.js';

/** The commands of the documents, pasted into a shell. */

const options = HAS_SHELL ? {} : { skip: 'bash and curl are not on this machine' };

/** In this order: the API guide uses the tenant that the README sets up. */
const LOCAL_MODE_DOCUMENTS = ['README.md', 'docs/onboarding.md', 'docs/api-guide.md'];

t.test('README, onboarding and API guide, in local mode', options, async (t) => {
  const folder = await makeFolder(t);
  await startLocalMode(t, join(folder, '.data'));
  for (const path of LOCAL_MODE_DOCUMENTS) {
    const steps = await readSession(path);
    const commands = steps.map(({ command }) => waitForSync(command));
    const { code, output, printed } = await runSession(commands, { folder, variables: {} });
    t.equal(code, 0, `${path}: every command succeeds`, { output });
    for (const [index, { command, documented }] of steps.entries()) {
      if (documented.length === 0) continue;
      const answers = parseAnswers(printed[index] ?? '');
      t.equal(answers.length, documented.length, `${path}: as many answers as documented`, { command });
      for (const [at, expected] of documented.entries()) {
        const shape = toShape(expected, answers[at]);
        t.strictSame(shape.answer, shape.documented, `${path}: the answer has the documented fields`, { command });
      }
    }
    t.ok(
      steps.some(({ documented }) => documented.length > 0),
      `${path} shows answers`,
    );
    if (path === 'docs/onboarding.md') t.match(output, /"status": "succeeded"/, 'the sync has succeeded');
  }
});

/** The sync takes a moment; a reader needs longer. */
const waitForSync = (command: string): string =>
  command.replace(
    /^ask "\$B\/v1\/tenants\/\$T\/syncs"$/m,
    (read) => `for i in $(seq 60); do ${read} | grep -q 'finished_datetime.*Z' && break; sleep 1; done\n${read}`,
  );

async function startLocalMode(t: Test, dataDir: string): Promise<void> {
  // Without tap's variables, which would make the service report to tap.
  const env = { PATH: process.env.PATH ?? '', DATA_DIR: dataDir, PORT: '0', METRICS_PORT: '0' };
  const service = spawn(process.execPath, [MAIN], { env });
  const exited = once(service, 'exit');
  t.teardown(async () => {
    service.kill();
    await exited;
  });
  let output = '';
  for (const stream of [service.stdout, service.stderr])
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  await until('the service has started', async () => {
    if (service.exitCode !== null) throw new Error(`the service ended: ${output}`);
    return output.includes('Ctrl-C');
  });
}

const DATABASE_URL = `'postgres://biotrack@db.internal/biotrack?sslmode=verify-full'`;
const START = 'NODE_ENV=production npm start';

t.test('operations guide, on an empty database', options, async (t) => {
  const folder = await makeFolder(t);
  const databaseUrl = await createEmptyDatabase(t);
  const steps = await readSession('docs/operations.md');
  const port = await pickPort();
  // The service runs until the session is over.
  const startInBackground = [
    `{ ${START} > service.log 2>&1 & }`,
    'service=$!',
    `trap 'kill "$service"; wait "$service"' EXIT`,
    `for i in $(seq 100); do curl -sf "http://127.0.0.1:${port}/readyz" && break; sleep 0.3; done`,
    `curl -sf "http://127.0.0.1:${port}/readyz"`,
  ].join('\n');
  const text = steps.map(({ command }) => command).join('\n');
  t.ok(text.includes(DATABASE_URL) && text.includes(START), 'the commands that this test replaces are there');
  const { code, output, printed } = await runSession(
    steps.map(({ command }) => command.replace(DATABASE_URL, databaseUrl).replace(START, startInBackground)),
    {
      folder,
      variables: { BIOTRACK_STATES_FILE: await writeStatesFile(t, folder), PORT: String(port), METRICS_PORT: '0' },
    },
  );
  t.equal(code, 0, 'every command succeeds', { output });
  t.match(printed[0], /^btk_/m, 'the API key is printed');
  t.match(printed[0], /"status":"ok"/, 'the service is ready');
  t.match(printed[1], /2027-01/, 'the new key is in the keyset');
});

t.test('simulator', options, async (t) => {
  const folder = await makeFolder(t);
  const [start, ...steps] = await readSession('src/simulator/README.md');
  for (const command of (start?.command ?? '').split('\n')) {
    const args = /^npm run simulator -- (.*)$/.exec(command)?.[1]?.split(' ') ?? [];
    // Any free port, because others may use these.
    const free = args.map((argument) => argument.replace(/^404\d$/, '0'));
    const simulator = await runSimulatorCommand(free, { print: () => {} });
    await simulator?.close();
    t.equal(simulator === undefined, args.includes('--help'), command);
  }
  const simulator = await startSimulator({ state: 'nm' });
  t.teardown(() => simulator.close());
  const { code, output, printed } = await runSession(
    steps.map(({ command }) =>
      command.replace('http://127.0.0.1:4040', simulator.url).replace('http://127.0.0.1:4041', simulator.controlUrl),
    ),
    { folder, variables: {} },
  );
  t.equal(code, 0, 'every command succeeds', { output });
  t.notMatch(output, /"error"/i, 'no command is rejected');
  t.match(printed[0], /"sessionid"/, 'the login succeeds');
  t.match(printed[1], /"transactionId":\d+/, 'the list was changed');
});

t.test('CONTRIBUTING, in the repository', options, async (t) => {
  const steps = await readSession('CONTRIBUTING.md');
  const { code, output, printed } = await runSession(
    steps.map(({ command }) => command),
    { folder: ROOT, variables: { HOME: process.env.HOME ?? '' } },
  );
  t.equal(code, 0, 'every command succeeds', { output });
  t.match(printed[0], /^ok +test\/mapping\/yielding\.test\.ts/m, 'the file is run');
  t.notMatch(printed[0], /rows\.test\.ts/, 'and no other');
  t.match(printed[1], /TEST_SEED=42/, 'the seed is used');
});

/** A state whose BioTrack accepts connections and nothing else, which is all that the doctor tries. */
async function writeStatesFile(t: Test, folder: string): Promise<string> {
  const biotrack = createServer().listen(0, '127.0.0.1');
  await once(biotrack, 'listening');
  t.teardown(() => biotrack.close());
  const { port } = biotrack.address() as { port: number };
  const path = join(folder, 'states.json');
  const production = { dialect: 'api4', url: `http://127.0.0.1:${port}` };
  await writeFile(path, JSON.stringify({ NM: { environments: { production } } }));
  return path;
}

async function createEmptyDatabase(t: Test): Promise<string> {
  const other = await createTestDatabase();
  const url = new URL(other.url);
  const name = `${url.pathname.slice(1)}_empty`;
  url.pathname = `/${name}`;
  const execute = async (sql: string): Promise<void> => {
    const session = new pg.Client({ connectionString: other.url });
    await session.connect();
    await session.query(sql);
    await session.end();
  };
  await execute(`create database ${name}`);
  t.teardown(async () => {
    await execute(`drop database ${name} with (force)`);
    await other.drop();
  });
  return url.href;
}

async function makeFolder(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'documents-test-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
