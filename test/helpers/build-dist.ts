import { spawnSync } from 'node:child_process';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const PREPARE = fileURLToPath(new URL('../../tools/prepare.mjs', import.meta.url));
const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

let isBuilt = false;

/**
 * Builds `dist` unless it is current, for tests that run the service as a process. `npm test` does not build it first,
 * since most runs do not need it.
 *
 * @returns the path of dist/main.js
 */
export function buildDist(): string {
  if (isBuilt) return MAIN;
  const { status } = spawnSync(process.execPath, [PREPARE, '--build'], { stdio: ['ignore', 'ignore', 'inherit'] });
  if (status !== 0) throw new Error('dist could not be built');
  isBuilt = true;
  return MAIN;
}
