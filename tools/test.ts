// Runs the test files against one Postgres, some at a time. Types are the business of `npm run check`. Arguments are test files or folders,
// and `--long` for the long counts. The last line says how many assertions passed and failed.
//
// Not with tap's own runner: it has each file compile all of our sources with TypeScript, which takes longer than most
// files' tests, and goes by the alphabet.
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import process from 'node:process';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { startTestServer, TEST_DATABASE_URL, type TestServer } from '../test/helpers/postgres.js';
import { type FileReport, readTap } from './tap-report.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const TIMEOUT_S = 600;
const LONG_TIMEOUT_S = 7200;
const KILL_AFTER_MS = 10_000;
/** On two processors: many a test waits, for a lease that runs out or a process that starts. */
const FILES_AT_A_TIME = 3;
/** Begun first, so that none of them is left alone in the end. */
const LONGEST = [
  'test/v1/openapi.test.ts',
  'test/faults/crashes.test.ts',
  'test/sync/histories.test.ts',
  'test/mapping/properties.test.ts',
  'test/local/local-mode.test.ts',
];

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

/** Starts a program and lets `read` follow what it writes. */
async function run<T>(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  read: (stdout: Readable, group: number) => Promise<T>,
): Promise<Exit & { readonly result: T }> {
  const child = spawn(process.execPath, args, {
    cwd: ROOT,
    env,
    // A process group of its own, which can be ended as a whole with what it started.
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

function listTestFiles(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path)
    .sort()
    .flatMap((name) => listTestFiles(join(path, name)))
    .filter((file) => file.endsWith('.test.ts'));
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

async function runFile(name: string, timeoutS: number): Promise<FileReport> {
  const startedAt = performance.now();
  // A file ends itself when its time is over, and says what it was at.
  const env = { ...process.env, TAP_TIMEOUT: String(timeoutS) };
  const args = ['--import=tsx', '--enable-source-maps', name];
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

/** Some at a time, the longest first. */
async function runFiles(files: readonly string[], isLong: boolean): Promise<void> {
  const rank = (file: string): number => (LONGEST.includes(file) ? LONGEST.indexOf(file) : LONGEST.length);
  const waiting = [...files].sort((a, b) => rank(a) - rank(b));
  const work = async (): Promise<void> => {
    for (let file = waiting.shift(); file !== undefined && stoppedBy === undefined; file = waiting.shift()) {
      report(await runFile(file, isLong ? LONG_TIMEOUT_S : TIMEOUT_S));
    }
  };
  await Promise.all(Array.from({ length: FILES_AT_A_TIME }, work));
}

async function main(): Promise<void> {
  const args = process.argv.slice(2);
  const isLong = args.includes('--long');
  const paths = args.filter((argument) => argument !== '--long');
  const missing = paths.filter((path) => !existsSync(path));
  if (missing.length > 0) {
    fail(`${missing.join(', ')}: no such file`);
    return;
  }
  const files = (paths.length > 0 ? paths : [join(ROOT, 'test')])
    .flatMap(listTestFiles)
    .map((file) => relative(ROOT, file));
  if (files.length === 0) {
    fail('there is no test to run');
    return;
  }
  let server: TestServer | undefined;
  try {
    server = await startTestServer();
    process.env[TEST_DATABASE_URL] = server.url;
    if (isLong) process.env.TEST_LONG = '1';
    if (stoppedBy === undefined) await runFiles(files, isLong);
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
