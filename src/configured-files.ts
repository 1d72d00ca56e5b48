import { readFile } from 'node:fs/promises';
import { type BiotrackState, DEFAULT_STATES, parseStates, StatesFileError } from './biotrack/index.js';
import { type Config, ConfigError } from './config.js';
import { decodeUtf8 } from './domain/utf8.js';
import { parseTokenKeys, TokenKeysError, type TokenOptions } from './http/tokens.js';
import { type Keyset, KeysetError, parseKeyset } from './vault/index.js';

// Readers of the files that environment variables name. Each error names the variable, and never its value.

/** @throws ConfigError */
export async function readKeyset({ vaultKeysetFile }: Pick<Config, 'vaultKeysetFile'>): Promise<Keyset> {
  if (vaultKeysetFile === undefined) throw new ConfigError('VAULT_KEYSET_FILE is required when DATABASE_URL is set');
  const text = await readConfiguredFile('VAULT_KEYSET_FILE', vaultKeysetFile);
  try {
    return parseKeyset(text);
  } catch (error) {
    if (error instanceof KeysetError) throw new ConfigError(`VAULT_KEYSET_FILE: ${error.message}`);
    throw error;
  }
}

/** @throws ConfigError */
export async function readStates({ statesFile }: Pick<Config, 'statesFile'>): Promise<readonly BiotrackState[]> {
  if (statesFile === undefined) return DEFAULT_STATES;
  const text = await readConfiguredFile('BIOTRACK_STATES_FILE', statesFile);
  try {
    return parseStates(JSON.parse(text));
  } catch (error) {
    if (error instanceof StatesFileError) throw new ConfigError(`BIOTRACK_STATES_FILE: ${error.message}`);
    if (error instanceof SyntaxError) throw new ConfigError('BIOTRACK_STATES_FILE: the file is not valid JSON');
    throw error;
  }
}

/** @throws ConfigError */
export async function readTokenOptions({ jwt }: Pick<Config, 'jwt'>): Promise<TokenOptions | undefined> {
  if (jwt === undefined) return undefined;
  const { jwksUrl, jwksFile, ...options } = jwt;
  if (jwksUrl !== undefined) return { ...options, keys: { kind: 'url', url: jwksUrl } };
  const text = await readConfiguredFile('JWT_JWKS_FILE', jwksFile ?? '');
  try {
    return { ...options, keys: parseTokenKeys(text) };
  } catch (error) {
    if (error instanceof TokenKeysError) throw new ConfigError(`JWT_JWKS_FILE: ${error.message}`);
    throw error;
  }
}

async function readConfiguredFile(name: string, path: string): Promise<string> {
  try {
    return decodeUtf8(await readFile(path));
  } catch (error) {
    const isEncoding = error instanceof TypeError;
    throw new ConfigError(`${name}: ${isEncoding ? 'the file is not valid UTF-8' : 'the file cannot be read'}`);
  }
}
