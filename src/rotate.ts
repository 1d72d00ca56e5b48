import { rename, stat, writeFile } from 'node:fs/promises';
import { createBiotrack } from './biotrack/index.js';
import { type Config, ConfigError, type readEnv } from './config.js';
import { readKeyset, readStates } from './configured-files.js';
import { closeDatabase, type Db, openDatabase } from './db/database.js';
import { countSealed } from './db/sealed-columns.js';
import { resealCredentials } from './modules/credentials/index.js';
import { iterateTenantIds } from './modules/tenants/index.js';
import { addKey, createVault, type Keyset, KeysetError, promoteKey, renderKeyset, retireKey } from './vault/index.js';

type Environment = ReturnType<typeof readEnv>;

interface Output {
  readonly print: (line: string) => void;
  readonly printError: (line: string) => void;
}

const USAGE = `Usage: npm run vault -- <step> [key ID]

Rotate the keys that seal (encrypt) passwords, without downtime. After each step that changes VAULT_KEYSET_FILE, copy
the file to every process and restart the processes one by one before the next step.

  add ID       add a key to the file; it can open passwords, but does not seal them yet
  promote ID   seal new passwords with this key; the other keys only open
  reseal       seal all stored passwords again with the current key
  retire ID    delete an old key from the file; refused while stored passwords are sealed with it
  status       count the stored passwords per key
`;

/**
 * Runs one step of a key rotation. Only this command writes the keyset file; the service only reads it.
 * @returns the exit code
 */
export async function rotateKeys(
  environment: Environment,
  [step, id, ...rest]: readonly string[],
  output: Output,
): Promise<number> {
  const needsId = step === 'add' || step === 'promote' || step === 'retire';
  if (step === '--help' || step === '-h') {
    output.print(USAGE);
    return 0;
  }
  if (!(needsId || step === 'reseal' || step === 'status') || needsId !== (id !== undefined) || rest.length > 0) {
    output.printError(USAGE);
    return 2;
  }
  try {
    return await runStep(environment, step, id ?? '', output);
  } catch (error) {
    if (error instanceof KeysetError) throw new ConfigError(`VAULT_KEYSET_FILE: ${error.message}`);
    throw error;
  }
}

const NEXT = 'Copy the file to every process and restart the processes';

async function runStep(
  { config, secrets }: Environment,
  step: 'add' | 'promote' | 'retire' | 'reseal' | 'status',
  id: string,
  { print, printError }: Output,
): Promise<number> {
  const keyset = await readKeyset(config);
  const file = config.vaultKeysetFile as string;
  if (step === 'add') {
    await saveKeyset(file, addKey(keyset, id));
    print(`Added key ${id}. ${NEXT}. Then run: npm run vault -- promote ${id}`);
    return 0;
  }
  if (step === 'promote') {
    await saveKeyset(file, promoteKey(keyset, id));
    print(`Key ${id} now seals new passwords. ${NEXT}. Then run: npm run vault -- reseal`);
    return 0;
  }
  const url = secrets.databaseDirectUrl;
  if (url === undefined) throw new ConfigError('DATABASE_URL is required for this step');
  const db = openDatabase({ url: url.reveal(), poolSize: 2, applicationName: 'biotrack-connect vault' });
  try {
    if (step === 'reseal') return await resealPasswords(db, keyset, config, { print, printError });
    if (step === 'status') return await printStatus(db, keyset, { print, printError });
    const remaining = retireKey(keyset, id);
    const sealed = (await countSealed(db, iterateTenantIds(db))).filter(({ keyId }) => keyId === id);
    if (sealed.length > 0) {
      for (const { table, count } of sealed) printError(`${count} passwords in ${table} are sealed with key ${id}.`);
      printError(
        'Nothing was changed, because they could not be opened without the key. Run first: npm run vault -- reseal',
      );
      return 1;
    }
    await saveKeyset(file, remaining);
    print(`Deleted key ${id} from the file. ${NEXT}.`);
    return 0;
  } finally {
    await closeDatabase(db);
  }
}

async function resealPasswords(db: Db, keyset: Keyset, config: Config, { print, printError }: Output): Promise<number> {
  const biotrack = createBiotrack({ states: await readStates(config), onEvent: () => {} });
  try {
    const ports = { biotrack, vault: createVault(keyset) };
    let [resealed, unreadable] = [0, 0];
    for await (const tenantId of iterateTenantIds(db)) {
      const counts = await resealCredentials(db, ports, tenantId);
      resealed += counts.resealed;
      unreadable += counts.unreadable;
    }
    print(`Resealed ${resealed} passwords with key ${keyset[0].id}.`);
    if (unreadable > 0) printError(`${unreadable} passwords cannot be opened. Their owners have to enter them again.`);
    return unreadable > 0 ? 1 : 0;
  } finally {
    await biotrack.close();
  }
}

async function printStatus(db: Db, keyset: Keyset, { print, printError }: Output): Promise<number> {
  const counts = await countSealed(db, iterateTenantIds(db));
  const describe = (id: string): string => {
    const ofKey = counts.filter(({ keyId }) => keyId === id);
    return ofKey.length === 0 ? 'none' : ofKey.map(({ count, table }) => `${count} in ${table}`).join(', ');
  };
  for (const [index, { id }] of keyset.entries()) print(`${id}  ${index === 0 ? 'seals' : 'opens'}  ${describe(id)}`);
  const known = new Set(keyset.map(({ id }) => id));
  const missing = [...new Set(counts.map(({ keyId }) => keyId))].filter((id) => !known.has(id));
  for (const id of missing) printError(`${id}  is not in the file, but has sealed ${describe(id)}`);
  return missing.length > 0 ? 1 : 0;
}

/** Replaces the file atomically and keeps its permissions. */
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
