import { setMaxListeners } from 'node:events';
import type { FastifyBaseLogger } from 'fastify';
import { v7 as uuidv7 } from 'uuid';
import { buildApp } from './app.js';
import {
  BiotrackError,
  type BiotrackEvent,
  type BiotrackOptions,
  type BiotrackState,
  createBiotrack,
} from './biotrack/index.js';
import type { Config } from './config.js';
import { createAuditHook, deleteExpiredAudit } from './db/audit.js';
import {
  closeDatabase,
  type DatabaseEvent,
  type Db,
  openDatabase,
  readPoolUsage,
  withCommitHooks,
} from './db/database.js';
import { measureDatabase } from './db/measurements.js';
import type { Log } from './domain/log-event.js';
import type { Secret } from './domain/secret.js';
import { createSingleFlight } from './domain/single-flight.js';
import type { App } from './http/server.js';
import type { TokenOptions } from './http/tokens.js';
import { startWorker, type Worker } from './jobs/index.js';
import { deleteExpiredChanges } from './modules/changes/index.js';
import { type LoginResult, restoreStatuses } from './modules/credentials/index.js';
import { createDirectoryService } from './modules/directory/index.js';
import { deleteExpiredKeys } from './modules/idempotency/index.js';
import {
  createStateChecks,
  deleteExpiredRuns,
  LARGE_PLAN_LICENSES,
  LargePlans,
  RETRY_POLICY,
  type RetryPolicy,
  type RunReport,
  type RunSyncDeps,
  runSync,
  sweepAbandonedRuns,
} from './modules/syncs/index.js';
import { createCallerHook } from './modules/users/index.js';
import {
  createMetrics,
  listenForMetrics,
  type Metrics,
  type MetricsJson,
  type MetricsListener,
} from './telemetry/index.js';
import { createVault, type Keyset } from './vault/index.js';
import { readVersion } from './version.js';

export interface ServiceOptions {
  readonly config: Pick<
    Config,
    | 'host'
    | 'port'
    | 'metricsPort'
    | 'databasePoolSize'
    | 'role'
    | 'directoryMaxAgeSeconds'
    | 'guardRemovalPercent'
    | 'retention'
    | 'syncIntervalSeconds'
    | 'rateLimits'
    | 'trustProxy'
    | 'corsOrigins'
    | 'forcedRefreshSeconds'
    | 'listCacheMegabytes'
  >;
  readonly publicUrl: string;
  readonly databaseUrl: Secret;
  /** A session connection, without a transaction-mode pooler. */
  readonly databaseDirectUrl: Secret;
  readonly states: readonly BiotrackState[];
  /** For requests to BioTrack. */
  readonly proxy?: BiotrackOptions['proxy'];
  readonly keyset: Keyset;
  /** The host application's tokens; undefined: tokens are rejected. */
  readonly tokens?: TokenOptions | undefined;
  /** Timeouts and retries other than the defaults; tests use shorter ones. */
  readonly timing?: Pick<BiotrackOptions, 'timeouts' | 'retry' | 'circuit'> & {
    readonly databaseSilenceMs?: number;
    readonly runs?: RetryPolicy;
    readonly sweepMs?: number;
  };
  /** Plans of at least this many listed licenses are made one at a time. Tests use smaller ones. Default: `LARGE_PLAN_LICENSES`. */
  readonly largePlanLicenses?: number | undefined;
  /** The metrics of the process that executes runs, if this one does not. */
  readonly readWorkerMetrics?: () => Promise<MetricsJson | undefined> | undefined;
  /** Start without metrics when their port is in use. Default: throw MetricsPortError. */
  readonly areMetricsOptional?: boolean;
  readonly logger: FastifyBaseLogger;
}

/** The running service: the API, the worker, or both, against a migrated database. */
export interface Service {
  readonly db: Db;
  readonly newId: () => string;
  readonly metrics: Metrics;
  /** Finishes requests in flight and releases the current runs to other workers. */
  stop(): Promise<void>;
}

/** The metrics port cannot be opened. */
export class MetricsPortError extends Error {}

/** Runs mostly wait for BioTrack; only planning is CPU-bound. */
const WORKER_CONCURRENCY = 4;

export async function startService(options: ServiceOptions): Promise<Service> {
  const { config, logger } = options;
  const log: Log = logger;
  const { databaseSilenceMs, sweepMs: _, runs: retryPolicy = RETRY_POLICY, ...timing } = options.timing ?? {};
  const { largePlanLicenses = LARGE_PLAN_LICENSES } = options;
  const db: Db = openDatabase({
    url: options.databaseUrl.reveal(),
    poolSize: config.databasePoolSize,
    applicationName: 'biotrack-connect',
    onEvent: (event) => reportDatabaseEvent(metrics, log, event),
    ...(databaseSilenceMs === undefined ? {} : { silenceMs: databaseSilenceMs }),
  });
  const metrics = createMetrics({
    measure: () => measureDatabase(db),
    readPool: () => readPoolUsage(db),
    readWorker: options.readWorkerMetrics,
  });
  const biotrack = createBiotrack({
    ...timing,
    states: options.states,
    proxy: options.proxy,
    onEvent: (event) => {
      metrics.biotrackEvent(event);
      logBiotrackEvent(log, event);
    },
  });
  const vault = createVault(options.keyset);
  const directories = createDirectoryService({
    maxAgeSeconds: config.directoryMaxAgeSeconds,
    guardRemovalPercent: config.guardRemovalPercent,
  });
  const shutdown = new AbortController();
  // Every event stream and every waiting request listens.
  setMaxListeners(0, shutdown.signal);
  const ports = {
    db,
    biotrack,
    vault,
    directories,
    newId: uuidv7,
    clock: () => new Date(),
    shutdown: shutdown.signal,
    loginAttempts: createSingleFlight<LoginResult>(),
    largePlans: new LargePlans(largePlanLicenses),
    guardRemovalPercent: config.guardRemovalPercent,
    syncIntervalSeconds: config.syncIntervalSeconds,
    retryPolicy,
  };

  let listener: MetricsListener | undefined;
  if (config.metricsPort !== 0) {
    listener = await listenForMetrics(metrics, { host: config.host, port: config.metricsPort }).catch((error) => {
      if (options.areMetricsOptional !== true) throw new MetricsPortError('cannot listen', { cause: error });
      log.warn({ event: 'metrics.unavailable', err: error });
      return undefined;
    });
  }
  let app: App | undefined;
  let worker: Worker | undefined;
  if (config.role !== 'worker') {
    app = await buildApp({
      ...ports,
      logger,
      publicUrl: options.publicUrl,
      tokens: options.tokens,
      rateLimits: config.rateLimits,
      databaseConnections: config.databasePoolSize,
      trustProxy: config.trustProxy,
      corsOrigins: config.corsOrigins,
      version: readVersion(),
      forcedRefreshSeconds: config.forcedRefreshSeconds,
      listCacheMegabytes: config.listCacheMegabytes,
      onRequestFinished: metrics.requestFinished,
      runWithContext: (context, rest) =>
        withCommitHooks({ caller: createCallerHook(context.principal), audit: createAuditHook(context) }, rest),
    });
    await app.listen({ host: config.host, port: config.port });
  }
  if (config.role !== 'api') {
    worker = await startRunWorker(options, metrics, ports);
  }
  log.info({
    event: 'service.started',
    role: config.role,
    'http.url': app === undefined ? null : options.publicUrl,
  });

  return {
    db,
    newId: uuidv7,
    metrics,
    async stop() {
      // In parallel: a request that waits for BioTrack must not delay the release of the current runs.
      shutdown.abort(new Error('this process is shutting down'));
      await Promise.all([app?.close(), worker?.stop()]);
      await biotrack.close();
      await listener?.close();
      await closeDatabase(db);
      metrics.close();
      log.info({ event: 'service.stopped' });
    },
  };
}

async function startRunWorker(
  { config, databaseDirectUrl, logger, timing: { sweepMs, databaseSilenceMs: silenceMs } = {} }: ServiceOptions,
  metrics: Metrics,
  ports: Omit<RunSyncDeps, 'onFinished' | 'onEvent'>,
): Promise<Worker> {
  const log: Log = logger;
  const onError = (error: unknown): void => {
    metrics.workerFailed();
    log.error({ event: 'worker.failed', err: error });
  };
  const deps: RunSyncDeps = {
    ...ports,
    onEvent: (event) => (event === 'taken_over' ? metrics.runTakenOver() : metrics.writeFenced()),
    onFinished: (report) => {
      metrics.runFinished(report);
      if (report.reason === 'list_shrunk') metrics.guardTripped('list_shrunk');
      else if (report.status === 'needs_review') metrics.guardTripped('needs_review');
      logRunReport(log, report);
    },
  };
  const stateChecks = createStateChecks({ ...ports, onError });
  const worker = await startWorker({
    url: databaseDirectUrl.reveal(),
    concurrency: WORKER_CONCURRENCY,
    sweepMs,
    silenceMs,
    tasks: { run_sync: ({ tenantId, runId }) => runSync(deps, tenantId, runId) },
    sweeps: [
      async () => {
        const count = await sweepAbandonedRuns(ports.db);
        if (count === 0) return;
        metrics.runsRequeued(count);
        log.warn({ event: 'runs.requeued', count });
      },
      () => stateChecks.start(),
      () => deleteExpiredKeys(ports.db),
      () => restoreStatuses(ports.db, onError),
      inBatches(() => deleteExpiredRuns(ports.db, config.retention)),
      inBatches(() => deleteExpiredAudit(ports.db, config.retention.auditDays)),
      inBatches(() =>
        deleteExpiredChanges(ports.db, { days: config.retention.changesDays, shutdown: ports.shutdown, onError }),
      ),
    ],
    onError,
    onConnectionLost: (error) => {
      metrics.connectionLost('queue');
      log.warn({ event: 'database.connection_lost', err: error });
    },
  });
  return {
    async stop() {
      await worker.stop();
      await stateChecks.finish();
    },
  };
}

/** What must be deleted has been kept for hours or days: some minutes more do not matter. */
const REST_MS = 600_000;

/** Does a batch with each sweep while there is more, and rests otherwise. */
function inBatches(work: () => Promise<boolean>): () => Promise<void> {
  let restsUntil = Number.NEGATIVE_INFINITY;
  return async () => {
    if (performance.now() < restsUntil) return;
    const hasMore = await work();
    if (!hasMore) restsUntil = performance.now() + REST_MS;
  };
}

function logRunReport(log: Log, { tenantId, runId, status, reason, cause }: RunReport): void {
  const entry = {
    ...(cause instanceof BiotrackError ? toBiotrackFields({ ...cause.evidence }) : {}),
    event: 'run.finished' as const,
    'tenant.id': tenantId,
    'run.id': runId,
    'run.status': status,
    'run.reason': reason ?? null,
  };
  // Only unexpected errors are logged with their cause: BioTrack's texts may contain anything.
  if (reason === 'internal') log.error({ ...entry, err: cause });
  else if (status === 'failed') log.warn(entry);
  else log.info(entry);
}

function reportDatabaseEvent(metrics: Metrics, log: Log, event: DatabaseEvent): void {
  if (event.kind === 'connection_lost') {
    metrics.connectionLost('pool');
    log.warn({ event: 'database.connection_lost', err: event.error });
  } else if (event.kind === 'commit_unknown') {
    metrics.commitUnknown();
    log.warn({ event: 'database.commit_unknown' });
  } else if (event.kind === 'retried') {
    metrics.transactionRetried(event.reason);
    log.info({ event: 'database.retried', 'database.reason': event.reason });
  } else {
    // Not logged here: the caller logs the error with its context.
    metrics.databaseError(event.reason);
  }
}

const toBiotrackFields = (fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> =>
  Object.fromEntries(Object.entries(fields).map(([name, value]) => [`biotrack.${name}`, value]));

/** Logs calls at debug level, and problems that an operator should know at warn level. Events contain no secrets. */
function logBiotrackEvent(log: Log, { kind, ...event }: BiotrackEvent): void {
  const entry = {
    event: `biotrack.${kind}` as const,
    ...toBiotrackFields(event),
  };
  if (kind === 'circuit_opened' || kind === 'unknown_text') log.warn(entry);
  else if (kind === 'circuit_closed') log.info(entry);
  else log.debug(entry);
}
