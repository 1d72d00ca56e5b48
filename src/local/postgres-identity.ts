import { stat } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { getegid, geteuid } from 'node:process';
import { type Command, findProgram, runCommand } from './postgres-command.js';
import { exists, type FileOwner } from './postgres-files.js';

/**
 * As whom Postgres runs, and who owns its files, seen from here. It refuses to run as root, and initdb refuses a user
 * without a name.
 */
export interface Identity extends FileOwner {
  readonly name: string;
  /** Whether it sees the file system as we do. */
  readonly isSelf: boolean;
  wrap(file: string, args: readonly string[]): Command;
}

const NOBODY = 65534;

/** The identities worth trying for this folder, the best first. */
export async function listIdentities(dataDir: string): Promise<Identity[]> {
  const uid = geteuid?.();
  if (uid === 0) return [...(await findOwner(dataDir)), ...(await listNamespaces()), await findNobody()];
  return hasUserName() ? [self()] : [...(await listNamespaces()), self()];
}

/** Whether this identity may go through every folder down to this one. */
export async function canEnter(identity: Identity, folder: string): Promise<boolean> {
  if (identity.isSelf) return true;
  return (await runCommand(identity.wrap('/bin/sh', ['-c', 'cd -- "$1"', 'sh', folder]))).ok;
}

function self(): Identity {
  return {
    name: 'the current user',
    uid: geteuid?.(),
    gid: getegid?.(),
    isSelf: true,
    wrap: (file, args) => ({ file, args }),
  };
}

/** An ordinary user's folder stays that user's, also when root starts us in it: the user's next start needs it so. */
async function findOwner(dataDir: string): Promise<Identity[]> {
  const { uid, gid } = await stat(dataDir);
  const isUsable = uid !== 0 && ((await exists(join(dataDir, 'cluster'))) || (await hasName(uid)));
  return isUsable ? [become(`user ${uid}, who owns ${dataDir}`, uid, gid)] : [];
}

/**
 * A user namespace in which we are called nobody: Postgres is content, while the kernel still sees our own user, who
 * may read below a private home and whose files need no new owner.
 */
async function listNamespaces(): Promise<Identity[]> {
  const unshare = await findProgram('unshare');
  if (unshare === undefined) return [];
  const args = ['--user', `--map-user=${NOBODY}`, `--map-group=${NOBODY}`];
  if (!(await runCommand({ file: unshare, args: [...args, 'true'] })).ok) return [];
  return [
    {
      name: 'nobody in a user namespace',
      uid: geteuid?.(),
      gid: getegid?.(),
      isSelf: false,
      wrap: (file, rest) => ({ file: unshare, args: [...args, file, ...rest] }),
    },
  ];
}

async function findNobody(): Promise<Identity> {
  // Not the same number everywhere.
  const uid = Number.parseInt((await runCommand({ file: 'id', args: ['-u', 'nobody'] })).output, 10);
  const gid = Number.parseInt((await runCommand({ file: 'id', args: ['-g', 'nobody'] })).output, 10);
  return become('the user nobody', Number.isNaN(uid) ? NOBODY : uid, Number.isNaN(gid) ? NOBODY : gid);
}

const become = (name: string, uid: number, gid: number): Identity => ({
  name,
  uid,
  gid,
  isSelf: false,
  wrap: (file, args) => ({ file, args, uid, gid }),
});

function hasUserName(): boolean {
  try {
    return userInfo().username !== '';
  } catch {
    return false;
  }
}

const hasName = async (uid: number): Promise<boolean> =>
  (await runCommand({ file: 'id', args: ['-nu', String(uid)] })).ok;
