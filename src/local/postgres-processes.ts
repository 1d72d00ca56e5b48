import { readdir, readFile, readlink, rm } from 'node:fs/promises';
import { platform } from 'node:os';
import { join } from 'node:path';
import { kill } from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { runCommand } from './postgres-command.js';

const POLL_MS = 20;

/** Fast, then at once without a checkpoint (the next start recovers), then not to be refused. */
const STOP_STEPS = [
  { signal: 'SIGINT', patienceMs: 15_000 },
  { signal: 'SIGQUIT', patienceMs: 5_000 },
  { signal: 'SIGKILL', patienceMs: 5_000 },
] as const;

/**
 * When a process was born, as a word that differs for the next process of the same number; undefined where there is no
 * such process. A process that has ended and waits for its parent's notice counts as gone.
 */
export async function findStartTime(pid: number): Promise<string | undefined> {
  if (platform() !== 'linux') {
    const { ok, output } = await runCommand({ file: 'ps', args: ['-o', 'lstart=', '-p', String(pid)] });
    return ok ? output.trim() : undefined;
  }
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The second field is the program's name in brackets and may hold anything.
  const [state, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return stat === '' || state === 'Z' || state === 'X' ? undefined : rest[18];
}

/** Stops the Postgres that an earlier, killed owner of this cluster left behind, and waits until all of it is gone. */
export async function stopOrphan(cluster: string, log: (line: string) => void): Promise<void> {
  const pidFile = join(cluster, 'postmaster.pid');
  const written = Number((await readFile(pidFile, 'utf8').catch(() => '')).split('\n')[0]);
  if ((await listServers(cluster)).length > 0) log(`stopping the Postgres that was left behind in ${cluster}`);
  for (const { signal, patienceMs } of STOP_STEPS) {
    const deadline = Date.now() + patienceMs;
    for (let signalled = false; ; signalled = true) {
      const pids = await listServers(cluster);
      if (pids.length === 0) return removeStalePidFile(pidFile, written);
      // The first process stops the others. Where it is gone already they are to end as in a crash, which it was.
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

/** Signals a process that may be gone already. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/**
 * Postgres does not start while the process number in its file is somebody's, and after a crash that may be anybody:
 * no process of this cluster is left, so whoever has the number now is none of ours. A number that nobody has is left
 * to Postgres, which then also looks for shared memory in use.
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

/** The Postgres processes that work in this cluster. Each has it as its working directory. */
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
    // Unreadable is somebody else's, and so is a shell that happens to stand in the folder.
    const folder = await readlink(`/proc/${pid}/cwd`).catch(() => '');
    if (folder !== cluster) continue;
    if ((await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')).trim() === 'postgres') found.push(pid);
  }
  return found;
}
