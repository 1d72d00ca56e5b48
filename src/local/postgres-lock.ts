import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { pid as ownPid } from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { findStartTime } from './postgres-processes.js';

const POLL_MS = 25;
const EMPTY_FILE_TIMEOUT_MS = 1000;

/**
 * Locks a data directory for this process and returns a function that unlocks it. Unlike Postgres' own lock, this one
 * distinguishes a running service from a Postgres that must be stopped because its service was killed.
 * @throws Error with the text of `describe` if another process holds the lock
 */
export async function lockDataDir(file: string, describe: (pid: number) => string): Promise<() => Promise<void>> {
  const mine = `${ownPid} ${await findStartTime(ownPid)}`;
  const deadline = Date.now() + EMPTY_FILE_TIMEOUT_MS;
  for (;;) {
    try {
      await writeFile(file, mine, { flag: 'wx', mode: 0o600 });
      return async () => rm(file, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const content = await readFile(file, 'utf8').catch(() => '');
    const [pid, startTime] = parseLock(content);
    if (content === '' && Date.now() < deadline) {
      // Created but not written yet, or just released.
      await delay(POLL_MS);
      continue;
    }
    if (content !== '' && (await findStartTime(pid)) === startTime) throw new Error(describe(pid));
    await deleteStaleLock(file, content);
  }
}

/** Deletes the lock of a dead process, but not a lock that another process has created meanwhile. */
async function deleteStaleLock(file: string, content: string): Promise<void> {
  const aside = `${file}.${ownPid}`;
  try {
    await rename(file, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  const taken = await readFile(aside, 'utf8');
  if (taken === content) await rm(aside, { force: true });
  else await rename(aside, file);
}

function parseLock(content: string): [pid: number, startTime: string] {
  const space = content.indexOf(' ');
  return [Number(content.slice(0, space)), content.slice(space + 1)];
}
