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
      'http.duration_ms': Math.round(reply.elapsedTime),
      ...(principal === null ? {} : { 'principal.id': principal.id, 'principal.role': principal.role }),
      ...(fault === null ? {} : { 'fault.code': fault.code }),
      ...(fault?.cause !== undefined && status >= 500 ? { err: fault.cause } : {}),
    };
    if (status >= 500) request.log.error(entry);
    else request.log.info(entry);
  });
}
