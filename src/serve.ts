import { join } from 'node:path';
import pino from 'pino';
import { parseStates } from './biotrack/index.js';
import { type Config, ConfigError, type readEnv } from './config.js';
import { readConfigured, readKeyset, readStates } from './configured-files.js';
import { withTenant } from './db/database.js';
import { listPendingMigrations, migrate } from './db/migrate.js';
import { toSqlState } from './db/sqlstate.js';
import { Secret } from './domain/secret.js';
import { parseTokenKeys, TokenKeysError, type TokenOptions } from './http/tokens.js';
import {
  EmbeddedPostgresError,
  findFreePort,
  findLocalFile,
  LOCAL_STATE,
  type Local,
  type LocalFile,
  saveLocalFile,
  startLocal,
  toBanner,
} from './local/index.js';
import { MIGRATIONS } from './migrations.js';
import { authenticateApiKey, createApiKey } from './modules/api-keys/index.js';
import { MetricsPortError, type Service, startService } from './service.js';
import { createLogger } from './telemetry/index.js';
import { createKeysetFile, parseKeyset } from './vault/index.js';

type Environment = ReturnType<typeof readEnv>;

/** Something that runs until it is stopped. */
export interface Running {
  stop(): Promise<void>;
}

/** Starts the service as the environment says: against the given database, or in local mode with one of its own. */
export async function serve(environment: Environment, say: (line: string) => void): Promise<Running> {
  const { databaseUrl, databaseDirectUrl } = environment.secrets;
  try {
    if (databaseUrl === undefined || databaseDirectUrl === undefined)
      return await serveLocally(environment.config, say);
    return await serveConfigured(environment.config, databaseUrl, databaseDirectUrl);
  } catch (error) {
    throw toConfigError(error) ?? error;
  }
}

/** What whoever starts the service can mend, said without a stack trace. */
function toConfigError(error: unknown): ConfigError | undefined {
  if (error instanceof EmbeddedPostgresError) return new ConfigError(error.message);
  if (error instanceof MetricsPortError) {
    return new ConfigError('METRICS_PORT: cannot listen there; 0 does without metrics', { cause: error });
  }
  if (error instanceof Error && 'syscall' in error && error.syscall === 'listen') {
    return new ConfigError(`HOST, PORT: cannot listen there (${'code' in error ? error.code : 'unknown'})`);
  }
  if (error instanceof Error && 'syscall' in error && ['mkdir', 'open', 'access'].includes(String(error.syscall))) {
    return new ConfigError(`DATA_DIR: the folder cannot be used (${'code' in error ? error.code : 'unknown'})`);
  }
  return undefined;
}

async function serveConfigured(config: Config, databaseUrl: Secret, databaseDirectUrl: Secret): Promise<Running> {
  const keyset = await readKeyset(config);
  const states = await readStates(config);
  const tokens = await readTokens(config);
  await refuseOldSchema(databaseDirectUrl);
  const publicUrl = (config.publicUrl ?? `http://${toHost(config.host)}:${config.port}`).replace(/\/$/, '');
  const logger = createLogger(config.logLevel);
  return startService({ config, publicUrl, databaseUrl, databaseDirectUrl, states, keyset, tokens, logger });
}

/** Migrating is a step of its own where several processes share a database: `npm run migrate`. */
async function refuseOldSchema(url: Secret): Promise<void> {
  let pending: readonly string[];
  try {
    pending = await listPendingMigrations({ url: url.reveal(), folder: MIGRATIONS });
  } catch (cause) {
    throw new ConfigError(`DATABASE_URL: the database cannot be used (${toSqlState(cause)})`, { cause });
  }
  if (pending.length === 0) return;
  throw new ConfigError(`DATABASE_URL: the database lacks ${pending.length} migrations; run "npm run migrate" first`);
}

async function serveLocally(config: Config, say: (line: string) => void): Promise<Running> {
  const { dataDir, host } = config;
  const local = await startLocal({ dataDir, say, createKeysetFile: () => createKeysetFile('local') });
  try {
    await migrate({ url: local.databaseUrl, folder: MIGRATIONS });
    const port = config.port === 0 ? await findFreePort(host) : config.port;
    const publicUrl = (config.publicUrl ?? `http://${toHost(host)}:${port}`).replace(/\/$/, '');
    const url = new Secret(local.databaseUrl);
    const logFile = join(dataDir, 'service.log');
    const service = await startService({
      config: { ...config, port },
      publicUrl,
      databaseUrl: url,
      databaseDirectUrl: url,
      states: config.statesFile === undefined ? parseStates(local.states) : await readStates(config),
      keyset: config.vaultKeysetFile === undefined ? parseKeyset(local.keysetFile) : await readKeyset(config),
      tokens: await readTokens(config),
      // The terminal is for people here.
      logger: createLogger(config.logLevel, pino.destination({ dest: logFile, mkdir: true, sync: true })),
      // A second one on this machine is welcome.
      metricsAre: 'wanted',
    });
    const file = await describeLocal(config, publicUrl, local, service);
    say(toBanner(file, await saveLocalFile(dataDir, file), logFile));
    return {
      async stop() {
        await service.stop();
        await local.stop();
      },
    };
  } catch (error) {
    await local.stop();
    throw error;
  }
}

/** Makes sure of an operator's key and the demo tenant, both kept over restarts. */
async function describeLocal(config: Config, baseUrl: string, local: Local, service: Service): Promise<LocalFile> {
  const before = await findLocalFile(config.dataDir);
  const demo = {
    tenant_id: before?.demo?.tenant_id ?? service.newId(),
    state: LOCAL_STATE,
    environment: 'production' as const,
    ...local.simulator.demo,
  };
  await withTenant(service.db, demo.tenant_id, (tx) =>
    tx
      .insertInto('tenants')
      .values({ tenant_id: demo.tenant_id, name: 'Demo', state: demo.state, environment: demo.environment })
      .onConflict((conflict) => conflict.doNothing())
      .execute(),
  );
  return {
    base_url: baseUrl,
    docs_url: `${baseUrl}/docs`,
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

async function readTokens({ jwt }: Config): Promise<TokenOptions | undefined> {
  if (jwt === undefined) return undefined;
  const { issuer, audience, jwksUrl, jwksFile } = jwt;
  if (jwksUrl !== undefined) return { issuer, audience, keys: { kind: 'url', url: jwksUrl } };
  const text = await readConfigured('JWT_JWKS_FILE', jwksFile ?? '');
  try {
    return { issuer, audience, keys: parseTokenKeys(text) };
  } catch (error) {
    if (error instanceof TokenKeysError) throw new ConfigError(`JWT_JWKS_FILE: ${error.message}`);
    throw error;
  }
}

/** An IPv6 address stands in brackets in a URL. */
const toHost = (host: string): string => (host.includes(':') ? `[${host}]` : host);
