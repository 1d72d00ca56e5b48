// Makes the folder ready to run: installs what the lock file asks for and builds `dist` when the sources have changed.
// It runs before `npm start` and `npm test`, possibly before anything is installed, hence plain JavaScript without a
// dependency. It says nothing unless it has something to do.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
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
  // The child's standard output goes to our standard error: `npm start` may be read by a machine.
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

/** Whether node_modules holds what the lock file asks for. */
function isInstalled() {
  const lock = readJson(join(root, 'package-lock.json'));
  if (lock === undefined) return existsSync(modules);
  const installed = readJson(join(modules, '.package-lock.json'))?.packages;
  if (installed === undefined) return false;
  // Contents, not times: a checkout touches the lock file without changing it, and a needless `npm ci` would pull
  // node_modules from under whatever runs at that moment.
  for (const [path, entry] of Object.entries(installed)) {
    const wanted = lock.packages[path];
    if (wanted === undefined || wanted.version !== entry.version || wanted.integrity !== entry.integrity) return false;
  }
  const missing = Object.entries(lock.packages).filter(
    ([path, entry]) => path !== '' && !entry.optional && !entry.devOptional && !(path in installed),
  );
  if (missing.length === 0) return true;
  // A production install has none of the development packages, on purpose, and needs none once `dist` is there.
  const development = Object.values(lock.packages).filter((entry) => entry.dev && !entry.optional);
  return existsSync(dist) && missing.length === development.length && missing.every(([, entry]) => entry.dev);
}

function install() {
  say('Installing the packages of package-lock.json …');
  const args = ['ci', '--no-audit', '--no-fund'];
  // The npm that started us is the one to use; started without npm, the one on the PATH.
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

/** One word for the state of everything a build depends on; it changes when a source is edited, added or removed. */
function fingerprintSources(sources) {
  const hash = createHash('sha256');
  const settings = ['tsconfig.json', 'tsconfig.build.json', 'package.json', 'node_modules/typescript/package.json'];
  for (const path of [...sources, ...settings.map((name) => join(root, name))]) {
    const content = readFileSync(path);
    hash.update(`${relative(root, path)}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex');
}

const stamp = join(dist, '.built');

/** Sources, compiler and its types: a production install and an image lack some of them, and bring `dist` instead. */
const NEEDED_TO_BUILD = ['src', 'tsconfig.json', 'tsconfig.build.json', 'node_modules/@types/node', compiler];

/** The fingerprint that `dist` shall have; undefined where it cannot be built and is taken as it is. */
function wantedFingerprint() {
  const missing = NEEDED_TO_BUILD.filter((path) => !existsSync(resolve(root, path)));
  if (missing.length === 0) return fingerprintSources(listFiles(join(root, 'src')));
  if (existsSync(join(dist, 'main.js'))) return undefined;
  throw new Failure(
    `There is no dist, and it cannot be built without ${missing.join(', ')}. Try npm ci --include=dev.`,
  );
}

function isBuilt() {
  const wanted = wantedFingerprint();
  return wanted === undefined || (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted);
}

function buildDist() {
  // Read before the compiler reads: an edit during the build makes the next start build again.
  const fingerprint = wantedFingerprint();
  if (fingerprint === undefined) return;
  say('Building dist …');
  removeLeftovers();
  // Beside dist, at the same depth, so that the source maps' relative paths stay true after the renaming.
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
    writeFileSync(join(next, '.built'), fingerprint);
    // A whole new folder takes the old one's place: what was built from removed sources goes with it.
    if (existsSync(dist)) renameSync(dist, old);
    renameSync(next, dist);
  } finally {
    rmSync(next, { recursive: true, force: true });
    rmSync(old, { recursive: true, force: true });
  }
}

/** Folders of a build that was killed. Only the holder of the lock comes here, so no build is at work in them. */
function removeLeftovers() {
  for (const name of readdirSync(root)) {
    if (/^dist\.(next|old)-\d+$/.test(name)) rmSync(join(root, name), { recursive: true, force: true });
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

/** Whether the lock's holder was killed. The age is for a process id that was given to somebody else since. */
function isLockStale() {
  try {
    const holder = Number(readFileSync(lock, 'utf8') || process.pid);
    return !isAlive(holder) || Date.now() - statSync(lock).mtimeMs > LOCK_MAX_AGE_MS;
  } catch {
    return false; // Released meanwhile.
  }
}

/** Lets one at a time install or build here; whoever waited then finds the work done. */
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

// Asked without the lock first: where nothing is to do, the folder may be read-only.
const isReady = () => isInstalled() && !force && (!build || isBuilt());

try {
  if (unknown.length > 0) throw new Failure(`Unknown argument ${unknown.join(' ')}. Known: --build, --force.`);
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
