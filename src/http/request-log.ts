import type { FastifyInstance } from 'fastify';

/** One line a request, at its end: what was asked, what was answered, and the cause of a fault. */
export function useRequestLog(app: FastifyInstance): void {
  app.decorateRequest('fault', null);
  app.addHook('onResponse', async (request, reply) => {
    const { fault, principal } = request;
    const status = reply.statusCode;
    const entry = {
      event: 'request.finished',
      'http.method': request.method,
      // The pattern, not the URL: filters hold names.
      'http.route': request.routeOptions.url ?? 'unknown',
      'http.status': status,
      ...toTrace(request.headers.traceparent),
      'http.duration_ms': Math.round(reply.elapsedTime),
      ...(principal === null ? {} : { 'principal.id': principal.id, 'principal.role': principal.role }),
      ...(fault === null ? {} : { 'fault.code': fault.code }),
      ...(fault?.cause !== undefined && status >= 500 ? { err: fault.cause } : {}),
    };
    if (status >= 500) request.log.error(entry);
    else request.log.info(entry);
  });
}

const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?$/;

/** The caller's trace (W3C Trace Context), so that its log and ours can be laid side by side. It goes no further. */
function toTrace(header: unknown): Record<string, string> {
  const [, traceId, parentId] = (typeof header === 'string' ? TRACEPARENT.exec(header) : null) ?? [];
  return traceId === undefined || parentId === undefined ? {} : { 'trace.id': traceId, 'trace.parent_id': parentId };
}
