import { rename, stat, writeFile } from 'node:fs/promises';
import { createBiotrack } from './biotrack/index.js';
import { ConfigError, type readEnv } from './config.js';
import { readKeyset, readStates } from './configured-files.js';
import { closeDatabase, type Db, openDatabase } from './db/database.js';
import { resealCredentials } from './modules/credentials/index.js';
import { countSealed } from './modules/sealed/index.js';
import { eachTenantId } from './modules/tenants/index.js';
import { addKey, createVault, type Keyset, KeysetError, promoteKey, renderKeyset, retireKey } from './vault/index.js';

type Environment = ReturnType<typeof readEnv>;
type Say = (line: string) => void;

const USAGE = `Usage: npm run vault -- <step> [key id]

Another key, without anybody noticing. After each step that changes the file, give it to every process and restart them
one after the other, before the next step:

  add ID       a new key in VAULT_KEYSET_FILE: it opens, and does not seal yet
  promote ID   it seals from now on; the others only open
  reseal       what is stored is sealed anew with it
  retire ID    an old key leaves the file; refused while anything is sealed with it
  status       which key has sealed how much
`;

/** The steps of a rotation. What reads and writes the keyset file is here alone; a service only reads it. */
export async function rotateKeys(
  environment: Environment,
  [step, id, ...rest]: readonly string[],
  say: Say,
  complain: Say,
): Promise<number> {
  const takesId = step === 'add' || step === 'promote' || step === 'retire';
  if (step === '--help' || step === '-h') {
    say(USAGE);
    return 0;
  }
  if (!(takesId || step === 'reseal' || step === 'status') || takesId !== (id !== undefined) || rest.length > 0) {
    complain(USAGE);
    return 2;
  }
  try {
    return await takeStep(environment, step, id ?? '', say, complain);
  } catch (error) {
    if (error instanceof KeysetError) throw new ConfigError(`VAULT_KEYSET_FILE: ${error.message}`);
    throw error;
  }
}

async function takeStep(
  { config, secrets }: Environment,
  step: 'add' | 'promote' | 'retire' | 'reseal' | 'status',
  id: string,
  say: Say,
  complain: Say,
): Promise<number> {
  const keyset = await readKeyset(config);
  const file = config.vaultKeysetFile as string;
  if (step === 'add') {
    await saveKeyset(file, addKey(keyset, id));
    say(`Key ${id} was added. Give the file to every process and restart them; then: npm run vault -- promote ${id}`);
    return 0;
  }
  if (step === 'promote') {
    await saveKeyset(file, promoteKey(keyset, id));
    say(`Key ${id} seals from now on. Give the file to every process and restart them; then: npm run vault -- reseal`);
    return 0;
  }
  const url = secrets.databaseDirectUrl;
  if (url === undefined) throw new ConfigError('DATABASE_URL is required for this step');
  const db = openDatabase({ url: url.reveal(), poolSize: 2, applicationName: 'biotrack-connect vault' });
  try {
    if (step === 'reseal') return await reseal(db, keyset, config, say, complain);
    if (step === 'status') return await showStatus(db, keyset, say, complain);
    const left = retireKey(keyset, id);
    const sealed = (await countSealed(db)).filter(({ keyId }) => keyId === id);
    if (sealed.length > 0) {
      for (const { table, many } of sealed) complain(`${many} in ${table} are sealed with ${id}.`);
      complain('Nothing was changed: without the key they could not be opened. Run "npm run vault -- reseal" first.');
      return 1;
    }
    await saveKeyset(file, left);
    say(`Key ${id} is out of the file. Give the file to every process and restart them.`);
    return 0;
  } finally {
    await closeDatabase(db);
  }
}

async function reseal(db: Db, keyset: Keyset, config: Environment['config'], say: Say, complain: Say): Promise<number> {
  const biotrack = createBiotrack({ states: await readStates(config), onEvent: () => {} });
  try {
    const ports = { biotrack, vault: createVault(keyset) };
    let [resealed, unreadable] = [0, 0];
    for await (const tenantId of eachTenantId(db)) {
      const counts = await resealCredentials(db, ports, tenantId);
      resealed += counts.resealed;
      unreadable += counts.unreadable;
    }
    say(`${resealed} passwords were sealed anew with key ${keyset[0].id}.`);
    if (unreadable > 0) complain(`${unreadable} passwords cannot be opened; their owners have to enter them again.`);
    return unreadable > 0 ? 1 : 0;
  } finally {
    await biotrack.close();
  }
}

async function showStatus(db: Db, keyset: Keyset, say: Say, complain: Say): Promise<number> {
  const counts = await countSealed(db);
  const tell = (id: string): string => {
    const of = counts.filter(({ keyId }) => keyId === id);
    return of.length === 0 ? 'nothing' : of.map(({ many, table }) => `${many} in ${table}`).join(', ');
  };
  for (const [index, { id }] of keyset.entries()) say(`${id}  ${index === 0 ? 'seals' : 'opens'}  ${tell(id)}`);
  const known = new Set(keyset.map(({ id }) => id));
  const lost = [...new Set(counts.map(({ keyId }) => keyId))].filter((id) => !known.has(id));
  for (const id of lost) complain(`${id}  is not in the file, and has sealed ${tell(id)}`);
  return lost.length > 0 ? 1 : 0;
}

/** At once or not at all, and readable by no more people than before. */
async function saveKeyset(path: string, keyset: Keyset): Promise<void> {
  try {
    const { mode } = await stat(path);
    await writeFile(`${path}.new`, renderKeyset(keyset), { mode: mode & 0o777 });
    await rename(`${path}.new`, path);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    throw new ConfigError(`VAULT_KEYSET_FILE: the file cannot be written (${code})`, { cause: error });
  }
}
