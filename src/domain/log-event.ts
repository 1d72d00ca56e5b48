/** Everything that is ever logged, by name: whoever reads logs by machine can rely on there being nothing else. */
export const LOG_EVENTS = [
  'service.started',
  'service.stopped',
  /** A line of the server's own. */
  'server.message',
  'request.finished',
  'run.finished',
  'runs.put_back',
  'worker.failed',
  'metrics.unavailable',
  'idempotency.answer_not_kept',
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

/** One line: what happened, and what is told of it under dotted names. Ids, never names or addresses of people. */
export interface LogEntry {
  readonly event: LogEvent;
  readonly err?: unknown;
  readonly [field: string]: unknown;
}

/** A logger that takes nothing but named events. */
export type Log = Readonly<Record<'debug' | 'info' | 'warn' | 'error', (entry: LogEntry) => void>>;
