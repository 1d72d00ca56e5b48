import { randomBytes } from 'node:crypto';
import {
  access,
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { findFreePort } from './free-port.js';
import { type Binaries, listInstallations, prepareBinaries } from './postgres-binaries.js';
import { runCommand } from './postgres-command.js';
import { changeOwner, exists } from './postgres-files.js';
import { canEnter, type Identity, listIdentities } from './postgres-identity.js';
import { lockDataDir } from './postgres-lock.js';
import { stopOrphan } from './postgres-processes.js';
import { type PostgresServerOptions, type Server, ServerStartError, startServer } from './postgres-server.js';

const USER = 'postgres';
/** A folder that every user can write to and that survives a restart of the machine. */
const PUBLIC_FOLDER = '/var/tmp';
const PORT_ATTEMPTS = 5;
const SHARED_MEMORY_TIMEOUT_MS = 15_000;
const POLL_MS = 100;

export interface EmbeddedPostgresOptions {
  /** A folder for Postgres only; created if missing. Data of an earlier start is used again. */
  readonly dataDir: string;
  /** Default: a free port. */
  readonly port?: number;
  /** Postgres configuration parameters. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Receives the lines of Postgres' log. */
  readonly log?: (line: string) => void;
}

export interface EmbeddedPostgres {
  /** Logs in as a superuser. The port may change with the next start. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Resolves when the server has ended, for any reason. */
  readonly exited: Promise<void>;
  stop(): Promise<void>;
  /** Sends SIGKILL, which simulates a crash. */
  kill(): Promise<void>;
}

/** The message is written for the user who starts the service. */
export class EmbeddedPostgresError extends Error {}

/** A combination of binaries, user and folder that works. */
interface Placement {
  readonly binaries: Binaries;
  readonly identity: Identity;
  readonly folder: string;
}

/**
 * Starts a Postgres with its data in `dataDir` and waits until it accepts connections, on 127.0.0.1 only. Works for root
 * and for other users. If this process is killed, the kernel stops Postgres where that is supported; otherwise the next
 * start does.
 * @throws EmbeddedPostgresError
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { settings = {}, log = () => {} } = options;
  const dataDir = await makeDataDir(options.dataDir);
  const unlock = await lockDataDir(join(dataDir, 'owner'), (pid) => describeOwner(dataDir, pid)).catch(
    (error: Error) => {
      throw new EmbeddedPostgresError(error.message);
    },
  );
  try {
    const placement = await findPlacement(dataDir);
    const { folder, identity } = placement;
    const cluster = join(folder, 'cluster');
    if (folder !== dataDir) log(`${identity.name} cannot access ${dataDir}; the data is in ${folder}`);
    const password = await prepareCluster(placement, cluster, join(dataDir, 'password'));
    await stopOrphan(cluster, log);
    const server = { ...placement, cluster, user: USER, settings, log };
    const { server: running, port } = await startOnPort(options.port, dataDir, server);
    // Exactly once: afterwards another process may lock the folder.
    const exited = running.exited.then(unlock);
    return {
      url: `postgres://${USER}:${password}@127.0.0.1:${port}/postgres`,
      port,
      pid: running.pid,
      exited,
      stop: () => running.stop().then(() => exited),
      kill: () => running.kill().then(() => exited),
    };
  } catch (error) {
    await unlock();
    throw error;
  }
}

const describeOwner = (dataDir: string, pid: number): string =>
  `The Postgres in ${dataDir} is in use by process ${pid}. Stop that process, or use another folder.`;

async function makeDataDir(path: string): Promise<string> {
  try {
    await mkdir(path, { recursive: true });
    const dataDir = await realpath(resolve(path));
    await access(dataDir, 2);
    return dataDir;
  } catch (error) {
    throw new EmbeddedPostgresError(`Postgres cannot store its data in ${path}: ${String(error)}`);
  }
}

/** @throws EmbeddedPostgresError with the reasons why no combination works */
async function findPlacement(dataDir: string): Promise<Placement> {
  const reasons: string[] = [];
  const installations = await listInstallations();
  for (const identity of await listIdentities(dataDir)) {
    const folder = await findFolder(dataDir, identity);
    if (folder === undefined) {
      reasons.push(`The data is in ${dataDir}, which ${identity.name} cannot access`);
      continue;
    }
    const made = await readMajor(folder);
    for (const installation of installations) {
      const binaries = await prepareBinaries(installation, identity, folder);
      if (typeof binaries === 'string') reasons.push(`${installation.name}, as ${identity.name}: ${binaries}`);
      else if (made === undefined || made === binaries.major) return { binaries, identity, folder };
      else
        reasons.push(`${installation.name} is version ${binaries.major}, but ${folder} was created by version ${made}`);
    }
  }
  if (installations.length === 0) {
    reasons.push('Postgres is not installed, and there are no embedded binaries for this platform.');
  }
  throw new EmbeddedPostgresError(
    `No Postgres can be started on this machine. Set DATABASE_URL to a running Postgres.\n${reasons.join('\n')}`,
  );
}

/**
 * The folder of the cluster: the data directory if the identity can access it; otherwise a new folder in PUBLIC_FOLDER,
 * whose path is saved in the data directory. Undefined if there is a cluster that the identity cannot access.
 */
async function findFolder(dataDir: string, identity: Identity): Promise<string | undefined> {
  const locationFile = join(dataDir, 'location');
  const location = (await readFile(locationFile, 'utf8').catch(() => '')).trim();
  if (location !== '' && (await exists(location))) return location;
  if (await canEnter(identity, dataDir)) return dataDir;
  if (await exists(join(dataDir, 'cluster'))) return undefined;
  const folder = await mkdtemp(join(PUBLIC_FOLDER, 'biotrack-connect-postgres-'));
  // Others can pass through it, but not list it; the cluster inside is accessible for its owner only.
  await chmod(folder, 0o711);
  await writeFile(locationFile, `${folder}\n`);
  return folder;
}

async function readMajor(folder: string): Promise<number | undefined> {
  const version = await readFile(join(folder, 'cluster', 'PG_VERSION'), 'utf8').catch(() => undefined);
  return version === undefined ? undefined : Number.parseInt(version, 10);
}

/** Creates the cluster atomically if there is none. Returns the superuser's password. */
async function prepareCluster(placement: Placement, cluster: string, passwordFile: string): Promise<string> {
  const { identity, folder, binaries } = placement;
  if (await exists(join(cluster, 'PG_VERSION'))) {
    await changeOwner(identity, cluster);
    try {
      return (await readFile(passwordFile, 'utf8')).trim();
    } catch (error) {
      throw new EmbeddedPostgresError(`The password of the Postgres in ${cluster} cannot be read: ${String(error)}`);
    }
  }
  for (const name of await readdir(folder)) {
    if (name.startsWith('cluster.new')) await rm(join(folder, name), { recursive: true, force: true });
  }
  const password = randomBytes(24).toString('base64url');
  const unfinished = `${cluster}.new`;
  const handover = `${cluster}.new-password`;
  await mkdir(unfinished, { mode: 0o700 });
  await changeOwner(identity, unfinished);
  await writeFile(handover, password, { mode: 0o600 });
  await changeOwner(identity, handover);
  const { ok, output } = await runCommand(
    identity.wrap(join(binaries.bin, 'initdb'), [
      `--pgdata=${unfinished}`,
      `--username=${USER}`,
      `--pwfile=${handover}`,
      '--auth=scram-sha-256',
      '--no-instructions',
      '--encoding=UTF8',
      // Postgres' own locale, so that sorting and case folding do not depend on the machine.
      '--locale=C',
      ...(binaries.major >= 17 ? ['--locale-provider=builtin', '--builtin-locale=C.UTF-8'] : []),
    ]),
  );
  await rm(handover, { force: true });
  if (!ok) {
    await rm(unfinished, { recursive: true, force: true });
    throw new EmbeddedPostgresError(`initdb failed in ${folder}:\n${output}`);
  }
  await rm(passwordFile, { force: true });
  await writeFile(passwordFile, password, { mode: 0o600 });
  // Owned like the data directory, so that its owner can start Postgres later even if root created it.
  await changeOwner(await stat(dirname(passwordFile)), passwordFile);
  await rename(unfinished, cluster);
  return password;
}

async function startOnPort(
  wanted: number | undefined,
  dataDir: string,
  options: Omit<PostgresServerOptions, 'port'>,
): Promise<{ server: Server; port: number }> {
  const deadline = Date.now() + SHARED_MEMORY_TIMEOUT_MS;
  for (let attempt = 1; ; ) {
    const port = wanted ?? (await findFreePort('127.0.0.1'));
    try {
      return { server: await startServer({ ...options, port }), port };
    } catch (error) {
      if (!(error instanceof ServerStartError)) throw error;
      const { output } = error;
      if (/shared memory block .* is still in use/.test(output) && Date.now() < deadline) {
        // The last sessions of a killed server are still ending.
        await delay(POLL_MS);
      } else if (/could not bind IPv4 address/.test(output)) {
        if (wanted !== undefined) throw new EmbeddedPostgresError(`Port ${port} is in use.`);
        // Another process took the port meanwhile.
        if (++attempt > PORT_ATTEMPTS) throw new EmbeddedPostgresError(error.message);
      } else if (/lock file "postmaster.pid" already exists/.test(output)) {
        throw new EmbeddedPostgresError(`Another Postgres is using ${dataDir}:\n${output}`);
      } else {
        throw new EmbeddedPostgresError(error.message);
      }
    }
  }
}
