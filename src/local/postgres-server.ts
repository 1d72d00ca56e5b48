import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import type { Binaries } from './postgres-binaries.js';
import { POSTGRES_ENVIRONMENT } from './postgres-command.js';
import type { Identity } from './postgres-identity.js';
import { signalProcess } from './postgres-processes.js';
import { acceptsConnections } from './postgres-ready.js';

const POLL_MS = 10;
/** Recovery after a crash can take this long; a normal start takes half a second. */
const START_TIMEOUT_MS = 120_000;
const FAST_STOP_TIMEOUT_MS = 15_000;
const MAX_OUTPUT_LINES = 40;
/** Time for the last output of a failed start to arrive. */
const OUTPUT_DELAY_MS = 50;

export interface PostgresServerOptions {
  readonly binaries: Binaries;
  readonly identity: Identity;
  readonly cluster: string;
  readonly user: string;
  readonly port: number;
  readonly settings: Readonly<Record<string, string>>;
  readonly log: (line: string) => void;
}

export interface Server {
  readonly pid: number;
  /** Resolves when the process has ended, for any reason. */
  readonly exited: Promise<void>;
  stop(): Promise<void>;
  /** Sends SIGKILL, which simulates a crash. */
  kill(): Promise<void>;
}

/** Postgres ended before it accepted connections. */
export class ServerStartError extends Error {
  readonly output: string;

  constructor(output: string) {
    super(`Postgres did not start:\n${output}`);
    this.output = output;
  }
}

/** Starts Postgres on a cluster and waits until it accepts connections. */
export async function startServer(options: PostgresServerOptions): Promise<Server> {
  const { binaries, identity, cluster, port, user, log } = options;
  const [file = '', ...args] = [...binaries.wrapper, join(binaries.bin, 'postgres'), ...toArguments(options)];
  const command = identity.wrap(file, args);
  const child = spawn(command.file, [...command.args], {
    uid: command.uid,
    gid: command.gid,
    cwd: '/',
    env: POSTGRES_ENVIRONMENT,
    // Outside the terminal's process group: Ctrl-C goes to this process only, which then stops Postgres.
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const lines: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => {
    lines.push(line);
    if (lines.length > MAX_OUTPUT_LINES) lines.shift();
    log(line);
  });
  let hasEnded = false;
  const exited = new Promise<void>((done) => {
    const end = (): void => {
      hasEnded = true;
      done();
    };
    child.on('error', (error) => {
      lines.push(error.message);
      end();
    });
    // Not 'close': after a crash, session processes keep the pipe open for a while.
    child.on('exit', end);
  });

  const { pid } = child;
  if (pid === undefined) {
    await exited;
    throw new ServerStartError(lines.join('\n'));
  }
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (hasEnded) return;
    child.ref();
    signalProcess(pid, signal);
    await exited;
  };
  const stop = async (): Promise<void> => {
    // If the fast shutdown takes too long, SIGQUIT shuts down immediately; the next start recovers.
    const timer = setTimeout(() => hasEnded || signalProcess(pid, 'SIGQUIT'), FAST_STOP_TIMEOUT_MS);
    await end('SIGINT');
    clearTimeout(timer);
  };

  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!((await isReady(cluster, pid)) && (await acceptsConnections(port, user)))) {
    if (hasEnded) {
      await delay(OUTPUT_DELAY_MS);
      throw new ServerStartError(lines.join('\n'));
    }
    if (Date.now() > deadline) {
      await end('SIGQUIT');
      throw new ServerStartError(`not ready after ${START_TIMEOUT_MS / 1000} s\n${lines.join('\n')}`);
    }
    await delay(POLL_MS);
  }
  // A running Postgres must not keep this process from exiting.
  child.unref();
  // Node's types do not say that a child's pipe is a socket.
  if ('unref' in child.stderr && typeof child.stderr.unref === 'function') child.stderr.unref();
  return { pid, exited, stop, kill: () => end('SIGKILL') };
}

/** Postgres writes its state to its pid file; the process ID shows whether the file is from this start. */
async function isReady(cluster: string, pid: number): Promise<boolean> {
  const lines = (await readFile(join(cluster, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n');
  return Number(lines[0]) === pid && lines[7]?.trim() === 'ready';
}

function toArguments({ cluster, port, settings }: PostgresServerOptions): string[] {
  const all: Record<string, string> = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: '',
    logging_collector: 'off',
    log_destination: 'stderr',
    ...settings,
  };
  return ['-D', cluster, ...Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
}
