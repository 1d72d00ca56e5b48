import {
  AggregatorRegistry,
  Counter,
  collectDefaultMetrics,
  Gauge,
  Histogram,
  type MetricObjectWithValues,
  type MetricValue,
  Registry,
} from 'prom-client';
import type { BiotrackEvent } from '../biotrack/index.js';
import type { FailureReason } from '../domain/failure-reason.js';
import { toSnakeCase } from '../domain/snake-case.js';
import type { RunStatus, SyncCounts, SyncRows } from '../domain/sync-run.js';
import type { RequestFacts } from '../http/request-log.js';

export interface RunFacts {
  readonly status: RunStatus | 'handed_over' | 'retry_scheduled';
  readonly reason: FailureReason | undefined;
  readonly counts?: SyncCounts | undefined;
  readonly rows?: SyncRows | undefined;
}

/** Counts from the database, over all processes and tenants. */
export interface Measurements {
  readonly runs: readonly { readonly status: string; readonly count: number; readonly oldestSeconds: number }[];
  readonly credentials: readonly { readonly status: string; readonly count: number }[];
  readonly migrations: number;
}

export interface Gauges {
  /** @throws if the database does not answer */
  measure(): Promise<Measurements>;
  readPool(): { readonly open: number; readonly idle: number; readonly waiting: number };
  /** The metrics of this machine's other process; undefined if it does not answer. */
  readonly readWorker?: (() => Promise<MetricsJson | undefined> | undefined) | undefined;
}

/** What a registry knows, to be sent to another process. */
export type MetricsJson = MetricObjectWithValues<MetricValue<string>>[];

/** Labels have a closed list of values: never a tenant, an ID or free text. */
export interface Metrics {
  requestFinished(facts: RequestFacts): void;
  biotrackEvent(event: BiotrackEvent): void;
  runFinished(facts: RunFacts): void;
  runsRequeued(count: number): void;
  runTakenOver(): void;
  /** A worker tried to write after it had lost its run. */
  writeFenced(): void;
  guardTripped(guard: 'list_shrunk' | 'needs_review'): void;
  connectionLost(of: 'pool' | 'queue'): void;
  databaseError(kind: string): void;
  transactionRetried(kind: string): void;
  commitUnknown(): void;
  workerFailed(): void;
  /** For `readWorker` of another process, which measures the database itself. */
  collect(): Promise<MetricsJson>;
  /** Prometheus text format, of all processes of this machine. */
  render(): Promise<string>;
  readonly contentType: string;
  close(): void;
}

const PREFIX = 'biotrack_connect_';
const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
/** The database is measured at most this often, however often metrics are scraped. */
const MEASURE_INTERVAL_MS = 5_000;

export function createMetrics(gauges: Gauges): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const counter = <Label extends string>(name: string, help: string, labelNames: readonly Label[] = []) =>
    new Counter({ name: PREFIX + name, help, labelNames, registers: [registry] });
  const seconds = <Label extends string>(name: string, help: string, labelNames: readonly Label[]) =>
    new Histogram({ name: PREFIX + name, help, labelNames, buckets: SECONDS, registers: [registry] });

  const requests = counter('requests_total', 'API requests.', ['method', 'route', 'status']);
  const requestSeconds = seconds('request_duration_seconds', 'Duration of API requests.', ['route']);
  const requestErrors = counter('request_errors_total', 'API requests that failed, by error code.', ['code']);
  const calls = counter('upstream_calls_total', 'Calls to BioTrack.', ['action', 'outcome', 'answer']);
  const callSeconds = seconds('upstream_call_duration_seconds', 'Duration of calls to BioTrack.', ['action']);
  const callBytes = counter('upstream_received_bytes_total', 'Bytes received from BioTrack.', ['action']);
  const circuits = counter('upstream_circuit_changes_total', 'Circuit breakers opened or closed.', ['change']);
  const unknownTexts = counter('upstream_unknown_texts_total', 'BioTrack error messages that are not recognized.', [
    'state',
    'action',
    'label',
  ]);
  const sessions = counter('upstream_sessions_renewed_total', 'Repeated logins after a BioTrack session was lost.', [
    'state',
  ]);
  const runs = counter('runs_finished_total', 'Runs that finished or were scheduled for a retry.', [
    'status',
    'reason',
  ]);
  const requeued = counter('runs_requeued_total', 'Abandoned runs that were queued again.');
  const takenOver = counter('runs_taken_over_total', 'Runs taken over from a worker that stopped responding.');
  const fenced = counter('writes_fenced_total', 'Writes rejected because another worker has taken over the run.');
  const guards = counter('guard_trips_total', 'Lists rejected and plans held for review by a guard.', ['guard']);
  const rows = counter('list_rows_total', 'Rows of the lists that runs used, by how they were used.', ['kind']);
  const records = counter('companies_total', 'Changes that runs made to companies, and moved licenses.', ['kind']);
  const losses = counter('database_connections_lost_total', 'Database connections lost.', ['of']);
  const databaseErrors = counter('database_errors_total', 'Transactions that failed because of the database.', [
    'kind',
  ]);
  const retries = counter('database_retries_total', 'Transactions retried.', ['kind']);
  const unknownCommits = counter('database_commits_unknown_total', 'Commits without a response from the database.');
  const workerFailures = counter(
    'worker_failures_total',
    'Worker errors that could not be recorded in a run, and exits of the worker process.',
  );
  const updateGauges = createGauges(registry, gauges);

  return {
    requestFinished({ method, route, status, durationMs, errorCode }) {
      requests.inc({ method, route, status });
      requestSeconds.observe({ route }, durationMs / 1000);
      if (errorCode !== undefined) requestErrors.inc({ code: errorCode });
    },
    biotrackEvent(event) {
      if (event.kind === 'call_finished') {
        const { action, outcome, answer = outcome } = event;
        calls.inc({ action, outcome, answer });
        callSeconds.observe({ action }, event.durationMs / 1000);
        callBytes.inc({ action }, event.bytes);
      } else if (event.kind === 'unknown_text') {
        unknownTexts.inc({ state: event.state, action: event.action, label: event.label });
      } else if (event.kind === 'session_renewed') {
        sessions.inc({ state: event.state });
      } else {
        circuits.inc({ change: event.kind === 'circuit_opened' ? 'opened' : 'closed' });
      }
    },
    runFinished({ status, reason, counts = {}, rows: listed = {} }) {
      runs.inc({ status, reason: reason ?? 'none' });
      for (const [kind, count] of Object.entries(counts)) records.inc({ kind: toSnakeCase(kind) }, count);
      for (const [kind, count] of Object.entries(listed)) rows.inc({ kind }, count);
    },
    runsRequeued: (count) => requeued.inc(count),
    runTakenOver: () => takenOver.inc(),
    writeFenced: () => fenced.inc(),
    guardTripped: (guard) => guards.inc({ guard }),
    connectionLost: (of) => losses.inc({ of }),
    databaseError: (kind) => databaseErrors.inc({ kind }),
    transactionRetried: (kind) => retries.inc({ kind }),
    commitUnknown: () => unknownCommits.inc(),
    workerFailed: () => workerFailures.inc(),
    async collect() {
      const metrics = await registry.getMetricsAsJSON();
      return metrics.filter(({ aggregator }) => aggregator !== 'first');
    },
    async render() {
      const [worker] = await Promise.all([gauges.readWorker?.(), updateGauges()]);
      const own = await registry.getMetricsAsJSON();
      return worker === undefined ? registry.metrics() : AggregatorRegistry.aggregate([own, worker]).metrics();
    },
    contentType: registry.contentType,
    close: () => registry.clear(),
  };
}

/**
 * Registers the gauges and returns a function that updates them. Without a database, `database_up` is 0 and the gauges
 * from the database have no values.
 */
function createGauges(registry: Registry, { measure, readPool }: Gauges): () => Promise<void> {
  new Gauge({
    name: `${PREFIX}database_pool_connections`,
    help: 'Database connections of this process: open, idle, and waiting requests.',
    labelNames: ['state'],
    registers: [registry],
    collect() {
      for (const [state, count] of Object.entries(readPool())) this.set({ state }, count);
    },
  });
  // Each process measures the same database.
  const shared = <Label extends string>(name: string, help: string, labelNames: readonly Label[] = []) =>
    new Gauge({ name: PREFIX + name, help, labelNames, registers: [registry], aggregator: 'first' });
  const runs = shared('runs', 'Queued and running runs.', ['status']);
  const oldest = shared('runs_oldest_seconds', 'Age of the oldest queued or running run.', ['status']);
  const credentials = shared('credentials', 'Stored BioTrack logins.', ['status']);
  const migrations = shared('database_migrations', 'Applied migrations.');
  const isUp = shared('database_up', 'Whether the database answers.');

  const updateFromDatabase = async (): Promise<void> => {
    const now = await measure().catch(() => undefined);
    for (const each of [runs, oldest, credentials, migrations]) each.reset();
    isUp.set(now === undefined ? 0 : 1);
    if (now === undefined) return;
    for (const status of ['queued', 'running']) {
      const found = now.runs.find((each) => each.status === status);
      runs.set({ status }, found?.count ?? 0);
      oldest.set({ status }, found?.oldestSeconds ?? 0);
    }
    for (const { status, count } of now.credentials) credentials.set({ status }, count);
    migrations.set(now.migrations);
  };

  let startedAt = Number.NEGATIVE_INFINITY;
  let update: Promise<void> = Promise.resolve();
  return async () => {
    if (performance.now() - startedAt >= MEASURE_INTERVAL_MS) {
      startedAt = performance.now();
      update = updateFromDatabase();
    }
    await update;
  };
}
