// Runs the tests on Node 24, whatever runs this: `npm run test:node24 -- [arguments of npm test]`. Installs Node from npm
// on the first call, outside of the lock file. Plain JavaScript, since it only starts another process.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const FOLDER = join(ROOT, '.test-build/node24');
const PACKAGE = `node-${process.platform}-${process.arch}`;
const NODE = join(FOLDER, 'node_modules', PACKAGE, 'bin/node');

function run(command, args, cwd) {
  const { status, error } = spawnSync(command, args, { cwd, stdio: 'inherit' });
  if (error !== undefined) throw error;
  return status ?? 1;
}

function install() {
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(join(FOLDER, 'package.json'), '{ "private": true }\n');
  const args = ['install', '--no-audit', '--no-fund', '--no-package-lock', '--ignore-scripts', `${PACKAGE}@24`];
  // The npm that started this program; without one, that of the PATH.
  const npm = process.env.npm_execpath;
  return npm?.endsWith('npm-cli.js') ? run(process.execPath, [npm, ...args], FOLDER) : run('npm', args, FOLDER);
}

if (!existsSync(NODE)) process.exitCode = install();
if (existsSync(NODE)) {
  run(NODE, ['-p', '"Node " + process.version'], ROOT);
  process.exitCode = run(NODE, ['--import', 'tsx', 'tools/test.ts', ...process.argv.slice(2)], ROOT);
}
