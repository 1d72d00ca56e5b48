// Runs test files against one Postgres, several at a time, from sources that are compiled once. Types are checked by
// `npm run check`. See test/README.md for the arguments. The last line is the number of assertions that passed and failed.
//
// Why not tap's own runner: it compiles all sources with TypeScript for each file, and runs files in alphabetical order.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import process from 'node:process';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { startTestServer, TEST_DATABASE_URL, type TestServer } from '../test/helpers/postgres.js';
import { compileTests } from './compile.js';
import { type FileReport, readTap } from './tap-report.js';
import { selectTestFiles, type Tier } from './test-files.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const TIMEOUT_S = 600;
const LONG_TIMEOUT_S = 7200;
const KILL_AFTER_MS = 10_000;
/** On two processors. Many tests mostly wait: for a lease to expire, a process to start, a slow answer. */
const FILES_AT_A_TIME = Number(process.env.TEST_FILES_AT_A_TIME ?? 4);

const say = (text: string): void => {
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
  say(`FAILED ${text}`);
}

interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Starts a program and passes its output to `read`. */
async function run<T>(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  read: (stdout: Readable, group: number) => Promise<T>,
): Promise<Exit & { readonly result: T }> {
  const child = spawn(process.execPath, args, {
    cwd: ROOT,
    env,
    // A process group of its own, so that it can be ended together with the processes it started.
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = new Promise<Exit>((done, refuse) => {
    child.on('error', refuse);
    child.on('close', (code, signal) => done({ code, signal }));
  });
  const { pid } = child;
  if (pid === undefined) throw (await exited.catch((error: unknown) => error)) as Error;
  running.add(pid);
  try {
    const [result, exit] = await Promise.all([read(child.stdout, pid), exited]);
    return { result, ...exit };
  } finally {
    running.delete(pid);
  }
}

function report({ name, passed, failures, skips, comments, durationMs }: FileReport): void {
  total.passed += passed;
  total.failed += failures.length;
  total.skipped += skips.length;
  const counts = [`${passed} passed`];
  if (failures.length > 0) counts.push(`${failures.length} failed`);
  if (skips.length > 0) counts.push(`${skips.length} skipped`);
  const verdict = failures.length > 0 ? 'FAILED' : 'ok    ';
  say(`${verdict} ${name}: ${counts.join(', ')} (${(durationMs / 1000).toFixed(1)} s)`);
  for (const comment of comments) say(`       ${comment}`);
  for (const { path, reason } of skips) say(`       skipped: ${path} (${reason})`);
  for (const { path, detail } of failures) say(`\n  not ok: ${path}\n${detail.replace(/^/gm, '  ')}\n`);
}

async function runFile(name: string, compiled: string, timeoutS: number): Promise<FileReport> {
  const startedAt = performance.now();
  // A file ends itself when its time is over, and reports which test was running.
  const env = { ...process.env, TAP_TIMEOUT: String(timeoutS) };
  const args = ['--enable-source-maps', join(compiled, name.replace(/\.ts$/, '.js'))];
  let end: NodeJS.Timeout | undefined;
  const { code, signal, result } = await run(args, env, (stdout, group) => {
    end = setTimeout(() => stopGroup(group, 'SIGKILL'), timeoutS * 1_000 + 3 * KILL_AFTER_MS);
    return readTap(stdout, (line) => say(`       ${line}`));
  }).finally(() => clearTimeout(end));
  const failures = [...result.failures];
  if (code !== 0 && failures.length === 0)
    failures.push({ path: 'the file', detail: `  ended with ${signal ?? code}` });
  return { ...result, name, failures, durationMs: performance.now() - startedAt };
}

async function runFiles(files: readonly string[], compiled: string, timeoutS: number): Promise<void> {
  const waiting = [...files];
  const work = async (): Promise<void> => {
    for (let file = waiting.shift(); file !== undefined && stoppedBy === undefined; file = waiting.shift()) {
      report(await runFile(file, compiled, timeoutS));
    }
  };
  await Promise.all(Array.from({ length: FILES_AT_A_TIME }, work));
}

const TIERS: Readonly<Record<string, Tier>> = { '--faults': 'faults', '--full': 'full', '--long': 'long' };

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
    if (tier === 'long') process.env.TEST_LONG = '1';
    if (stoppedBy === undefined) await runFiles(selected.files, compiled, tier === 'long' ? LONG_TIMEOUT_S : TIMEOUT_S);
  } finally {
    await server?.stop();
  }
}

await main().catch((error: unknown) => fail(error instanceof Error ? (error.stack ?? error.message) : String(error)));
if (stoppedBy !== undefined) fail(`the run was stopped by ${stoppedBy}`);
if (total.passed === 0 && total.failed === 0) fail('nothing ran');
const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : '';
say(`${total.passed} passed, ${total.failed} failed${skipped}`);
process.exitCode = total.failed > 0 ? 1 : 0;
