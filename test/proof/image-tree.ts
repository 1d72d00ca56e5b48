import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmod, copyFile, cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import process from 'node:process';
import { listCopies, type Stage } from './dockerfile.js';

/** The user of the image if this process can switch users, otherwise the current user. */
export const USER = process.geteuid?.() === 0 ? { uid: 10_001, gid: 10_001 } : {};

export interface ImageTree {
  readonly folder: string;
  /** The path of a Node that the image's user can execute. */
  readonly node: string;
  remove(): Promise<void>;
}

/** Copies the files of the Dockerfile's last stage from this repository into a read-only folder. */
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

/** Copies the installed packages that `npm ci --omit=dev --omit=optional` would install, according to the lock file. */
async function copyPackages(root: string, folder: string): Promise<void> {
  const lock = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')) as Lock;
  for (const [path, { dev, optional, devOptional }] of Object.entries(lock.packages)) {
    if (path === '' || dev === true || optional === true || devOptional === true) continue;
    const source = join(root, path);
    await cp(source, join(folder, path), {
      recursive: true,
      // Nested packages have their own entries.
      filter: (from) => !relative(source, from).split('/').includes('node_modules'),
    });
  }
}

/** Copies Node if the image's user cannot execute it, for example because it is in a home directory. */
async function findNode(parent: string): Promise<string> {
  const attempt = spawnSync(process.execPath, ['--version'], USER);
  if (attempt.status === 0) return process.execPath;
  const copy = join(parent, 'node');
  await copyFile(process.execPath, copy);
  await chmod(copy, 0o755);
  return copy;
}

function run(command: string, args: readonly string[]): void {
  const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command}: ${stderr}`);
}

export interface ImageProcess {
  readonly child: ChildProcess;
  /** Returns stdout and stderr so far. */
  readonly output: () => string;
  /** The exit code, or the signal that ended the process. */
  readonly ended: Promise<number | NodeJS.Signals | null>;
}

/**
 * Starts a command in the tree as the image's user, with only these environment variables. Uses `env -i`, because tap adds
 * variables to every child process.
 */
export function start(
  { folder }: ImageTree,
  command: readonly string[],
  variables: Readonly<Record<string, string>>,
): ImageProcess {
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
  const ended = new Promise<number | NodeJS.Signals | null>((settle, fail) => {
    child.on('error', fail);
    child.on('close', (code, signal) => settle(code ?? signal));
  });
  return { child, output: () => output, ended };
}
