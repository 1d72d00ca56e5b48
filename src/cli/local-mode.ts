import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { baseUrl, type FieldMistake } from './fields.js';
import { Hidden } from './hidden.js';
import { readTenantFields, type TenantFields } from './tenant-order.js';

/** What a running local mode tells in its `local.json`. */
export interface LocalMode {
  readonly baseUrl: string;
  readonly apiKey: Hidden;
  /** The demo tenant, but for its name and the strategy. */
  readonly demo: TenantFields;
}

export const toLocalPath = (dataDir: string): string => join(dataDir, 'local.json');

/** Undefined where no local mode ran, or its file cannot be made out. */
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
  if ('refusal' in url || typeof operator_api_key !== 'string') return undefined;
  if (typeof demo !== 'object' || demo === null) return undefined;
  const { tenant_id, state, environment, ubi, username, password } = demo as Readonly<Record<string, unknown>>;
  const mistakes: FieldMistake[] = [];
  const raw = { tenant_id, state, environment, ubi, credential: { username, password } };
  const fields = readTenantFields(raw, '', mistakes);
  return mistakes.length > 0 ? undefined : { baseUrl: url.value, apiKey: new Hidden(operator_api_key), demo: fields };
}
