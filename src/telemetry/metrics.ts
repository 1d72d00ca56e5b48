import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { BiotrackEvent } from '../biotrack/index.js';
import type { FailureReason } from '../domain/failure-reason.js';
import type { RunStatus, SyncCounts, SyncRows } from '../domain/sync-run.js';
import type { RequestFacts } from '../http/request-log.js';

export interface RunFacts {
  readonly status: RunStatus | 'handed_over' | 'put_off';
  readonly reason: FailureReason | undefined;
  readonly counts?: SyncCounts | undefined;
  readonly rows?: SyncRows | undefined;
}

/** What only the database can tell, for all processes together. */
export interface Measurements {
  readonly runs: readonly { readonly status: string; readonly many: number; readonly oldestSeconds: number }[];
  readonly credentials: readonly { readonly status: string; readonly many: number }[];
  readonly migrations: number;
}

export interface Gauges {
  /** @throws when the database cannot be asked */
  measure(): Promise<Measurements>;
  readPool(): { readonly open: number; readonly idle: number; readonly waiting: number };
}

/** Names without the prefix that all of them have. Labels are of closed lists: never a tenant, an id or a text. */
export interface Metrics {
  requestFinished(facts: RequestFacts): void;
  biotrackEvent(event: BiotrackEvent): void;
  runFinished(facts: RunFacts): void;
  runsPutBack(many: number): void;
  runTakenOver(): void;
  /** A worker that had lost its run wanted to write. */
  writeFenced(): void;
  guardTripped(guard: 'list_shrunk' | 'needs_review'): void;
  connectionLost(of: 'pool' | 'queue'): void;
  databaseFault(kind: string): void;
  transactionRetried(kind: string): void;
  commitUnknown(): void;
  workerFailed(): void;
  /** In Prometheus' text format. */
  render(): Promise<string>;
  readonly contentType: string;
  close(): void;
}

const PREFIX = 'biotrack_connect_';
const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
/** However often they are read, the database is asked for them only this often. */
const MEASURE_EVERY_MS = 5_000;

export function createMetrics(gauges: Gauges): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const counter = <Label extends string>(name: string, help: string, labelNames: readonly Label[] = []) =>
    new Counter({ name: PREFIX + name, help, labelNames, registers: [registry] });
  const seconds = <Label extends string>(name: string, help: string, labelNames: readonly Label[]) =>
    new Histogram({ name: PREFIX + name, help, labelNames, buckets: SECONDS, registers: [registry] });

  const requests = counter('requests_total', 'Requests answered.', ['method', 'route', 'status']);
  const requestSeconds = seconds('request_duration_seconds', 'How long requests took.', ['route']);
  const faults = counter('faults_total', 'Requests that were not carried out, by code.', ['code']);
  const calls = counter('upstream_calls_total', 'Calls at BioTrack.', ['action', 'outcome', 'answer']);
  const callSeconds = seconds('upstream_call_duration_seconds', 'How long calls at BioTrack took.', ['action']);
  const callBytes = counter('upstream_received_bytes_total', 'What BioTrack sent.', ['action']);
  const circuits = counter('upstream_circuit_changes_total', 'A host is no longer asked, or is again.', ['change']);
  const unknownTexts = counter('upstream_unknown_texts_total', 'Refusals in words that nobody here knows.', [
    'state',
    'action',
    'label',
  ]);
  const sessions = counter('upstream_sessions_renewed_total', 'Sessions lost and logins made again.', ['state']);
  const runs = counter('runs_finished_total', 'Runs that ended, or were put off.', ['status', 'reason']);
  const putBack = counter('runs_put_back_total', 'Runs that nobody worked on, put back by the sweep.');
  const takenOver = counter('runs_taken_over_total', 'Runs taken over from a worker that fell silent.');
  const fenced = counter('writes_fenced_total', 'Writes refused because the run was lost to somebody else.');
  const guards = counter('guard_trips_total', 'Lists and plans that were not believed.', ['guard']);
  const rows = counter('list_rows_total', 'Rows of lists that runs went by, by what became of them.', ['kind']);
  const records = counter('companies_total', 'What runs did to companies, and moved licenses.', ['kind']);
  const losses = counter('database_connections_lost_total', 'Connections that broke.', ['of']);
  const databaseFaults = counter('database_faults_total', 'What the database refused for reasons of its own.', [
    'kind',
  ]);
  const retries = counter('database_retries_total', 'Transactions done once more.', ['kind']);
  const unknownCommits = counter('database_commits_unknown_total', 'Commits whose answer was lost.');
  const workerFailures = counter('worker_failures_total', 'Errors of the worker that no run could write down.');
  const takeGauges = useGauges(registry, gauges);

  return {
    requestFinished({ method, route, status, durationMs, faultCode }) {
      requests.inc({ method, route, status });
      requestSeconds.observe({ route }, durationMs / 1000);
      if (faultCode !== undefined) faults.inc({ code: faultCode });
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
    runFinished({ status, reason, counts = {}, rows: seen = {} }) {
      runs.inc({ status, reason: reason ?? 'none' });
      for (const [kind, many] of Object.entries(counts)) records.inc({ kind }, many);
      for (const [kind, many] of Object.entries(seen)) rows.inc({ kind }, many);
    },
    runsPutBack: (many) => putBack.inc(many),
    runTakenOver: () => takenOver.inc(),
    writeFenced: () => fenced.inc(),
    guardTripped: (guard) => guards.inc({ guard }),
    connectionLost: (of) => losses.inc({ of }),
    databaseFault: (kind) => databaseFaults.inc({ kind }),
    transactionRetried: (kind) => retries.inc({ kind }),
    commitUnknown: () => unknownCommits.inc(),
    workerFailed: () => workerFailures.inc(),
    async render() {
      await takeGauges();
      return registry.metrics();
    },
    contentType: registry.contentType,
    close: () => registry.clear(),
  };
}

/** Read when somebody asks. Where the database does not answer, `database_up` says so and the rest is left out. */
function useGauges(registry: Registry, { measure, readPool }: Gauges): () => Promise<void> {
  const gauge = <Label extends string>(name: string, help: string, labelNames: readonly Label[] = []) =>
    new Gauge({ name: PREFIX + name, help, labelNames, registers: [registry] });
  const runs = gauge('runs', 'Runs that have not ended.', ['status']);
  const oldest = gauge('runs_oldest_seconds', 'How long the oldest of them has been asked for.', ['status']);
  const credentials = gauge('credentials', 'Saved logins.', ['status']);
  const migrations = gauge('database_migrations', 'Migrations applied.');
  const isUp = gauge('database_up', 'Whether the database answers.');
  const pool = gauge('database_pool_connections', 'Connections of this process, and who waits for one.', ['state']);

  const ask = async (): Promise<void> => {
    const now = await measure().catch(() => undefined);
    for (const each of [runs, oldest, credentials, migrations]) each.reset();
    isUp.set(now === undefined ? 0 : 1);
    // Whoever asks for the metrics of a broken database gets the others.
    if (now === undefined) return;
    for (const status of ['queued', 'running']) {
      const found = now.runs.find((each) => each.status === status);
      runs.set({ status }, found?.many ?? 0);
      oldest.set({ status }, found?.oldestSeconds ?? 0);
    }
    for (const { status, many } of now.credentials) credentials.set({ status }, many);
    migrations.set(now.migrations);
  };

  let asked = Number.NEGATIVE_INFINITY;
  let asking: Promise<void> = Promise.resolve();
  return async () => {
    for (const [state, many] of Object.entries(readPool())) pool.set({ state }, many);
    if (performance.now() - asked >= MEASURE_EVERY_MS) {
      asked = performance.now();
      asking = ask();
    }
    await asking;
  };
}
