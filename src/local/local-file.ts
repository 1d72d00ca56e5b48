import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** `DATA_DIR/local.json`: how to reach the running local service. */
export interface LocalFile {
  readonly base_url: string;
  readonly docs_url: string;
  /** The example page. Null if it was not built. */
  readonly page_url: string | null;
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

/** The file of the last start; undefined if there is none or it is not readable. */
export async function findLocalFile(dataDir: string): Promise<Partial<LocalFile> | undefined> {
  try {
    return JSON.parse(await readFile(pathOf(dataDir), 'utf8')) as Partial<LocalFile>;
  } catch {
    return undefined;
  }
}

/** Writes the file atomically. It contains an API key, so only its owner can read it. */
export async function saveLocalFile(dataDir: string, file: LocalFile): Promise<string> {
  const path = pathOf(dataDir);
  await writeFile(`${path}.new`, `${JSON.stringify(file, null, 2)}\n`, { mode: 0o600 });
  await rename(`${path}.new`, path);
  return path;
}

const NO_PAGE = 'not available: it requires esbuild during the build, and no JWT_… variables';

export function toBanner(file: LocalFile, path: string, logFile: string): string {
  const { base_url, docs_url, page_url, operator_api_key, simulator_url, demo } = file;
  return `
biotrack-connect is running in local mode, with an embedded Postgres and a BioTrack simulator.

  API        ${base_url}
  Docs       ${docs_url}
  Page       ${page_url === null ? NO_PAGE : `${page_url}  (a settings page; as a user without admin rights: ${page_url}?as=user)`}
  API key    ${operator_api_key}
  Simulator  ${simulator_url}  (${demo.state}, UBI ${demo.ubi}, user ${demo.username}, password ${demo.password})
  Tenant     ${demo.tenant_id}
  Log        ${logFile}

${path} contains the same values. Next, in another terminal:

  # Onboard the demo tenant: set it up and run its first sync
  npm run onboard

  # Show the setup status of the demo tenant
  curl -s -H 'Authorization: Bearer ${operator_api_key}' \\
    ${base_url}/v1/tenants/${demo.tenant_id}/setup

Press Ctrl-C to stop.
`;
}
