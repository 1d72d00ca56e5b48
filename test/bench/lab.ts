import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { v7 as uuidv7 } from 'uuid';
import { closeDatabase, type Db, openDatabase } from '../../src/db/database.js';
import { migrate } from '../../src/db/migrate.js';
import type { Strategy } from '../../src/domain/strategy.js';
import { startEmbeddedPostgres } from '../../src/local/index.js';
import { createApiKey } from '../../src/modules/api-keys/index.js';
import type { SimulatorOptions } from '../../src/simulator/index.js';
import { createKeysetFile } from '../../src/vault/index.js';
import { makeBareTables } from './bare.js';
import { type BenchChild, startBenchChild } from './child.js';
import type { ServiceOrder } from './service-process.js';

export const STATE = 'NM';

/** One database with the service and a state, and nothing in it yet. */
export interface Bout {
  readonly baseUrl: string;
  readonly databaseUrl: string;
  readonly apiKey: string;
  readonly simulator: BenchChild;
  readonly service: BenchChild;
  /** Our own connections, for what is measured without HTTP. */
  readonly db: Db;
  /** The owner's connection, past every rule. */
  readonly owner: pg.Client;
  ask(method: string, path: string, body?: unknown, ifMatch?: string): Promise<Record<string, unknown>>;
  /** A tenant, set up and not synced yet. */
  addTenant(strategy: Strategy): Promise<string>;
  /** Asks for a run and waits for its commit. Milliseconds. */
  sync(tenantId: string, refresh: 'auto' | 'force'): Promise<number>;
  /** Waits until a run that was asked for is committed. */
  untilCommitted(runId: string): Promise<void>;
  /** Another service beside it, in the same process, that takes no runs. @param listCacheMegabytes 0: each list is read whenever it is asked for */
  startApi(listCacheMegabytes: number): Promise<BenchApi>;
  end(): Promise<void>;
}

/** A service of a bout that serves alone. */
export interface BenchApi {
  readonly baseUrl: string;
  stop(): Promise<void>;
}

export interface PlayOptions {
  readonly licenses: number;
  readonly seed: number;
  /** A process that has served nothing yet, for what is said of memory. */
  readonly isFresh?: boolean;
}

export interface Lab {
  play(options: PlayOptions): Promise<Bout>;
  stop(): Promise<void>;
}

const MIGRATIONS = new URL('../../migrations/', import.meta.url);
const TEMPLATE = 'bench_template';

/**
 * Postgres as it is shipped: fsync on. Nothing is analysed, as nothing is in a fresh deployment.
 * @param profileFolder where the service's processes leave their CPU profiles
 */
export async function startLab(profileFolder?: string): Promise<Lab> {
  const profiling = profileFolder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileFolder}`];
  const startServiceProcess = (): BenchChild => startBenchChild('service-process.ts', profiling);
  // They begin while Postgres does.
  const warm = { service: startServiceProcess(), simulator: startBenchChild('simulator-process.ts') };
  const dataDir = await mkdtemp(join(tmpdir(), 'biotrack-connect-bench-'));
  // Postgres may have to run as somebody else, who must be able to enter.
  await chmod(dataDir, 0o711);
  const postgres = await startEmbeddedPostgres({ dataDir, settings: { autovacuum: 'off' } });
  await withClient(postgres.url, (client) => client.query(`create database ${TEMPLATE}`));
  await migrate({ url: toDatabaseUrl(postgres.url, TEMPLATE), folder: MIGRATIONS });
  let databases = 0;
  return {
    async play({ licenses, seed, isFresh = false }) {
      databases += 1;
      const name = `bench_${databases}`;
      await withClient(postgres.url, (client) => client.query(`create database ${name} template ${TEMPLATE}`));
      const service = isFresh ? startServiceProcess() : warm.service;
      const processes = { service, simulator: warm.simulator };
      const bout = await startBout(toDatabaseUrl(postgres.url, name), processes, { state: 'nm', licenses, seed });
      return {
        ...bout,
        async end() {
          await bout.end();
          if (isFresh) await service.stop();
          await withClient(postgres.url, (client) => client.query(`drop database ${name} with (force)`));
        },
      };
    },
    async stop() {
      await warm.service.stop();
      await warm.simulator.stop();
      await postgres.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

function toDatabaseUrl(serverUrl: string, name: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}

async function startBout(
  databaseUrl: string,
  { service, simulator }: { readonly service: BenchChild; readonly simulator: BenchChild },
  options: SimulatorOptions,
): Promise<Bout> {
  const state = await simulator.ask<{ url: string; demo: Record<'ubi' | 'username' | 'password', string> }>(
    'start',
    options,
  );
  const order: ServiceOrder = {
    databaseUrl,
    simulatorUrl: state.url,
    keysetFile: createKeysetFile('bench'),
    role: 'all',
    listCacheMegabytes: LIST_CACHE_MEGABYTES,
  };
  const baseUrl = await service.ask<string>('start', order);
  const db = openDatabase({
    url: databaseUrl,
    poolSize: 2,
    applicationName: 'bench',
  });
  const owner = new pg.Client({ connectionString: databaseUrl });
  // Where something fails, that is told, and not that Postgres was then stopped.
  owner.on('error', () => {});
  await owner.connect();
  await makeBareTables(owner);
  const { secret } = await createApiKey(db, uuidv7, { description: 'bench', role: 'operator', tenantId: undefined });
  const apiKey = secret.reveal();

  const ask: Bout['ask'] = async (method, path, body, ifMatch) => {
    const response = await fetch(new URL(path, baseUrl), {
      method,
      headers: {
        authorization: `Bearer ${apiKey}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(ifMatch !== undefined ? { 'if-match': ifMatch } : method === 'PUT' ? { 'if-none-match': '*' } : {}),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const answer = (await response.json()) as Record<string, unknown>;
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(answer)}`);
    return answer;
  };

  /** Asked past the service, which has its hands full. */
  const untilCommitted = async (runId: string): Promise<void> => {
    for (;;) {
      const { rows } = await owner.query<{ status: string; reason: string }>({
        name: 'run',
        text: 'select status, reason from sync_runs where id = $1',
        values: [runId],
      });
      const { status, reason } = rows[0] ?? { status: 'gone', reason: '' };
      if (status === 'succeeded' || status === 'succeeded_with_warnings') return;
      if (status !== 'queued' && status !== 'running') throw new Error(`the run ended as ${status} (${reason})`);
      await delay(POLL_MS);
    }
  };

  return {
    baseUrl,
    databaseUrl,
    apiKey,
    simulator,
    service,
    db,
    owner,
    ask,
    async addTenant(strategy) {
      const tenantId = uuidv7();
      const path = `/v1/tenants/${tenantId}`;
      await ask('PUT', path, { name: 'Bench', state: STATE, environment: 'production' });
      await ask('PUT', `${path}/ubi`, { ubi: state.demo.ubi });
      await ask('PUT', `${path}/company-creation-preference`, { strategy });
      const { username, password } = state.demo;
      await ask('POST', `${path}/credentials`, { description: 'bench', username, password, owner: 'company' });
      return tenantId;
    },
    async sync(tenantId, refresh) {
      const start = performance.now();
      const { id } = await ask('POST', `/v1/tenants/${tenantId}/syncs`, { refresh });
      await untilCommitted(String(id));
      return performance.now() - start;
    },
    untilCommitted,
    async startApi(listCacheMegabytes) {
      const api: ServiceOrder = { ...order, role: 'api', listCacheMegabytes };
      const apiUrl = await service.ask<string>('start', api);
      return { baseUrl: apiUrl, stop: () => service.ask('stop', apiUrl) };
    },
    async end() {
      await service.ask('stop', baseUrl);
      await closeDatabase(db);
      await owner.end();
    },
  };
}

/** As it is shipped. */
const LIST_CACHE_MEGABYTES = 32;

/** Often enough not to be seen in the result; what it costs is one look-up by key. */
const POLL_MS = 3;

export async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
