// Checks the types, then runs the test files with tap against one Postgres. Arguments are test files or folders, and
// `--long` for the long counts. The last line says how many assertions passed and failed.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, relative } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { startTestServer, TEST_DATABASE_URL, type TestServer } from '../test/helpers/postgres.js';
import { type FileReport, readTap } from './tap-report.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const TSC = createRequire(import.meta.url).resolve('typescript/bin/tsc');
const TAP = join(ROOT, 'node_modules', 'tap', 'dist', 'esm', 'run.mjs');
const LONG_TIMEOUT_S = 7200;
const KILL_AFTER_MS = 10_000;

const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

const total = { passed: 0, failed: 0, skipped: 0 };
let running: ChildProcess | undefined;
let stoppedBy: NodeJS.Signals | undefined;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    stoppedBy ??= signal;
    const group = running?.pid;
    if (group === undefined) return;
    stopGroup(group, 'SIGTERM');
    setTimeout(() => stopGroup(group, 'SIGKILL'), KILL_AFTER_MS).unref();
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

/** Starts one of our tools and lets `read` follow what it writes. Returns the exit code. */
async function run(args: readonly string[], read: (child: ChildProcess) => Promise<void>): Promise<number> {
  const child = spawn(process.execPath, [...args], {
    cwd: ROOT,
    // A process group of its own, which can be ended as a whole: tap leaves its test files running when it is stopped.
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  running = child;
  const exited = new Promise<number>((done, refuse) => {
    child.on('error', refuse);
    child.on('close', (code) => done(code ?? 1));
  });
  await read(child);
  const code = await exited;
  running = undefined;
  return code;
}

async function checkTypes(): Promise<boolean> {
  const code = await run([TSC, '--noEmit', '--pretty', 'false'], async (child) => {
    child.stdout?.pipe(process.stdout, { end: false });
  });
  if (code !== 0 && stoppedBy === undefined) fail('the types do not hold, see above');
  return code === 0;
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

async function runTap(files: readonly string[], isLong: boolean): Promise<void> {
  const args = ['run', '--reporter=tap', ...(isLong ? [`--timeout=${LONG_TIMEOUT_S}`] : []), ...files];
  const seen = new Set<string>();
  const code = await run([TAP, ...args], async (child) => {
    if (child.stdout === null) return;
    await readTap(
      child.stdout,
      (file) => {
        seen.add(file.name);
        report(file);
      },
      (line) => say(`       ${line}`),
    );
  });
  if (stoppedBy !== undefined) return;
  for (const file of files) if (!seen.has(file)) fail(`${file} was not run`);
  if (code !== 0 && total.failed === 0) fail(`tap ended with exit code ${code}`);
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
  if (!(await checkTypes()) || stoppedBy !== undefined) return;
  let server: TestServer | undefined;
  try {
    server = await startTestServer();
    process.env[TEST_DATABASE_URL] = server.url;
    if (isLong) process.env.TEST_LONG = '1';
    if (stoppedBy === undefined) await runTap(files, isLong);
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
