/** The complete list of log events; log processing may rely on it. */
export const LOG_EVENTS = [
  'service.started',
  'service.stopped',
  /** Logged by Fastify itself. */
  'server.message',
  'request.finished',
  'run.finished',
  'runs.requeued',
  'worker.failed',
  /** The process that executes runs ended by itself; another one is started. */
  'worker.exited',
  'metrics.unavailable',
  'idempotency.response_not_saved',
  'database.connection_lost',
  'database.retried',
  'database.commit_unknown',
  'biotrack.call_finished',
  'biotrack.circuit_opened',
  'biotrack.circuit_closed',
  'biotrack.unknown_text',
  'biotrack.session_renewed',
] as const;
export type LogEvent = (typeof LOG_EVENTS)[number];

/** One log line. Field names are dotted (`run.id`). Log ids only, never names or addresses. */
export interface LogEntry {
  readonly event: LogEvent;
  readonly err?: unknown;
  readonly [field: string]: unknown;
}

/** A logger for named events only. */
export type Log = Readonly<Record<'debug' | 'info' | 'warn' | 'error', (entry: LogEntry) => void>>;
