import { access, chown, lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { geteuid } from 'node:process';

/** Undefined where the platform knows no user ids. */
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

/** Gives everything below a path to its new owner, where it is somebody else's and we may do so (as root). */
export async function changeOwner({ uid, gid }: FileOwner, path: string): Promise<void> {
  if (uid === undefined || gid === undefined || geteuid?.() !== 0) return;
  if ((await lstat(path)).uid === uid) return;
  await giveTree(path, uid, gid);
}

async function giveTree(path: string, uid: number, gid: number): Promise<void> {
  const entry = await lstat(path);
  // What a link points to is not ours to give away; every other entry lies in the folder itself.
  if (entry.isSymbolicLink()) return;
  if (entry.isDirectory()) {
    for (const name of await readdir(path)) await giveTree(join(path, name), uid, gid);
  }
  // The folder last: an interrupted pass is seen by its owner and done again.
  await chown(path, uid, gid);
}
