import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import type t from 'tap';
import { buildDist } from './build-dist.js';
import { pickPort } from './free-port.js';
import type { TestService } from './service.js';

/** The service as a process of its own, which can be ended, stopped and killed. */

const READY_WITHIN_MS = 60_000;

export interface Child {
  readonly baseUrl: string;
  readonly pid: number;
  readonly process: ChildProcess;
  /** What it wrote, lines of JSON. */
  readonly output: () => string;
  /** @returns its exit code, or the signal that ended it */
  end(signal?: NodeJS.Signals): Promise<number | NodeJS.Signals | null>;
}

/** Files that child processes are configured with. */
export interface Files {
  readonly keyset: string;
  readonly states: string;
}

/** The keyset and the states of a test service, as files in a folder that goes with the test. */
export async function writeFiles(
  tap: Pick<typeof t, 'teardown'>,
  { keysetFile, simulator }: Pick<TestService, 'keysetFile' | 'simulator'>,
  dialect: 'api4' | 'rest' = 'api4',
): Promise<Files> {
  const folder = await mkdtemp(join(tmpdir(), 'biotrack-connect-child-'));
  tap.teardown(() => rm(folder, { recursive: true, force: true }));
  const files = { keyset: join(folder, 'keyset.json'), states: join(folder, 'states.json') };
  const environment = { dialect, url: simulator.url, origin_id: 'test' };
  await writeFile(files.keyset, keysetFile, { mode: 0o600 });
  await writeFile(
    files.states,
    JSON.stringify({ NM: { environments: { production: environment, training: environment } } }),
  );
  return files;
}

export interface ChildOptions {
  readonly databaseUrl: string;
  readonly files: Files;
  readonly role?: 'all' | 'api' | 'worker';
  readonly port?: number;
  readonly variables?: Readonly<Record<string, string>>;
}

/** Starts the service as a process and waits until it logs that it has started. Teardown kills it if it is still running. */
export async function startChild(tap: Pick<typeof t, 'teardown'>, options: ChildOptions): Promise<Child> {
  const port = options.port ?? (await pickPort());
  const child = spawn(process.execPath, [buildDist()], {
    // Does not inherit the environment: tap's variables would make the child report to tap.
    env: {
      PATH: process.env.PATH ?? '',
      PORT: String(port),
      METRICS_PORT: '0',
      ROLE: options.role ?? 'all',
      DATABASE_URL: options.databaseUrl,
      VAULT_KEYSET_FILE: options.files.keyset,
      BIOTRACK_STATES_FILE: options.files.states,
      ...options.variables,
    },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const exited = once(child, 'exit').then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals | null);
  tap.teardown(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  for (const deadline = Date.now() + READY_WITHIN_MS; !output.includes('"service.started"'); ) {
    if (child.exitCode !== null || Date.now() > deadline) throw new Error(`it did not start: ${output}`);
    await delay(20);
  }
  return {
    baseUrl: `http://127.0.0.1:${port}`,
    pid: child.pid as number,
    process: child,
    output: () => output,
    async end(signal = 'SIGTERM') {
      child.kill(signal);
      return exited;
    },
  };
}
