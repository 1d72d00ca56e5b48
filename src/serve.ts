import type { ChildProcess } from 'node:child_process';
import { openSync } from 'node:fs';
import { join } from 'node:path';
import pino from 'pino';
import { type Config, ConfigError, type readEnv } from './config.js';
import { readKeyset, readStates, readTokenOptions } from './configured-files.js';
import { withTenant } from './db/database.js';
import { listPendingMigrations, MigrationHistoryError, migrate } from './db/migrate.js';
import { toSqlState } from './db/sqlstate.js';
import type { Log } from './domain/log-event.js';
import { Secret } from './domain/secret.js';
import {
  createDemoHost,
  EmbeddedPostgresError,
  findFreePort,
  findLocalFile,
  findPageFolder,
  LOCAL_STATE,
  type Local,
  type LocalFile,
  type PageServer,
  saveLocalFile,
  startLocal,
  startPageServer,
  toBanner,
} from './local/index.js';
import { MIGRATIONS } from './migrations.js';
import { authenticateApiKey, createApiKey } from './modules/api-keys/index.js';
import { insertTenant } from './modules/tenants/index.js';
import { MetricsPortError, type Service, type ServiceOptions, startService } from './service.js';
import { createLogger } from './telemetry/index.js';
import { createKeysetFile } from './vault/index.js';
import { superviseWorker, type WorkerProcess } from './worker-process.js';

type Environment = ReturnType<typeof readEnv>;

export type Running = Pick<Service, 'metrics' | 'stop'>;

export interface ServeOptions {
  readonly print: (line: string) => void;
  /**
   * Starts this program once more, with `ROLE=worker` and further variables.
   * @param output - file descriptor for its log; standard output by default
   */
  readonly forkWorker: (variables: Readonly<Record<string, string>>, output?: number) => ChildProcess;
}

/**
 * Starts the service with the configured database, or in local mode without one.
 * @throws ConfigError for everything that the operator can fix
 */
export async function serve(environment: Environment, options: ServeOptions): Promise<Running> {
  const { databaseUrl, databaseDirectUrl } = environment.secrets;
  try {
    if (databaseUrl === undefined || databaseDirectUrl === undefined)
      return await serveLocally(environment.config, options);
    return await serveConfigured(environment, databaseUrl, databaseDirectUrl, options);
  } catch (error) {
    throw toConfigError(error) ?? error;
  }
}

function toConfigError(error: unknown): ConfigError | undefined {
  if (error instanceof EmbeddedPostgresError) return new ConfigError(error.message);
  if (error instanceof MigrationHistoryError) return new ConfigError(error.message, { cause: error });
  if (error instanceof MetricsPortError) {
    return new ConfigError('METRICS_PORT: cannot listen on this port; set it to 0 to disable metrics', {
      cause: error,
    });
  }
  if (error instanceof Error && 'syscall' in error && error.syscall === 'listen') {
    const code = 'code' in error ? error.code : 'unknown';
    return new ConfigError(`HOST, PORT: cannot listen on this address (${code})`);
  }
  if (error instanceof Error && 'syscall' in error && ['mkdir', 'open', 'access'].includes(String(error.syscall))) {
    return new ConfigError(`DATA_DIR: the folder cannot be used (${'code' in error ? error.code : 'unknown'})`);
  }
  return undefined;
}

async function serveConfigured(
  { config, secrets: { proxy } }: Environment,
  databaseUrl: Secret,
  databaseDirectUrl: Secret,
  { forkWorker }: ServeOptions,
): Promise<Running> {
  const keyset = await readKeyset(config);
  const states = await readStates(config);
  const tokens = await readTokenOptions(config);
  await requireMigrated(databaseDirectUrl);
  const publicUrl = (config.publicUrl ?? `http://${toHost(config.host)}:${config.port}`).replace(/\/$/, '');
  const logger = createLogger(config.logLevel);
  const options = { config, publicUrl, databaseUrl, databaseDirectUrl, states, proxy, keyset, tokens, logger };
  return config.role === 'all' ? startWithWorker(options, () => forkWorker({})) : startService(options);
}

/** The API in this process, runs in another one. */
async function startWithWorker(options: ServiceOptions, fork: () => ChildProcess): Promise<Service> {
  const log: Log = options.logger;
  let worker: WorkerProcess | undefined;
  const service = await startService({
    ...options,
    config: { ...options.config, role: 'api' },
    readWorkerMetrics: () => worker?.readMetrics(),
  });
  worker = superviseWorker(fork, ({ code, signal }) => {
    service.metrics.workerFailed();
    log.error({ event: 'worker.exited', 'process.ending': signal ?? code });
  });
  const stop = async (): Promise<void> => {
    await Promise.all([worker?.stop(), service.stop()]);
  };
  return { ...service, stop };
}

/** A configured service does not migrate on start, because several processes share the database. */
async function requireMigrated(url: Secret): Promise<void> {
  let pending: readonly string[];
  try {
    pending = await listPendingMigrations({ url: url.reveal(), folder: MIGRATIONS });
  } catch (cause) {
    throw new ConfigError(`DATABASE_URL: the database cannot be used (${toSqlState(cause)})`, { cause });
  }
  if (pending.length === 0) return;
  throw new ConfigError(`DATABASE_URL: the database has ${pending.length} pending migrations; run "npm run migrate"`);
}

async function serveLocally(config: Config, { print, forkWorker }: ServeOptions): Promise<Running> {
  const { dataDir, host } = config;
  const local = await startLocal({ dataDir, print, createKeysetFile: () => createKeysetFile('local') });
  let page: PageServer | undefined;
  try {
    await migrate({ url: local.databaseUrl, folder: MIGRATIONS });
    const port = config.port === 0 ? await findFreePort(host) : config.port;
    const publicUrl = (config.publicUrl ?? `http://${toHost(host)}:${port}`).replace(/\/$/, '');
    const url = new Secret(local.databaseUrl);
    const logFile = join(dataDir, 'service.log');
    const files = {
      statesFile: config.statesFile ?? local.files.statesFile,
      vaultKeysetFile: config.vaultKeysetFile ?? local.files.vaultKeysetFile,
    };
    const output = openSync(logFile, 'a');
    const demoHost = await createDemoHost();
    const folder = await findPageFolder();
    // The page has no other tokens than those of its own host.
    if (folder !== undefined && config.jwt === undefined) page = await startPageServer({ folder, host: demoHost });
    const options = {
      config: {
        ...config,
        port,
        corsOrigins: page === undefined ? config.corsOrigins : [...config.corsOrigins, page.origin],
      },
      publicUrl,
      databaseUrl: url,
      databaseDirectUrl: url,
      states: await readStates(files),
      keyset: await readKeyset(files),
      tokens: (await readTokenOptions(config)) ?? demoHost.tokens,
      // A file, because the terminal shows the banner.
      logger: createLogger(config.logLevel, pino.destination({ dest: logFile, mkdir: true, sync: true })),
      // Another local service may use the port.
      areMetricsOptional: true,
    };
    const variables = {
      DATABASE_URL: local.databaseUrl,
      PORT: String(port),
      BIOTRACK_STATES_FILE: files.statesFile,
      VAULT_KEYSET_FILE: files.vaultKeysetFile,
    };
    const service = await startWithWorker(options, () => forkWorker(variables, output));
    const file = await prepareDemo(config, publicUrl, local, service, page);
    page?.open({ baseUrl: publicUrl, tenantId: file.demo.tenant_id });
    print(toBanner(file, await saveLocalFile(dataDir, file), logFile));
    return {
      metrics: service.metrics,
      async stop() {
        await page?.stop();
        await service.stop();
        await local.stop();
      },
    };
  } catch (error) {
    await page?.stop();
    await local.stop();
    throw error;
  }
}

/** Creates the operator key and the demo tenant, or uses those of the last start. */
async function prepareDemo(
  config: Config,
  baseUrl: string,
  local: Local,
  service: Service,
  page: PageServer | undefined,
): Promise<LocalFile> {
  const before = await findLocalFile(config.dataDir);
  const demo = {
    tenant_id: before?.demo?.tenant_id ?? service.newId(),
    state: LOCAL_STATE,
    environment: 'production' as const,
    ...local.simulator.demo,
  };
  const { tenant_id: id, state, environment } = demo;
  await withTenant(service.db, id, (tx) => insertTenant(tx, { id, name: 'Demo', state, environment }));
  return {
    base_url: baseUrl,
    docs_url: `${baseUrl}/docs`,
    page_url: page === undefined ? null : `${page.origin}/`,
    operator_api_key: await ensureOperatorKey(service, before?.operator_api_key),
    simulator_url: local.simulator.url,
    simulator_control_url: local.simulator.controlUrl,
    demo,
  };
}

async function ensureOperatorKey({ db, newId }: Service, known: string | undefined): Promise<string> {
  if (known !== undefined && (await authenticateApiKey(db, known)) !== undefined) return known;
  const { secret } = await createApiKey(db, newId, {
    description: 'local mode',
    role: 'operator',
    tenantId: undefined,
  });
  return secret.reveal();
}

/** An IPv6 address needs brackets in a URL. */
const toHost = (host: string): string => (host.includes(':') ? `[${host}]` : host);
