import { readFile } from 'node:fs/promises';
import { type BiotrackState, DEFAULT_STATES, parseStates, StatesFileError } from './biotrack/index.js';
import { type Config, ConfigError } from './config.js';
import { type Keyset, KeysetError, parseKeyset } from './vault/index.js';

/** The files that the environment names. What is wrong with one is told by the variable's name. */

export async function readKeyset({ vaultKeysetFile }: Pick<Config, 'vaultKeysetFile'>): Promise<Keyset> {
  if (vaultKeysetFile === undefined) throw new ConfigError('VAULT_KEYSET_FILE is required when DATABASE_URL is set');
  const text = await readConfigured('VAULT_KEYSET_FILE', vaultKeysetFile);
  try {
    return parseKeyset(text);
  } catch (error) {
    if (error instanceof KeysetError) throw new ConfigError(`VAULT_KEYSET_FILE: ${error.message}`);
    throw error;
  }
}

export async function readStates({ statesFile }: Pick<Config, 'statesFile'>): Promise<readonly BiotrackState[]> {
  if (statesFile === undefined) return DEFAULT_STATES;
  const text = await readConfigured('BIOTRACK_STATES_FILE', statesFile);
  try {
    return parseStates(JSON.parse(text));
  } catch (error) {
    if (error instanceof StatesFileError) throw new ConfigError(`BIOTRACK_STATES_FILE: ${error.message}`);
    if (error instanceof SyntaxError) throw new ConfigError('BIOTRACK_STATES_FILE: the file is not JSON');
    throw error;
  }
}

export async function readConfigured(name: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    throw new ConfigError(`${name}: the file cannot be read`);
  }
}
