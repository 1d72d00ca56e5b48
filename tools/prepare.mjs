// Installs the packages of the lock file if they are missing, and builds `dist` and the client package if the sources have
// changed. `dist` contains a copy of the client package, so that it needs no other folder. Runs before
// npm scripts, possibly before anything is installed, so it is plain JavaScript without dependencies. Prints nothing if
// there is nothing to do.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(root, 'node_modules');
const dist = join(root, 'dist');
const client = join(root, 'clients/typescript');
const page = join(root, 'examples/settings-page');
const bundler = join(root, 'tools/bundle-page.mjs');
const compiler = 'node_modules/typescript/bin/tsc';
const build = process.argv.includes('--build');
const force = process.argv.includes('--force');
const unknown = process.argv.slice(2).filter((argument) => argument !== '--build' && argument !== '--force');

const say = (text) => process.stderr.write(`${text}\n`);

class Failure extends Error {
  constructor(message, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

function run(command, args) {
  // The child's output goes to standard error: scripts may parse the standard output of the npm command.
  const result = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2] });
  if (result.error) throw new Failure(`${command}: ${result.error.message}`);
  return result.status ?? 1;
}

function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

/** Whether node_modules matches the lock file. */
function isInstalled() {
  const lock = readJson(join(root, 'package-lock.json'));
  if (lock === undefined) return existsSync(modules);
  const installed = readJson(join(modules, '.package-lock.json'))?.packages;
  if (installed === undefined) return false;
  // Compares contents, not times: a checkout touches the lock file, and a needless `npm ci` would delete node_modules
  // while other processes use it.
  for (const [path, entry] of Object.entries(installed)) {
    const wanted = lock.packages[path];
    if (wanted === undefined || wanted.version !== entry.version || wanted.integrity !== entry.integrity) return false;
  }
  const missing = Object.entries(lock.packages).filter(
    ([path, entry]) => path !== '' && !entry.optional && !entry.devOptional && !(path in installed),
  );
  if (missing.length === 0) return true;
  // A production install lacks all development packages on purpose, and does not need them if `dist` exists.
  const development = Object.values(lock.packages).filter((entry) => entry.dev && !entry.optional);
  return existsSync(dist) && missing.length === development.length && missing.every(([, entry]) => entry.dev);
}

function install() {
  say('Installing the packages of package-lock.json …');
  const args = ['ci', '--no-audit', '--no-fund'];
  // Prefers the npm that runs this script to the one on the PATH.
  const npm = process.env.npm_execpath;
  const status = npm?.endsWith('npm-cli.js') ? run(process.execPath, [npm, ...args]) : run('npm', args);
  if (status !== 0) throw new Failure('npm ci failed, see above.', status);
  const now = new Date();
  utimesSync(join(modules, '.package-lock.json'), now, now);
}

function listFiles(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) => (entry.isDirectory() ? listFiles(join(folder, entry.name)) : [join(folder, entry.name)]))
    .sort();
}

/** Whether the example page can be built here. Images and production installs lack its sources, or esbuild. */
const hasPage = () => [page, bundler, join(modules, 'esbuild')].every((path) => existsSync(path));

/** A hash of everything that a build depends on. */
function fingerprintSources(sources) {
  const hash = createHash('sha256');
  const settings = [
    'tsconfig.json',
    'tsconfig.build.json',
    'package.json',
    'clients/typescript/tsconfig.json',
    'node_modules/typescript/package.json',
    ...(hasPage() ? ['tools/bundle-page.mjs', 'node_modules/esbuild/package.json'] : []),
  ];
  for (const path of [...sources, ...settings.map((name) => join(root, name))]) {
    const content = readFileSync(path);
    hash.update(`${relative(root, path)}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex');
}

const stamp = join(dist, '.built');

/** Production installs and images lack some of these, and contain `dist` instead. */
const NEEDED_TO_BUILD = [
  'src',
  'clients/typescript/src',
  'clients/typescript/tsconfig.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'node_modules/@types/node',
  compiler,
];

/** The fingerprint of the current sources; undefined if `dist` exists and cannot be built here. */
function wantedFingerprint() {
  const missing = NEEDED_TO_BUILD.filter((path) => !existsSync(resolve(root, path)));
  if (missing.length === 0)
    return fingerprintSources(
      [join(root, 'src'), join(client, 'src'), ...(hasPage() ? [page] : [])].flatMap(listFiles),
    );
  if (existsSync(join(dist, 'main.js'))) return undefined;
  throw new Failure(`dist is missing and cannot be built without ${missing.join(', ')}. Run npm ci --include=dev.`);
}

function isBuilt() {
  const wanted = wantedFingerprint();
  if (wanted === undefined) return true;
  return existsSync(join(client, 'dist/index.js')) && existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted;
}

function buildDist() {
  // Computed before the compiler starts, so that an edit during the build causes another build.
  const fingerprint = wantedFingerprint();
  if (fingerprint === undefined) return;
  say('Building dist …');
  deleteUnfinishedBuilds();
  buildClient();
  // At the same depth as dist, so that relative paths in source maps stay valid after renaming.
  const next = `${dist}.next-${process.pid}`;
  const old = `${dist}.old-${process.pid}`;
  try {
    const status = run(process.execPath, [compiler, '-p', 'tsconfig.build.json', '--outDir', next]);
    if (status !== 0) throw new Failure('The build failed, see above.', status);
    for (const source of listFiles(join(root, 'src'))) {
      if (/\.(ts|md)$/.test(source)) continue;
      const target = join(next, relative(join(root, 'src'), source));
      mkdirSync(dirname(target), { recursive: true });
      copyFileSync(source, target);
    }
    cpSync(join(client, 'dist'), join(next, 'client'), { recursive: true });
    if (hasPage() && run(process.execPath, [bundler, join(next, 'settings-page')]) !== 0)
      throw new Failure('The build of the example page failed, see above.');
    writeFileSync(join(next, '.built'), fingerprint);
    replaceFolder(dist, next, old);
  } finally {
    rmSync(next, { recursive: true, force: true });
    rmSync(old, { recursive: true, force: true });
  }
}

/** Builds the client package, whose types the service is compiled with. */
function buildClient() {
  const output = join(client, 'dist');
  const next = `${output}.next-${process.pid}`;
  const old = `${output}.old-${process.pid}`;
  try {
    const status = run(process.execPath, [compiler, '-p', 'clients/typescript', '--outDir', next]);
    if (status !== 0) throw new Failure('The build of the client package failed, see above.', status);
    // The compiler does not copy declarations.
    copyFileSync(join(client, 'src/generated/v1.d.ts'), join(next, 'generated/v1.d.ts'));
    replaceFolder(output, next, old);
  } finally {
    rmSync(next, { recursive: true, force: true });
    rmSync(old, { recursive: true, force: true });
  }
}

/** Replaces the whole folder, so that no output of deleted sources is left. */
function replaceFolder(folder, next, old) {
  if (existsSync(folder)) renameSync(folder, old);
  renameSync(next, folder);
}

/** Deletes folders of killed builds. Called with the lock, so no build is running in them. */
function deleteUnfinishedBuilds() {
  for (const folder of [root, client]) {
    for (const name of readdirSync(folder)) {
      if (/^dist\.(next|old)-\d+$/.test(name)) rmSync(join(folder, name), { recursive: true, force: true });
    }
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

const lock = `${dist}.lock`;
const LOCK_MAX_AGE_MS = 15 * 60_000;

/** Whether the lock's holder was killed. The age limit covers a reused process ID. */
function isLockStale() {
  try {
    const holder = Number(readFileSync(lock, 'utf8') || process.pid);
    return !isAlive(holder) || Date.now() - statSync(lock).mtimeMs > LOCK_MAX_AGE_MS;
  } catch {
    return false; // It was released meanwhile.
  }
}

/** Runs `work` in one process at a time. The others then find it done. */
function withLock(work) {
  for (;;) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw new Failure(`Cannot install or build here: ${error.message}`);
    }
    if (isLockStale()) rmSync(lock, { force: true });
    else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
  }
  try {
    work();
  } finally {
    rmSync(lock, { force: true });
  }
}

// Checked without the lock first: if there is nothing to do, the folder may be read-only.
const isReady = () => isInstalled() && !force && (!build || isBuilt());

try {
  if (unknown.length > 0)
    throw new Failure(`Unknown argument: ${unknown.join(' ')}. Known arguments: --build, --force.`);
  if (!isReady()) {
    withLock(() => {
      if (!isInstalled()) install();
      if (build && (force || !isBuilt())) buildDist();
    });
  }
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  say(error.message);
  process.exitCode = error.exitCode;
}
