import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmod, copyFile, cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import process from 'node:process';
import { listCopies, type Stage } from './dockerfile.js';

/** The user of the image, where this process may become another one; else the user it is. */
export const USER = process.geteuid?.() === 0 ? { uid: 10_001, gid: 10_001 } : {};

export interface ImageTree {
  readonly folder: string;
  /** The Node that the image's user can start. */
  readonly node: string;
  remove(): Promise<void>;
}

/** What the last stage of the Dockerfile puts together, put together from this repository, and read-only. */
export async function makeImageTree(root: string, stage: Stage): Promise<ImageTree> {
  const parent = await mkdtemp(join(tmpdir(), 'biotrack-connect-image-'));
  const folder = join(parent, 'app');
  for (const { sources, target } of listCopies(stage)) {
    for (const source of sources) {
      const path = source.replace(/^\/app\//, '');
      const isFolder = target !== './';
      if (path === 'node_modules') await copyPackages(root, folder);
      else await cp(join(root, path), isFolder ? resolve(folder, target) : join(folder, path), { recursive: true });
    }
  }
  run('chmod', ['-R', 'a-w,a+rX', folder]);
  await chmod(parent, 0o755);
  return {
    folder,
    node: await findNode(parent),
    async remove() {
      run('chmod', ['-R', 'u+w', folder]);
      await rm(parent, { recursive: true, force: true });
    },
  };
}

interface Lock {
  readonly packages: Readonly<Record<string, { dev?: boolean; optional?: boolean; devOptional?: boolean }>>;
}

/** The packages that `npm ci --omit=dev --omit=optional` leaves, by the marks of the lock file, from those installed. */
async function copyPackages(root: string, folder: string): Promise<void> {
  const lock = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')) as Lock;
  for (const [path, { dev, optional, devOptional }] of Object.entries(lock.packages)) {
    if (path === '' || dev === true || optional === true || devOptional === true) continue;
    const source = join(root, path);
    await cp(source, join(folder, path), {
      recursive: true,
      // What lies inside has an entry of its own.
      filter: (from) => !relative(source, from).split('/').includes('node_modules'),
    });
  }
}

/** A Node in somebody's home is out of reach for another user. */
async function findNode(parent: string): Promise<string> {
  const tried = spawnSync(process.execPath, ['--version'], USER);
  if (tried.status === 0) return process.execPath;
  const copy = join(parent, 'node');
  await copyFile(process.execPath, copy);
  await chmod(copy, 0o755);
  return copy;
}

function run(command: string, args: readonly string[]): void {
  const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command}: ${stderr}`);
}

export interface Contained {
  readonly child: ChildProcess;
  /** What it has written so far. */
  readonly output: () => string;
  /** Its exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals | null>;
}

/**
 * Starts a command in the tree as the image's user, with these variables and no other. `env -i` because tap adds its
 * own to whatever is spawned, and would go along.
 */
export function start(
  { folder }: ImageTree,
  command: readonly string[],
  variables: Readonly<Record<string, string>>,
): Contained {
  const pairs = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
  const child = spawn('/usr/bin/env', ['-i', ...pairs, ...command], {
    cwd: folder,
    ...USER,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  const ended = new Promise<number | NodeJS.Signals | null>((done, refuse) => {
    child.on('error', refuse);
    child.on('close', (code, signal) => done(code ?? signal));
  });
  return { child, output: () => output, ended };
}
