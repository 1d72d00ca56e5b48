import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { pid as ownPid } from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { findStartTime } from './postgres-processes.js';

const POLL_MS = 25;
const UNWRITTEN_PATIENCE_MS = 1000;

/**
 * Makes this process the only one that works in a data directory, and returns how to end that. Postgres has a lock of
 * its own; this one tells a living owner, who is respected, from a Postgres whose owner was killed, which is stopped.
 */
export async function lockDataDir(file: string, describe: (pid: number) => string): Promise<() => Promise<void>> {
  const mine = `${ownPid} ${await findStartTime(ownPid)}`;
  const deadline = Date.now() + UNWRITTEN_PATIENCE_MS;
  for (;;) {
    try {
      await writeFile(file, mine, { flag: 'wx', mode: 0o600 });
      return async () => rm(file, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const content = await readFile(file, 'utf8').catch(() => '');
    const [pid, birth] = splitOnce(content);
    if (content === '' && Date.now() < deadline) {
      // Made, but not written yet, or just released.
      await delay(POLL_MS);
      continue;
    }
    if (content !== '' && (await findStartTime(pid)) === birth) throw new Error(describe(pid));
    await takeAway(file, content);
  }
}

/** Removes a dead owner's lock, but not the one that a faster process has put in its place. */
async function takeAway(file: string, content: string): Promise<void> {
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

function splitOnce(content: string): [pid: number, birth: string] {
  const space = content.indexOf(' ');
  return [Number(content.slice(0, space)), content.slice(space + 1)];
}
