import type { FastifyInstance } from 'fastify';
import { type Principal, toActor } from '../domain/principal.js';
import { isRead } from './operation.js';

/** What the audit log records of a request. */
export interface RequestContext {
  readonly operationId: string;
  readonly principal: Principal;
  readonly actor: string;
  readonly requestId: string;
  /** The path of the request, which identifies the object. */
  readonly object: string;
}

/** Runs the rest of a request with its context available to the database layer. */
export type RunWithContext = (context: RequestContext, rest: () => void) => void;

/** Sets the context for every operation that can change data, so that handlers need not pass it on. */
export function registerRequestContext(app: FastifyInstance, runWithContext: RunWithContext): void {
  app.addHook('preHandler', (request, _reply, done) => {
    const { operationId } = request.routeOptions.schema ?? {};
    const { principal } = request;
    if (operationId === undefined || principal === null || isRead(operationId)) return done();
    const object = new URL(request.url, 'http://localhost').pathname;
    runWithContext({ operationId, principal, actor: toActor(principal), requestId: request.id, object }, done);
  });
}
