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
import { type Binaries, listInstallations, prepareBinaries } from './postgres-binaries.js';
import { runCommand } from './postgres-command.js';
import { changeOwner, exists } from './postgres-files.js';
import { canEnter, type Identity, listIdentities } from './postgres-identity.js';
import { lockDataDir } from './postgres-lock.js';
import { stopOrphan } from './postgres-processes.js';
import { findFreePort } from './postgres-ready.js';
import { type PostgresServerOptions, type Server, ServerStartError, startServer } from './postgres-server.js';

const USER = 'postgres';
/** Where every user may enter, and what is written stays over a restart of the machine. */
const PUBLIC_FOLDER = '/var/tmp';
const PORT_ATTEMPTS = 5;
const SHARED_MEMORY_PATIENCE_MS = 15_000;
const POLL_MS = 100;

export interface EmbeddedPostgresOptions {
  /** A folder for Postgres alone; made if missing. What an earlier start left in it is used again. */
  readonly dataDir: string;
  /** A free one where none is given. */
  readonly port?: number;
  /** Lines for the server's configuration. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Takes what Postgres writes to its log. */
  readonly log?: (line: string) => void;
}

export interface EmbeddedPostgres {
  /** A superuser's login, for this start: the port may be another one next time. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Settles when the server has ended, for whatever reason. */
  readonly exited: Promise<void>;
  stop(): Promise<void>;
  /** As a crash would: SIGKILL. */
  kill(): Promise<void>;
}

/** The message is for whoever starts the service. */
export class EmbeddedPostgresError extends Error {}

/** What runs, as whom, and where its files are. */
interface Seat {
  readonly binaries: Binaries;
  readonly identity: Identity;
  readonly folder: string;
}

/**
 * Starts a Postgres of our own, as root or as an ordinary user, and waits until it takes sessions. It listens on
 * 127.0.0.1 only and keeps its data in `dataDir`. When this process is killed, Postgres stops by itself where the
 * kernel can tell it, and else at the next start.
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
    const seat = await findSeat(dataDir);
    const cluster = join(seat.folder, 'cluster');
    if (seat.folder !== dataDir) log(`${dataDir} is closed to ${seat.identity.name}: the data is in ${seat.folder}`);
    const password = await prepareCluster(seat, cluster, join(dataDir, 'password'));
    await stopOrphan(cluster, log);
    const { server, port } = await startOnPort(options.port, dataDir, { ...seat, cluster, user: USER, settings, log });
    // However it ends, and once: later the folder may be somebody else's.
    const exited = server.exited.then(unlock);
    return {
      url: `postgres://${USER}:${password}@127.0.0.1:${port}/postgres`,
      port,
      pid: server.pid,
      exited,
      stop: () => server.stop().then(() => exited),
      kill: () => server.kill().then(() => exited),
    };
  } catch (error) {
    await unlock();
    throw error;
  }
}

const describeOwner = (dataDir: string, pid: number): string =>
  `The Postgres in ${dataDir} is in use by process ${pid}. Stop that one first, or use another folder.`;

async function makeDataDir(path: string): Promise<string> {
  try {
    await mkdir(path, { recursive: true });
    const dataDir = await realpath(resolve(path));
    await access(dataDir, 2);
    return dataDir;
  } catch (error) {
    throw new EmbeddedPostgresError(`Postgres cannot keep its data in ${path}: ${String(error)}`);
  }
}

/** The first identity, folder and installation that work together. */
async function findSeat(dataDir: string): Promise<Seat> {
  const reasons: string[] = [];
  const installations = await listInstallations();
  for (const identity of await listIdentities(dataDir)) {
    const folder = await findFolder(dataDir, identity);
    if (folder === undefined) {
      reasons.push(`The data is in ${dataDir}, where ${identity.name} may not enter`);
      continue;
    }
    const made = await readMajor(folder);
    for (const installation of installations) {
      const binaries = await prepareBinaries(installation, identity, folder);
      if (typeof binaries === 'string') reasons.push(`${installation.name}, as ${identity.name}: ${binaries}`);
      else if (made === undefined || made === binaries.major) return { binaries, identity, folder };
      else reasons.push(`${installation.name} is version ${binaries.major}, but ${folder} was made by version ${made}`);
    }
  }
  if (installations.length === 0) reasons.push('There are no embedded binaries for this platform and no Postgres.');
  throw new EmbeddedPostgresError(
    `No Postgres can be started here. Set DATABASE_URL to one that runs.\n${reasons.join('\n')}`,
  );
}

/**
 * The folder of the cluster: the data directory, and where the identity may not enter that one, a folder that everybody
 * may enter, noted in the data directory. Undefined where there is data already that would be left behind.
 */
async function findFolder(dataDir: string, identity: Identity): Promise<string | undefined> {
  const note = join(dataDir, 'location');
  const noted = (await readFile(note, 'utf8').catch(() => '')).trim();
  if (noted !== '' && (await exists(noted))) return noted;
  if (await canEnter(identity, dataDir)) return dataDir;
  if (await exists(join(dataDir, 'cluster'))) return undefined;
  const folder = await mkdtemp(join(PUBLIC_FOLDER, 'biotrack-connect-postgres-'));
  // To be passed through, not to be listed: the cluster in it lets only its owner in.
  await chmod(folder, 0o711);
  await writeFile(note, `${folder}\n`);
  return folder;
}

async function readMajor(folder: string): Promise<number | undefined> {
  const version = await readFile(join(folder, 'cluster', 'PG_VERSION'), 'utf8').catch(() => undefined);
  return version === undefined ? undefined : Number.parseInt(version, 10);
}

/** Makes the cluster where there is none yet, all of it or nothing. Returns the superuser's password. */
async function prepareCluster(seat: Seat, cluster: string, passwordFile: string): Promise<string> {
  if (await exists(join(cluster, 'PG_VERSION'))) {
    await changeOwner(seat.identity, cluster);
    try {
      return (await readFile(passwordFile, 'utf8')).trim();
    } catch (error) {
      throw new EmbeddedPostgresError(`The password of the Postgres in ${cluster} cannot be read: ${String(error)}`);
    }
  }
  for (const name of await readdir(seat.folder)) {
    if (name.startsWith('cluster.new')) await rm(join(seat.folder, name), { recursive: true, force: true });
  }
  const password = randomBytes(24).toString('base64url');
  const unfinished = `${cluster}.new`;
  const handover = `${cluster}.new-password`;
  await mkdir(unfinished, { mode: 0o700 });
  await changeOwner(seat.identity, unfinished);
  await writeFile(handover, password, { mode: 0o600 });
  await changeOwner(seat.identity, handover);
  const { ok, output } = await runCommand(
    seat.identity.wrap(join(seat.binaries.bin, 'initdb'), [
      `--pgdata=${unfinished}`,
      `--username=${USER}`,
      `--pwfile=${handover}`,
      '--auth=scram-sha-256',
      '--no-instructions',
      '--encoding=UTF8',
      // Of Postgres itself, not of the machine: text sorts and folds its case the same everywhere.
      '--locale=C',
      ...(seat.binaries.major >= 17 ? ['--locale-provider=builtin', '--builtin-locale=C.UTF-8'] : []),
    ]),
  );
  await rm(handover, { force: true });
  if (!ok) {
    await rm(unfinished, { recursive: true, force: true });
    throw new EmbeddedPostgresError(`initdb failed in ${seat.folder}:\n${output}`);
  }
  await rm(passwordFile, { force: true });
  await writeFile(passwordFile, password, { mode: 0o600 });
  // Not the identity's, but the data directory's owner's: an ordinary user goes on with what root has begun there.
  await changeOwner(await stat(dirname(passwordFile)), passwordFile);
  await rename(unfinished, cluster);
  return password;
}

async function startOnPort(
  wanted: number | undefined,
  dataDir: string,
  options: Omit<PostgresServerOptions, 'port'>,
): Promise<{ server: Server; port: number }> {
  const deadline = Date.now() + SHARED_MEMORY_PATIENCE_MS;
  for (let attempt = 1; ; ) {
    const port = wanted ?? (await findFreePort());
    try {
      return { server: await startServer({ ...options, port }), port };
    } catch (error) {
      if (!(error instanceof ServerStartError)) throw error;
      const { output } = error;
      if (/shared memory block .* is still in use/.test(output) && Date.now() < deadline) {
        // A killed server's last sessions are still on their way out.
        await delay(POLL_MS);
      } else if (/could not bind IPv4 address/.test(output)) {
        if (wanted !== undefined) throw new EmbeddedPostgresError(`Port ${port} is taken; Postgres cannot have it.`);
        // Somebody took it between our look and the start.
        if (++attempt > PORT_ATTEMPTS) throw new EmbeddedPostgresError(error.message);
      } else if (/lock file "postmaster.pid" already exists/.test(output)) {
        throw new EmbeddedPostgresError(`Another Postgres is using ${dataDir}:\n${output}`);
      } else {
        throw new EmbeddedPostgresError(error.message);
      }
    }
  }
}
