import { stat } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { getegid, geteuid } from 'node:process';
import { type Command, findProgram, runCommand } from './postgres-command.js';
import { exists, type FileOwner } from './postgres-files.js';

/**
 * The user that Postgres runs as; `uid` and `gid` own its files. Postgres refuses to run as root, and initdb as a user
 * without a name.
 */
export interface Identity extends FileOwner {
  readonly name: string;
  /** Whether it has the file permissions of this process. */
  readonly isSelf: boolean;
  wrap(file: string, args: readonly string[]): Command;
}

const NOBODY = 65534;

/** The identities to try for this folder, in order of preference. */
export async function listIdentities(dataDir: string): Promise<Identity[]> {
  const uid = geteuid?.();
  if (uid === 0) return [...(await findOwner(dataDir)), ...(await listNamespaces()), await findNobody()];
  return hasUserName() ? [self()] : [...(await listNamespaces()), self()];
}

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

/** If root starts the service in another user's folder, Postgres runs as that user, who can then still use the folder. */
async function findOwner(dataDir: string): Promise<Identity[]> {
  const { uid, gid } = await stat(dataDir);
  const isUsable = uid !== 0 && ((await exists(join(dataDir, 'cluster'))) || (await hasName(uid)));
  return isUsable ? [toIdentity(`user ${uid}, the owner of ${dataDir}`, uid, gid)] : [];
}

/**
 * A user namespace that maps the current user to `nobody`. Postgres accepts it, while file permissions and owners stay
 * those of the current user.
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
  // The IDs differ between systems.
  const uid = Number.parseInt((await runCommand({ file: 'id', args: ['-u', 'nobody'] })).output, 10);
  const gid = Number.parseInt((await runCommand({ file: 'id', args: ['-g', 'nobody'] })).output, 10);
  return toIdentity('the user nobody', Number.isNaN(uid) ? NOBODY : uid, Number.isNaN(gid) ? NOBODY : gid);
}

const toIdentity = (name: string, uid: number, gid: number): Identity => ({
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
