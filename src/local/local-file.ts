import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What a local start tells to whoever wants to use it: `DATA_DIR/local.json`. */
export interface LocalFile {
  readonly base_url: string;
  readonly docs_url: string;
  readonly operator_api_key: string;
  readonly simulator_url: string;
  readonly simulator_control_url: string;
  readonly demo: {
    readonly tenant_id: string;
    readonly state: string;
    readonly environment: 'production' | 'training';
    readonly ubi: string;
    readonly username: string;
    readonly password: string;
  };
}

const pathOf = (dataDir: string): string => join(dataDir, 'local.json');

/** What the start before left; undefined if there was none, or it cannot be read. */
export async function findLocalFile(dataDir: string): Promise<Partial<LocalFile> | undefined> {
  try {
    return JSON.parse(await readFile(pathOf(dataDir), 'utf8')) as Partial<LocalFile>;
  } catch {
    return undefined;
  }
}

/** At once or not at all: a reader never sees half of it. It holds a key, so it is for its owner alone. */
export async function saveLocalFile(dataDir: string, file: LocalFile): Promise<string> {
  const path = pathOf(dataDir);
  await writeFile(`${path}.new`, `${JSON.stringify(file, null, 2)}\n`, { mode: 0o600 });
  await rename(`${path}.new`, path);
  return path;
}

/** What a local start says when it is ready. */
export function toBanner(file: LocalFile, path: string, logFile: string): string {
  const { base_url, docs_url, operator_api_key, simulator_url, demo } = file;
  return `
biotrack-connect is running in local mode: everything is on this machine, BioTrack is simulated.

  API        ${base_url}
  Docs       ${docs_url}
  API key    ${operator_api_key}
  Simulator  ${simulator_url}  (${demo.state}, UBI ${demo.ubi}, user ${demo.username}, password ${demo.password})
  Tenant     ${demo.tenant_id}
  Log        ${logFile}

These are in ${path} too. What to try next, in another terminal:

  npm run onboard                                        the demo tenant, from UBI to companies
  curl -s -H 'Authorization: Bearer ${operator_api_key}' \\
    ${base_url}/v1/tenants/${demo.tenant_id}/setup         what is done, and what comes next

Stop with Ctrl-C.
`;
}
