import type { FastifyInstance } from 'fastify';
import type { Log, LogEntry } from '../domain/log-event.js';

/** What is counted of a request. */
export interface RequestFacts {
  readonly method: string;
  /** The pattern, not the URL: filters hold names. */
  readonly route: string;
  readonly status: number;
  readonly durationMs: number;
  readonly faultCode: string | undefined;
}

/** One line a request, at its end: what was asked, what was answered, and the cause of a fault. */
export function registerRequestLog(app: FastifyInstance, onFinished: (facts: RequestFacts) => void): void {
  app.decorateRequest('fault', null);
  app.addHook('onResponse', async (request, reply) => {
    const { fault, principal } = request;
    const status = reply.statusCode;
    const route = request.routeOptions.url ?? 'unknown';
    const durationMs = Math.round(reply.elapsedTime);
    onFinished({ method: request.method, route, status, durationMs, faultCode: fault?.code });
    const entry: LogEntry = {
      event: 'request.finished',
      'http.method': request.method,
      'http.route': route,
      'http.status': status,
      ...toTrace(request.headers.traceparent),
      'http.duration_ms': durationMs,
      ...(principal === null ? {} : { 'principal.id': principal.id, 'principal.role': principal.role }),
      ...(fault === null ? {} : { 'fault.code': fault.code }),
      ...(fault?.cause !== undefined && status >= 500 ? { err: fault.cause } : {}),
    };
    const log: Log = request.log;
    if (status >= 500) log.error(entry);
    else log.info(entry);
  });
}

const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?$/;

/** The caller's trace (W3C Trace Context), so that its log and ours can be laid side by side. It goes no further. */
function toTrace(header: unknown): Record<string, string> {
  const [, traceId, parentId] = (typeof header === 'string' ? TRACEPARENT.exec(header) : null) ?? [];
  return traceId === undefined || parentId === undefined ? {} : { 'trace.id': traceId, 'trace.parent_id': parentId };
}
