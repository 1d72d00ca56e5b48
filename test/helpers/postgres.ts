import { createHash, randomUUID } from 'node:crypto';
import { access, chmod, constants, mkdtemp, readdir, readFile, rm, statfs } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import pg from 'pg';
import { migrate } from '../../src/db/migrate.js';
import { startEmbeddedPostgres } from '../../src/local/postgres.js';

/** The variable with the URL of the runner's server. */
export const TEST_DATABASE_URL = 'TEST_DATABASE_URL';

const MIGRATIONS = new URL('../../migrations/', import.meta.url);
/** Keeps test files that start together from making the template twice. */
const TEMPLATE_LOCK = 7_316_004_882_900;

export interface TestServer {
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

export interface TestDatabase {
  readonly url: string;
  drop(): Promise<void>;
}

/**
 * A server that never waits for the disk, since its data need not survive a crash of the machine. After a crash of its own
 * it recovers everything that was committed, as any server does.
 */
export async function startTestServer(): Promise<TestServer> {
  const dataDir = await mkdtemp(join(await findFastFolder(), 'biotrack-connect-test-'));
  // Postgres may run as another user, which must be able to enter.
  await chmod(dataDir, 0o711);
  const remove = (): Promise<void> => rm(dataDir, { recursive: true, force: true });
  try {
    const server = await startEmbeddedPostgres({
      dataDir,
      settings: { fsync: 'off', full_page_writes: 'off', max_connections: '300' },
    });
    return { url: server.url, pid: server.pid, stop: () => server.stop().finally(remove) };
  } catch (error) {
    await remove();
    throw error;
  }
}

const MEMORY_FOLDER = '/dev/shm';
/** More than the data of all test files that run at a time. */
const NEEDED_BYTES = 8 * 1024 ** 3;

/** In memory if the machine has enough: creating the files of a database takes 25 times as long on some disks. */
async function findFastFolder(): Promise<string> {
  try {
    await access(MEMORY_FOLDER, constants.W_OK);
    const { bavail, bsize } = await statfs(MEMORY_FOLDER);
    if (bavail * bsize >= NEEDED_BYTES) return MEMORY_FOLDER;
  } catch {
    // Not on every system.
  }
  return tmpdir();
}

/** Creates a migrated database. Drop it in a teardown; else it is deleted with the server. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const serverUrl = await findServer();
  const template = await findTemplate(serverUrl);
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  await withSession(serverUrl, (session) => session.query(`create database ${name} template ${template}`));
  return {
    url: toDatabaseUrl(serverUrl, name),
    drop: () =>
      withSession(serverUrl, async (session) => {
        await session.query(`drop database if exists ${name} with (force)`);
      }),
  };
}

let ownServer: Promise<string> | undefined;

/** The runner's server; without the runner, one for this file alone. */
function findServer(): Promise<string> {
  const given = process.env[TEST_DATABASE_URL];
  if (given !== undefined && given !== '') return Promise.resolve(given);
  ownServer ??= startOwnServer();
  return ownServer;
}

async function startOwnServer(): Promise<string> {
  const server = await startTestServer();
  // Imported here, since the runner imports this file too, and importing tap makes a program a test.
  const { default: t } = await import('tap');
  t.teardown(() => server.stop());
  return server.url;
}

let knownTemplate: Promise<string> | undefined;

function findTemplate(serverUrl: string): Promise<string> {
  knownTemplate ??= makeTemplate(serverUrl);
  return knownTemplate;
}

/** The migrated template of these migrations; created by the first file that needs it. */
async function makeTemplate(serverUrl: string): Promise<string> {
  const name = `template_${await fingerprintMigrations()}`;
  await withSession(serverUrl, async (session) => {
    await session.query('select pg_advisory_lock($1)', [TEMPLATE_LOCK]);
    const found = await session.query<{ datistemplate: boolean }>(
      'select datistemplate from pg_database where datname = $1',
      [name],
    );
    if (found.rows[0]?.datistemplate === true) return;
    // Not marked as a template: its creation was interrupted.
    await session.query(`drop database if exists ${name} with (force)`);
    await session.query(`create database ${name}`);
    await migrate({ url: toDatabaseUrl(serverUrl, name), folder: MIGRATIONS });
    // A database cannot be copied while there are connections to it.
    await session.query(`alter database ${name} with is_template true allow_connections false`);
  });
  return name;
}

async function fingerprintMigrations(): Promise<string> {
  const hash = createHash('sha256');
  for (const name of (await readdir(MIGRATIONS)).filter((file) => file.endsWith('.sql')).sort()) {
    hash.update(`${name}\0`).update(await readFile(new URL(name, MIGRATIONS)));
  }
  // The queue has a schema of its own.
  hash.update(await readFile(createRequire(import.meta.url).resolve('graphile-worker/package.json')));
  return hash.digest('hex').slice(0, 16);
}

async function withSession<Result>(url: string, work: (session: pg.Client) => Promise<Result>): Promise<Result> {
  const session = new pg.Client({ connectionString: url });
  await session.connect();
  try {
    return await work(session);
  } finally {
    await session.end();
  }
}

function toDatabaseUrl(serverUrl: string, name: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}
