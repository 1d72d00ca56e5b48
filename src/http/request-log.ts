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
export function useRequestLog(app: FastifyInstance, onFinished: (facts: RequestFacts) => void): void {
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
