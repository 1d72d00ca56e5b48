import type { FastifyInstance } from 'fastify';
import type { Log, LogEntry } from '../domain/log-event.js';

/** What metrics record of a request. */
export interface RequestFacts {
  readonly method: string;
  /** The route pattern. The URL may contain names in its filters. */
  readonly route: string;
  readonly status: number;
  readonly durationMs: number;
  readonly errorCode: string | undefined;
}

/** Logs one line per request when it ends. */
export function registerRequestLog(app: FastifyInstance, onFinished: (facts: RequestFacts) => void): void {
  app.decorateRequest('serviceError', null);
  app.addHook('onResponse', async (request, reply) => {
    const { serviceError: error, principal } = request;
    const status = reply.statusCode;
    const route = request.routeOptions.url ?? 'unknown';
    const durationMs = Math.round(reply.elapsedTime);
    onFinished({ method: request.method, route, status, durationMs, errorCode: error?.code });
    const entry: LogEntry = {
      event: 'request.finished',
      'http.method': request.method,
      'http.route': route,
      'http.status': status,
      ...toTrace(request.headers.traceparent),
      'http.duration_ms': durationMs,
      'client.address': request.ip,
      ...(principal === null ? {} : { 'principal.id': principal.id, 'principal.role': principal.role }),
      ...(error === null ? {} : { 'error.code': error.code }),
      ...(error?.cause !== undefined && status >= 500 ? { err: error.cause } : {}),
    };
    const log: Log = request.log;
    if (status >= 500) log.error(entry);
    else log.info(entry);
  });
}

const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?$/;

/** The caller's W3C trace context, to correlate logs. It is not passed on to BioTrack. */
function toTrace(header: unknown): Record<string, string> {
  const [, traceId, parentId] = (typeof header === 'string' ? TRACEPARENT.exec(header) : null) ?? [];
  return traceId === undefined || parentId === undefined ? {} : { 'trace.id': traceId, 'trace.parent_id': parentId };
}
