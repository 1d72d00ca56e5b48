import { readdir, readFile, readlink, rm } from 'node:fs/promises';
import { platform } from 'node:os';
import { join } from 'node:path';
import { kill } from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { runCommand } from './postgres-command.js';

const POLL_MS = 20;

/** Postgres' fast shutdown, then its immediate one (the next start recovers), then SIGKILL. */
const STOP_STEPS = [
  { signal: 'SIGINT', timeoutMs: 15_000 },
  { signal: 'SIGQUIT', timeoutMs: 5_000 },
  { signal: 'SIGKILL', timeoutMs: 5_000 },
] as const;

/**
 * The start time of a process, to recognize a reused process ID; undefined if there is no such process. A zombie counts
 * as gone.
 */
export async function findStartTime(pid: number): Promise<string | undefined> {
  if (platform() !== 'linux') {
    const { ok, output } = await runCommand({ file: 'ps', args: ['-o', 'lstart=', '-p', String(pid)] });
    return ok ? output.trim() : undefined;
  }
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The second field is the program's name in parentheses, which may contain spaces and parentheses.
  const [state, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return stat === '' || state === 'Z' || state === 'X' ? undefined : rest[18];
}

/** Stops the Postgres that a killed service left running on this cluster, and waits until all its processes are gone. */
export async function stopOrphan(cluster: string, log: (line: string) => void): Promise<void> {
  const pidFile = join(cluster, 'postmaster.pid');
  const written = Number((await readFile(pidFile, 'utf8').catch(() => '')).split('\n')[0]);
  if ((await listServers(cluster)).length > 0) log(`stopping the Postgres that is still running in ${cluster}`);
  for (const { signal, timeoutMs } of STOP_STEPS) {
    const deadline = Date.now() + timeoutMs;
    for (let signalled = false; ; signalled = true) {
      const pids = await listServers(cluster);
      if (pids.length === 0) return removeStalePidFile(pidFile, written);
      // The postmaster stops the other processes. Without it, they can only be stopped as after a crash.
      const isHeadless = !pids.includes(written);
      if (!signalled && isHeadless)
        for (const pid of pids) signalProcess(pid, signal === 'SIGINT' ? 'SIGQUIT' : signal);
      else if (!signalled) signalProcess(written, signal);
      if (Date.now() > deadline) break;
      await delay(POLL_MS);
    }
  }
  throw new Error(`Postgres processes of ${cluster} cannot be stopped: ${(await listServers(cluster)).join(', ')}`);
}

/** Signals a process; does nothing if it is gone. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/**
 * Postgres refuses to start while the process ID in its file is in use, even by an unrelated process. Call this only
 * when no process of the cluster is left. If the ID is unused, the file stays: Postgres handles it, and then also checks
 * for shared memory in use.
 */
async function removeStalePidFile(pidFile: string, written: number): Promise<void> {
  if (!Number.isInteger(written) || written <= 0) return;
  try {
    kill(written, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return;
  }
  await rm(pidFile, { force: true });
}

/** The IDs of the cluster's Postgres processes: their working directory is the cluster. */
async function listServers(cluster: string): Promise<number[]> {
  if (platform() !== 'linux') {
    const { output } = await runCommand({ file: 'ps', args: ['-axo', 'pid=,args='] });
    return output
      .split('\n')
      .filter((line) => line.includes('postgres') && line.includes(`-D ${cluster} `))
      .map((line) => Number.parseInt(line, 10));
  }
  const pids = (await readdir('/proc')).map(Number).filter((pid) => Number.isInteger(pid) && pid > 0);
  const found: number[] = [];
  for (const pid of pids) {
    // Unreadable processes belong to other users. Other programs may use the folder too, for example a shell.
    const folder = await readlink(`/proc/${pid}/cwd`).catch(() => '');
    if (folder !== cluster) continue;
    if ((await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')).trim() === 'postgres') found.push(pid);
  }
  return found;
}
