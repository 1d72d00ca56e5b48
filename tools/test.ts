// Runs test files against one Postgres, several at a time, from sources that are compiled once. Types are checked by
// `npm run check`. See test/README.md for the arguments. The last line is the number of assertions that passed and failed.
//
// Why not tap's own runner: it compiles all sources with TypeScript for each file, and runs files in alphabetical order.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import process from 'node:process';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { startTestServer, TEST_DATABASE_URL, type TestServer } from '../test/helpers/postgres.js';
import { compileTests } from './compile.js';
import { type FileReport, readTap } from './tap-report.js';
import { selectTestFiles, type Tier } from './test-files.js';
import type { WorkerTask } from './test-worker.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const TIMEOUT_S = 600;
const LONG_TIMEOUT_S = 7200;
const KILL_AFTER_MS = 10_000;
/** Suits two processors, because many tests mostly wait: for a lease to expire, a process to start, a slow response. */
const FILES_AT_A_TIME = Number(process.env.TEST_FILES_AT_A_TIME ?? 4);

/** A process is replaced after this many files, because it grows by about 50 MB with each. */
const FILES_PER_PROCESS = 15;

/** These files change, crash or measure their whole process. */
const OWN_PROCESS =
  /^test\/(faults\/(biotrack|crashes|database|floods|key-rotation|local-\w+|lockout|pooler|slow-state|steps|upstream)|proof\/benchmark|biotrack\/calls)\.test/;

/** These measure how the service shares the processors, so they run after all others. */
const ALONE = /^test\/faults\/floods\.test/;

const print = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

const total = { passed: 0, failed: 0, skipped: 0 };
const running = new Set<number>();
let stoppedBy: NodeJS.Signals | undefined;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    stoppedBy ??= signal;
    for (const group of running) {
      stopGroup(group, 'SIGTERM');
      setTimeout(() => stopGroup(group, 'SIGKILL'), KILL_AFTER_MS).unref();
    }
  });
}

function stopGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function fail(text: string): void {
  total.failed += 1;
  print(`FAILED ${text}`);
}

function report({ name, passed, failures, skips, comments, durationMs }: FileReport): void {
  total.passed += passed;
  total.failed += failures.length;
  total.skipped += skips.length;
  const counts = [`${passed} passed`];
  if (failures.length > 0) counts.push(`${failures.length} failed`);
  if (skips.length > 0) counts.push(`${skips.length} skipped`);
  const verdict = failures.length > 0 ? 'FAILED' : 'ok    ';
  print(`${verdict} ${name}: ${counts.join(', ')} (${(durationMs / 1000).toFixed(1)} s)`);
  for (const comment of comments) print(`       ${comment}`);
  for (const { path, reason } of skips) print(`       skipped: ${path} (${reason})`);
  for (const { path, detail } of failures) print(`\n  not ok: ${path}\n${detail.replace(/^/gm, '  ')}\n`);
}

const toMessage = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error));

/** Runs files in one process until none is left, or until one fails: a failed test may leave state behind. */
async function runWorker(waiting: string[], { compiled, timeoutS }: RunOptions): Promise<void> {
  const child = spawn(process.execPath, ['--enable-source-maps', join(compiled, 'tools/test-worker.js')], {
    cwd: ROOT,
    // A separate process group, so that a signal also reaches the processes that it started.
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  const { pid } = child;
  // Not `close`, which is not emitted after this process has disconnected the channel.
  const exited = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  if (pid === undefined) throw await exited.catch((error: unknown) => error);
  running.add(pid);
  let current: string | undefined;
  let hasFailed = false;
  let count = 0;
  let end: NodeJS.Timeout | undefined;
  const startNext = (): void => {
    const isLast =
      hasFailed ||
      count === FILES_PER_PROCESS ||
      (current !== undefined && OWN_PROCESS.test(current)) ||
      stoppedBy !== undefined;
    // A file that needs its own process is left for a new one.
    const needsNewProcess = current !== undefined && waiting[0] !== undefined && OWN_PROCESS.test(waiting[0]);
    current = isLast || needsNewProcess ? undefined : waiting.shift();
    count += 1;
    clearTimeout(end);
    if (current === undefined) {
      if (child.connected) child.disconnect();
      end = setTimeout(() => stopGroup(pid, 'SIGKILL'), KILL_AFTER_MS);
      return;
    }
    const compiledPath = join(compiled, current.replace(/\.ts$/, '.js'));
    child.send({ name: current, compiledPath, timeoutMs: timeoutS * 1_000 } satisfies WorkerTask);
    end = setTimeout(() => stopGroup(pid, 'SIGKILL'), timeoutS * 1_000 + 3 * KILL_AFTER_MS);
  };
  const reading = readTap(child.stdout as Readable, {
    onOutput: (line) => print(`       ${line}`),
    onFile: (each) => {
      hasFailed ||= each.failures.length > 0;
      report(each);
      if (each.name === current) startNext();
    },
  });
  startNext();
  try {
    const [[code, signal]] = await Promise.all([exited, reading]);
    if (current !== undefined) fail(`${current}: its process ended with ${signal ?? code}`);
    else if (code !== 0 && !hasFailed) fail(`a test process ended with ${signal ?? code}`);
  } finally {
    clearTimeout(end);
    running.delete(pid);
  }
}

interface RunOptions {
  readonly compiled: string;
  readonly timeoutS: number;
}

async function runFiles(files: readonly string[], options: RunOptions): Promise<void> {
  const isAlone = (file: string): boolean => ALONE.test(file);
  await runBeside(
    files.filter((file) => !isAlone(file)),
    FILES_AT_A_TIME,
    options,
  );
  await runBeside(files.filter(isAlone), 1, options);
}

async function runBeside(files: readonly string[], atATime: number, options: RunOptions): Promise<void> {
  const waiting = [...files];
  const work = async (): Promise<void> => {
    while (waiting.length > 0 && stoppedBy === undefined) await runWorker(waiting, options);
  };
  await Promise.all(Array.from({ length: atATime }, work));
}

const TIERS: Readonly<Record<string, Tier>> = {
  '--faults': 'faults',
  '--proof': 'proof',
  '--browser': 'browser',
  '--full': 'full',
  '--long': 'long',
};

async function main(): Promise<void> {
  const args = process.argv.slice(2);
  const tier = args.map((argument) => TIERS[argument]).find(Boolean) ?? 'default';
  const selected = selectTestFiles(
    ROOT,
    tier,
    args.filter((argument) => TIERS[argument] === undefined),
  );
  if ('error' in selected) {
    fail(selected.error);
    return;
  }
  let server: TestServer | undefined;
  try {
    const [compiled, started] = await Promise.all([compileTests(), startTestServer()]);
    server = started;
    process.env[TEST_DATABASE_URL] = server.url;
    process.env.TEST_COMPILED = compiled;
    if (tier === 'full' || tier === 'long') process.env.TEST_COUNTS = tier;
    if (stoppedBy === undefined)
      await runFiles(selected.files, { compiled, timeoutS: tier === 'long' ? LONG_TIMEOUT_S : TIMEOUT_S });
  } finally {
    await server?.stop();
  }
}

await main().catch((error: unknown) => fail(toMessage(error)));
if (stoppedBy !== undefined) fail(`the run was stopped by ${stoppedBy}`);
if (total.passed === 0 && total.failed === 0) fail('no tests ran');
const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : '';
print(`${total.passed} passed, ${total.failed} failed${skipped}`);
process.exitCode = total.failed > 0 ? 1 : 0;
