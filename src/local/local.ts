import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type Simulator, startSimulator } from '../simulator/index.js';
import { startEmbeddedPostgres } from './postgres.js';

export interface LocalOptions {
  readonly dataDir: string;
  /** Told of each step: the first start takes a few seconds. */
  readonly say: (line: string) => void;
  /** Makes a keyset file's text; called at the first start. */
  readonly createKeysetFile: () => string;
}

/** All that the service needs beside itself, on this machine and under one folder. */
export interface Local {
  readonly databaseUrl: string;
  readonly keysetFile: string;
  /** A states file's content: New Mexico, played by the simulator. */
  readonly states: unknown;
  readonly simulator: Simulator;
  stop(): Promise<void>;
}

export const LOCAL_STATE = 'NM';

/**
 * What passwords are bound to here. It does not change although the simulator's port does, so that a password sealed
 * before a restart can be opened after it.
 */
const ORIGIN_ID = 'local-simulator';

/** Starts Postgres and the simulator; what an earlier start left in the folder is used again. */
export async function startLocal({ dataDir, say, createKeysetFile }: LocalOptions): Promise<Local> {
  await mkdir(dataDir, { recursive: true });
  say('Starting Postgres …');
  const postgres = await startEmbeddedPostgres({ dataDir: join(dataDir, 'postgres') });
  try {
    const simulator = await startSimulator({ state: 'nm' });
    const environment = { dialect: 'api4', url: simulator.url, origin_id: ORIGIN_ID };
    return {
      databaseUrl: postgres.url,
      keysetFile: await ensureFile(join(dataDir, 'keyset.json'), createKeysetFile),
      states: { [LOCAL_STATE]: { environments: { production: environment, training: environment } } },
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

/** The file's text; written once, readable by its owner alone. */
async function ensureFile(path: string, create: () => string): Promise<string> {
  try {
    await writeFile(path, create(), { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
  return readFile(path, 'utf8');
}

/** A port that nobody listens on, for whoever has to know it before he listens himself. */
export function findFreePort(host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, host, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
