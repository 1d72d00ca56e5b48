import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { constants, setPriority, tmpdir } from 'node:os';
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
import type { BenchServiceOptions } from './service-process.js';

export const STATE = 'NM';

/** A new database with a running service and simulator, without tenants. */
export interface BenchInstance {
  readonly baseUrl: string;
  readonly databaseUrl: string;
  readonly apiKey: string;
  readonly simulator: BenchChild;
  /** Serves requests. */
  readonly api: BenchChild;
  /** Executes runs, as the worker process of `npm start` does. */
  readonly worker: BenchChild;
  /** The benchmark's connections, for measurements without HTTP. */
  readonly db: Db;
  /** The database owner's connection, which bypasses row security. */
  readonly owner: pg.Client;
  ask(method: string, path: string, body?: unknown, ifMatch?: string): Promise<Record<string, unknown>>;
  /** Creates a tenant that is ready to sync and returns its id. */
  addTenant(strategy: Strategy): Promise<string>;
  /** Requests a run and waits for its commit. Returns milliseconds. */
  sync(tenantId: string, refresh: 'auto' | 'force'): Promise<number>;
  /** @throws Error if the run fails */
  untilCommitted(runId: string): Promise<void>;
  /** Starts a second service in the process that serves requests. @param listCacheMegabytes `0` disables the page cache */
  startApi(listCacheMegabytes: number): Promise<BenchApi>;
  end(): Promise<void>;
}

/** A second service of an instance, which only serves requests. */
export interface BenchApi {
  readonly baseUrl: string;
  stop(): Promise<void>;
}

export interface InstanceOptions {
  readonly licenses: number;
  readonly seed: number;
  /** Starts a new worker process, to measure its memory. Defaults to `false`. */
  readonly isFresh?: boolean;
}

export interface Lab {
  startInstance(options: InstanceOptions): Promise<BenchInstance>;
  stop(): Promise<void>;
}

const MIGRATIONS = new URL('../../migrations/', import.meta.url);
const TEMPLATE = 'bench_template';

/**
 * Starts Postgres with its default settings, fsync included, but without autovacuum: tables have no statistics, as in a new
 * deployment.
 * @param profileFolder where the service processes write CPU profiles
 */
export async function startLab(profileFolder?: string): Promise<Lab> {
  const profiling = profileFolder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileFolder}`];
  const startServiceProcess = (...options: readonly string[]): BenchChild =>
    startBenchChild('service-process.ts', [...profiling, ...options]);
  const startWorker = (): BenchChild => {
    const worker = startServiceProcess(`--max-old-space-size=${WORKER_HEAP_MB}`);
    setPriority(worker.pid, constants.priority.PRIORITY_BELOW_NORMAL);
    return worker;
  };
  // They start in parallel with Postgres.
  const warm = {
    api: startServiceProcess(),
    worker: startWorker(),
    simulator: startBenchChild('simulator-process.ts'),
  };
  const dataDir = await mkdtemp(join(tmpdir(), 'biotrack-connect-bench-'));
  // Postgres may run as another user, who needs access to the folder.
  await chmod(dataDir, 0o711);
  const postgres = await startEmbeddedPostgres({ dataDir, settings: { autovacuum: 'off' } });
  await withClient(postgres.url, (client) => client.query(`create database ${TEMPLATE}`));
  await migrate({ url: toDatabaseUrl(postgres.url, TEMPLATE), folder: MIGRATIONS });
  let databases = 0;
  return {
    async startInstance({ licenses, seed, isFresh = false }) {
      databases += 1;
      const name = `bench_${databases}`;
      await withClient(postgres.url, (client) => client.query(`create database ${name} template ${TEMPLATE}`));
      const processes = isFresh ? { ...warm, worker: startWorker() } : warm;
      const instance = await setUpInstance(toDatabaseUrl(postgres.url, name), processes, {
        state: 'nm',
        licenses,
        seed,
      });
      return {
        ...instance,
        async end() {
          await instance.end();
          if (isFresh) await processes.worker.stop();
          await withClient(postgres.url, (client) => client.query(`drop database ${name} with (force)`));
        },
      };
    },
    async stop() {
      await warm.api.stop();
      await warm.worker.stop();
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

async function setUpInstance(
  databaseUrl: string,
  { api, worker, simulator }: Pick<BenchInstance, 'api' | 'worker' | 'simulator'>,
  options: SimulatorOptions,
): Promise<BenchInstance> {
  const state = await simulator.ask<{ url: string; demo: Record<'ubi' | 'username' | 'password', string> }>(
    'start',
    options,
  );
  const serviceOptions: BenchServiceOptions = {
    databaseUrl,
    simulatorUrl: state.url,
    keysetFile: createKeysetFile('bench'),
    role: 'api',
    listCacheMegabytes: LIST_CACHE_MEGABYTES,
  };
  const baseUrl = await api.ask<string>('start', serviceOptions);
  const workerUrl = await worker.ask<string>('start', { ...serviceOptions, role: 'worker' });
  const db = openDatabase({
    url: databaseUrl,
    poolSize: 2,
    applicationName: 'bench',
  });
  const owner = new pg.Client({ connectionString: databaseUrl });
  // After a failure Postgres stops; only the first error is reported.
  owner.on('error', () => {});
  await owner.connect();
  await makeBareTables(owner);
  const { secret } = await createApiKey(db, uuidv7, { description: 'bench', role: 'operator', tenantId: undefined });
  const apiKey = secret.reveal();

  const ask: BenchInstance['ask'] = async (method, path, body, ifMatch) => {
    const response = await fetch(new URL(path, baseUrl), {
      method,
      headers: {
        authorization: `Bearer ${apiKey}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(ifMatch !== undefined ? { 'if-match': ifMatch } : method === 'PUT' ? { 'if-none-match': '*' } : {}),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const content = (await response.json()) as Record<string, unknown>;
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(content)}`);
    return content;
  };

  /** Reads the database directly, because polling the API would slow down the service. */
  const untilCommitted = async (runId: string): Promise<void> => {
    for (;;) {
      const { rows } = await owner.query<{ status: string; reason: string }>({
        name: 'run',
        text: 'select status, reason from sync_runs where id = $1',
        values: [runId],
      });
      const { status, reason } = rows[0] ?? { status: 'missing', reason: '' };
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
    api,
    worker,
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
      const apiUrl = await api.ask<string>('start', { ...serviceOptions, listCacheMegabytes });
      return { baseUrl: apiUrl, stop: () => api.ask('stop', apiUrl) };
    },
    async end() {
      await worker.ask('stop', workerUrl);
      await api.ask('stop', baseUrl);
      await closeDatabase(db);
      await owner.end();
    },
  };
}

/** As main.ts starts the worker process. */
const WORKER_HEAP_MB = 1_024;

/** The default of the service. */
const LIST_CACHE_MEGABYTES = 32;

/** Short, so that it does not affect the result. Each poll is one lookup by primary key. */
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
