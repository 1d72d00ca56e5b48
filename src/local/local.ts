import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Simulator, startSimulator } from '../simulator/index.js';
import { startEmbeddedPostgres } from './postgres.js';

export interface LocalOptions {
  readonly dataDir: string;
  /** Receives progress messages. */
  readonly print: (line: string) => void;
  /** Returns the text of a new keyset file, for the first start. */
  readonly createKeysetFile: () => string;
}

export interface Local {
  readonly databaseUrl: string;
  /** Paths of files for the service. The states are New Mexico with the simulator's URL. */
  readonly files: { readonly vaultKeysetFile: string; readonly statesFile: string };
  readonly simulator: Simulator;
  stop(): Promise<void>;
}

export const LOCAL_STATE = 'NM';

/** Sealed passwords are bound to this ID. It is fixed, because the simulator's port changes with every start. */
const ORIGIN_ID = 'local-simulator';

/** Starts Postgres and the simulator. Uses the data that an earlier start left in `dataDir`. */
export async function startLocal({ dataDir, print, createKeysetFile }: LocalOptions): Promise<Local> {
  await mkdir(dataDir, { recursive: true });
  print('Starting Postgres …');
  const postgres = await startEmbeddedPostgres({ dataDir: join(dataDir, 'postgres') });
  try {
    const simulator = await startSimulator({ state: 'nm' });
    const environment = { dialect: 'api4', url: simulator.url, origin_id: ORIGIN_ID };
    const states = { [LOCAL_STATE]: { environments: { production: environment, training: environment } } };
    const files = { vaultKeysetFile: join(dataDir, 'keyset.json'), statesFile: join(dataDir, 'states.json') };
    await ensureFile(files.vaultKeysetFile, createKeysetFile);
    await writeFile(files.statesFile, JSON.stringify(states));
    return {
      databaseUrl: postgres.url,
      files,
      simulator,
      async stop() {
        await simulator.close();
        await postgres.stop();
      },
    };
  } catch (error) {
    await postgres.stop();
    throw error;
  }
}

/** A new file is readable by its owner only. */
async function ensureFile(path: string, create: () => string): Promise<void> {
  try {
    await writeFile(path, create(), { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
}
