import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import type { Binaries } from './postgres-binaries.js';
import { POSTGRES_ENVIRONMENT } from './postgres-command.js';
import type { Identity } from './postgres-identity.js';
import { signalProcess } from './postgres-processes.js';
import { takesSessions } from './postgres-ready.js';

const POLL_MS = 10;
/** Recovery after a crash may take this long; without one the start takes half a second. */
const START_PATIENCE_MS = 120_000;
const FAST_STOP_PATIENCE_MS = 15_000;
const REMEMBERED_LINES = 40;
/** For what a failed start wrote last to come through the pipe. */
const LAST_WORDS_MS = 50;

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
  /** Settles when the process has ended, for whatever reason. */
  readonly exited: Promise<void>;
  stop(): Promise<void>;
  /** As a crash would: SIGKILL. */
  kill(): Promise<void>;
}

/** Postgres ended before it took sessions. `output` is what it said. */
export class ServerStartError extends Error {
  readonly output: string;

  constructor(output: string) {
    super(`Postgres did not start:\n${output}`);
    this.output = output;
  }
}

/** Starts Postgres on a cluster and waits until it takes sessions. */
export async function startServer(options: PostgresServerOptions): Promise<Server> {
  const { binaries, identity, cluster, port, user, log } = options;
  const [file = '', ...args] = [...binaries.tether, join(binaries.bin, 'postgres'), ...toArguments(options)];
  const command = identity.wrap(file, args);
  const child = spawn(command.file, [...command.args], {
    uid: command.uid,
    gid: command.gid,
    cwd: '/',
    env: POSTGRES_ENVIRONMENT,
    // Out of the terminal's process group: Ctrl-C is for us, and we stop Postgres when we need it no longer.
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const lines: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => {
    lines.push(line);
    if (lines.length > REMEMBERED_LINES) lines.shift();
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
    // Not 'close': after a crash the sessions' processes hold on to the pipe for a while.
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
    // A client that does not let go must not keep us: SIGQUIT ends it, and the next start recovers.
    const impatience = setTimeout(() => hasEnded || signalProcess(pid, 'SIGQUIT'), FAST_STOP_PATIENCE_MS);
    await end('SIGINT');
    clearTimeout(impatience);
  };

  const deadline = Date.now() + START_PATIENCE_MS;
  while (!((await saysReady(cluster, pid)) && (await takesSessions(port, user)))) {
    if (hasEnded) {
      await delay(LAST_WORDS_MS);
      throw new ServerStartError(lines.join('\n'));
    }
    if (Date.now() > deadline) {
      await end('SIGQUIT');
      throw new ServerStartError(`not ready after ${START_PATIENCE_MS / 1000} s\n${lines.join('\n')}`);
    }
    await delay(POLL_MS);
  }
  // From here on Postgres alone is no reason for this process to live on.
  child.unref();
  // Node types it as any readable stream, but a child's pipe is a socket.
  if ('unref' in child.stderr && typeof child.stderr.unref === 'function') child.stderr.unref();
  return { pid, exited, stop, kill: () => end('SIGKILL') };
}

/** Postgres notes its progress in its pid file; the process number tells whether the note is from this start. */
async function saysReady(cluster: string, pid: number): Promise<boolean> {
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
