import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { baseUrl, type InputError } from './fields.js';
import { Hidden } from './hidden.js';
import { readTenantFields, type TenantFields } from './tenant-spec.js';

/** The content of `local.json`, which the service writes in local mode. */
export interface LocalMode {
  readonly baseUrl: string;
  readonly apiKey: Hidden;
  /** The demo tenant without its name and strategy. */
  readonly demo: TenantFields;
}

export const toLocalPath = (dataDir: string): string => join(dataDir, 'local.json');

/** Undefined if the file is missing or invalid. */
export async function findLocalMode(dataDir: string): Promise<LocalMode | undefined> {
  try {
    return parseLocalMode(JSON.parse(await readFile(toLocalPath(dataDir), 'utf8')));
  } catch {
    return undefined;
  }
}

function parseLocalMode(file: unknown): LocalMode | undefined {
  if (typeof file !== 'object' || file === null) return undefined;
  const { base_url, operator_api_key, demo } = file as Readonly<Record<string, unknown>>;
  const url = baseUrl(base_url);
  if ('error' in url || typeof operator_api_key !== 'string') return undefined;
  if (typeof demo !== 'object' || demo === null) return undefined;
  const { tenant_id, state, environment, ubi, username, password } = demo as Readonly<Record<string, unknown>>;
  const errors: InputError[] = [];
  const raw = { tenant_id, state, environment, ubi, credential: { username, password } };
  const fields = readTenantFields(raw, '', errors);
  return errors.length > 0 ? undefined : { baseUrl: url.value, apiKey: new Hidden(operator_api_key), demo: fields };
}
