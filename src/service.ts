import type { FastifyBaseLogger } from 'fastify';
import { v7 as uuidv7 } from 'uuid';
import { buildApp } from './app.js';
import { type BiotrackEvent, type BiotrackOptions, type BiotrackState, createBiotrack } from './biotrack/index.js';
import type { Config } from './config.js';
import { closeDatabase, type Db, openDatabase } from './db/database.js';
import type { Secret } from './domain/secret.js';
import { createSingleFlight } from './domain/single-flight.js';
import type { App } from './http/server.js';
import type { TokenOptions } from './http/tokens.js';
import { startWorker, type Worker } from './jobs/index.js';
import type { Verdict } from './modules/credentials/index.js';
import { createDirectories } from './modules/directory/index.js';
import { type RunOutcome, type RunSyncDeps, runSync, sweepAbandonedRuns } from './modules/syncs/index.js';
import { createVault, type Keyset } from './vault/index.js';

export interface ServiceOptions {
  readonly config: Pick<
    Config,
    | 'host'
    | 'port'
    | 'databasePoolSize'
    | 'role'
    | 'directoryMaxAgeSeconds'
    | 'guardRemovalPercent'
    | 'rateLimitPerMinute'
  >;
  readonly publicUrl: string;
  readonly databaseUrl: Secret;
  /** A session connection. */
  readonly databaseDirectUrl: Secret;
  readonly states: readonly BiotrackState[];
  readonly keyset: Keyset;
  /** The host application's tokens; undefined: nobody comes with one. */
  readonly tokens?: TokenOptions | undefined;
  /** Other patience with BioTrack than usual; for tests, which have little. */
  readonly patience?: Pick<BiotrackOptions, 'timeouts' | 'retry' | 'circuit'>;
  readonly logger: FastifyBaseLogger;
}

/** The running service: the API, the worker, or both, against a migrated database. */
export interface Service {
  readonly db: Db;
  readonly newId: () => string;
  /** Ends in order: requests in flight are answered, the run at hand is handed over. */
  stop(): Promise<void>;
}

/** Runs that wait for BioTrack cost little; the one that plans takes the processor. */
const WORKER_CONCURRENCY = 4;

export async function startService(options: ServiceOptions): Promise<Service> {
  const { config, logger } = options;
  const db = openDatabase({
    url: options.databaseUrl.reveal(),
    poolSize: config.databasePoolSize,
    applicationName: 'biotrack-connect',
    onConnectionError: (error) => logger.warn({ event: 'database.connection_lost', err: error }),
  });
  const biotrack = createBiotrack({
    ...options.patience,
    states: options.states,
    onEvent: (event) => logBiotrackEvent(logger, event),
  });
  const vault = createVault(options.keyset);
  const directories = createDirectories({
    biotrack,
    maxAgeSeconds: config.directoryMaxAgeSeconds,
    guardRemovalPercent: config.guardRemovalPercent,
  });
  const shutdown = new AbortController();
  const ports = {
    db,
    biotrack,
    vault,
    directories,
    newId: uuidv7,
    clock: () => new Date(),
    shutdown: shutdown.signal,
    trials: createSingleFlight<Verdict>(),
    guardRemovalPercent: config.guardRemovalPercent,
  };

  let app: App | undefined;
  let worker: Worker | undefined;
  if (config.role !== 'worker') {
    app = await buildApp({
      ...ports,
      logger,
      publicUrl: options.publicUrl,
      tokens: options.tokens,
      rateLimitPerMinute: config.rateLimitPerMinute,
    });
    await app.listen({ host: config.host, port: config.port });
  }
  if (config.role !== 'api') {
    worker = await startRunWorker(options, ports);
  }
  logger.info({
    event: 'service.started',
    role: config.role,
    'http.url': app === undefined ? null : options.publicUrl,
  });

  return {
    db,
    newId: uuidv7,
    async stop() {
      // Together: a request that waits for BioTrack must not keep the run at hand from being handed over.
      shutdown.abort(new Error('this process is ending'));
      await Promise.all([app?.close(), worker?.stop()]);
      await biotrack.close();
      await closeDatabase(db);
      logger.info({ event: 'service.stopped' });
    },
  };
}

function startRunWorker(
  { databaseDirectUrl, logger }: ServiceOptions,
  ports: Omit<RunSyncDeps, 'onFinished'>,
): Promise<Worker> {
  const deps: RunSyncDeps = { ...ports, onFinished: (outcome) => logOutcome(logger, outcome) };
  return startWorker({
    url: databaseDirectUrl.reveal(),
    concurrency: WORKER_CONCURRENCY,
    tasks: { run_sync: ({ tenantId, runId }) => runSync(deps, tenantId, runId) },
    sweep: async () => {
      const count = await sweepAbandonedRuns(ports.db);
      if (count > 0) logger.warn({ event: 'runs.put_back', count });
    },
    onError: (error) => logger.error({ event: 'worker.failed', err: error }),
  });
}

function logOutcome(logger: FastifyBaseLogger, { tenantId, runId, status, reason, cause }: RunOutcome): void {
  const entry = {
    event: 'run.finished',
    'tenant.id': tenantId,
    'run.id': runId,
    'run.status': status,
    'run.reason': reason ?? null,
  };
  // An unexpected error is ours to mend; what BioTrack did is its own affair, and its text may hold anything.
  if (reason === 'internal') logger.error({ ...entry, err: cause });
  else if (status === 'failed') logger.warn(entry);
  else logger.info(entry);
}

/** One line a call at BioTrack, and a louder one for what an operator should know of. Nothing in an event is secret. */
function logBiotrackEvent(logger: FastifyBaseLogger, { kind, ...event }: BiotrackEvent): void {
  const entry = {
    event: `biotrack.${kind}`,
    ...Object.fromEntries(Object.entries(event).map(([name, value]) => [`biotrack.${name}`, value])),
  };
  if (kind === 'circuit_opened' || kind === 'unknown_text') logger.warn(entry);
  else logger.debug(entry);
}
