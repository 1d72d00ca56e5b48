import { access, chown, lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { geteuid } from 'node:process';

/** Undefined on platforms without user IDs. */
export interface FileOwner {
  readonly uid: number | undefined;
  readonly gid: number | undefined;
}

export async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Changes the owner of a path and everything below it. Does nothing unless this process runs as root. */
export async function changeOwner({ uid, gid }: FileOwner, path: string): Promise<void> {
  if (uid === undefined || gid === undefined || geteuid?.() !== 0) return;
  if ((await lstat(path)).uid === uid) return;
  await chownTree(path, uid, gid);
}

async function chownTree(path: string, uid: number, gid: number): Promise<void> {
  const entry = await lstat(path);
  // chown would follow the link out of the folder.
  if (entry.isSymbolicLink()) return;
  if (entry.isDirectory()) {
    for (const name of await readdir(path)) await chownTree(join(path, name), uid, gid);
  }
  // The folder last: changeOwner checks its owner, so that an interrupted pass is repeated.
  await chown(path, uid, gid);
}
